"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

from tinynas.testing.operators._random_operator import GrowingNetwork, RandomOperator


def _average(network: GrowingNetwork, x: int) -> int:
    filter_size, stride, padding = network.window(x, 4)
    activation, name = network.activation(), network.name("pool")
    return network.builder.average_pool_2d(
        x, filter_size, stride=stride, padding=padding, activation=activation, name=name
    )


def _maximum(network: GrowingNetwork, x: int) -> int:
    filter_size, stride, padding = network.window(x, 4)
    activation, name = network.activation(), network.name("pool")
    return network.builder.max_pool_2d(x, filter_size, stride=stride, padding=padding, activation=activation, name=name)


RANDOM = (RandomOperator("AVERAGE_POOL_2D", 1, _average), RandomOperator("MAX_POOL_2D", 1, _maximum))
