"""CONV_2D and DEPTHWISE_CONV_2D."""

from __future__ import annotations

from tinynas.testing.operators._random_operator import GrowingNetwork, RandomOperator


def _depthwise_conv_2d(network: GrowingNetwork, x: int) -> int:
    filter_size, stride, padding = network.window(x, 7)
    channels = network.builder.shape(x)[3]
    return network.builder.depthwise_conv_2d(
        x,
        filter_size,
        stride=stride,
        padding=padding,
        depth_multiplier=int(network.rng.integers(1, 4)) if channels < 8 else 1,
        dilation=network.dilation(x, filter_size, padding) if stride == (1, 1) else 1,
        activation=network.activation(),
        bias=bool(network.rng.random() < 0.8),
        name=network.name("depthwise"),
    )


RANDOM = (
    RandomOperator("CONV_2D", 5, GrowingNetwork.conv_2d),
    RandomOperator("DEPTHWISE_CONV_2D", 4, _depthwise_conv_2d),
)
