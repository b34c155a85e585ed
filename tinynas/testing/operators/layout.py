"""Operators that move elements."""

from __future__ import annotations

import math

from tinynas.testing.operators._random_operator import GrowingNetwork, RandomOperator


def _concatenation(network: GrowingNetwork, x: int) -> int:
    if 2 * math.prod(network.builder.shape(x)) > network.max_elements:
        return network.conv_2d(x)
    parts = [x, network.partner(x)] + ([network.partner(x)] if network.rng.random() < 0.3 else [])
    axis = 3 if network.rng.random() < 0.7 else int(network.rng.integers(1, 4))
    return network.builder.concatenation(parts, axis, name=network.name("concat"))


def _pad(network: GrowingNetwork, x: int) -> int:
    amounts = network.rng.integers(0, 3, (3, 2)).tolist()
    if network.rng.random() < 0.7:
        amounts[2] = [0, 0]
    return network.builder.pad(x, [(0, 0), *((a, b) for a, b in amounts)], name=network.name("pad"))


def _resize_nearest_neighbor(network: GrowingNetwork, x: int) -> int:
    rng = network.rng
    size = (int(rng.integers(1, 15)), int(rng.integers(1, 15)))
    align = bool(rng.random() < 0.3)
    half = bool(not align and rng.random() < 0.4)
    return network.builder.resize_nearest_neighbor(
        x, size, align_corners=align, half_pixel_centers=half, name=network.name("resize")
    )


def _transpose(network: GrowingNetwork, x: int) -> int:
    permutation = (0, *(1 + network.rng.permutation(3)).tolist())
    return network.builder.transpose(x, permutation, name=network.name("transpose"))


RANDOM = (
    RandomOperator("CONCATENATION", 2, _concatenation),
    RandomOperator("PAD", 2, _pad),
    RandomOperator("RESIZE_NEAREST_NEIGHBOR", 1, _resize_nearest_neighbor),
    RandomOperator("TRANSPOSE", 1, _transpose),
)
