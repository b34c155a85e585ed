"""MEAN and SOFTMAX between other operators; at the end of networks they come by themselves."""

from __future__ import annotations

from tinynas.testing.operators._random_operator import GrowingNetwork, RandomOperator


def _mean(network: GrowingNetwork, x: int) -> int:
    return network.mean(x, keep_dims=True)


def _softmax(network: GrowingNetwork, x: int) -> int:
    # Both runtimes abort if exponentials sum up to 512 or more: every probability would round to zero.
    narrow = network.builder.shape(x)[-1] < 512
    return network.builder.softmax(x, name=network.name("softmax")) if narrow else x


RANDOM = (RandomOperator("MEAN", 0.3, _mean), RandomOperator("SOFTMAX", 0.3, _softmax))
