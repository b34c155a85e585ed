"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynas.graph._ops import Pool2DAttributes
from tinynas.graph.fixed_point import quantized_activation_range
from tinynas.graph.reference._node import Array, Node, clamp_float, required
from tinynas.graph.reference._windows import Windows


def average_pool_2d(node: Node, arrays: Sequence[Array | None]) -> Array:
    """Average over the part of each window that lies inside the image; int8 rounds halves away from zero."""
    images, windows = _images_and_windows(node, arrays)
    dtype = np.float32 if node.is_float else np.int32
    sums: Any = windows.reduce(windows.pad(images.astype(dtype)), np.add)
    counts: Any = windows.reduce(windows.pad(np.ones((1, *images.shape[1:3], 1), dtype)), np.add)
    if node.is_float:
        return _finish(node, sums / counts)
    magnitudes = (np.abs(sums) + counts // 2) // counts
    return _finish(node, np.where(sums < 0, -magnitudes, magnitudes))


def max_pool_2d(node: Node, arrays: Sequence[Array | None]) -> Array:
    """Maximum over the part of each window that lies inside the image."""
    images, windows = _images_and_windows(node, arrays)
    lowest = float(np.finfo(np.float32).min) if node.is_float else -128
    return _finish(node, windows.reduce(windows.pad(images, lowest), np.maximum))


def _images_and_windows(node: Node, arrays: Sequence[Array | None]) -> tuple[Array, Windows]:
    attributes = node.op.attributes
    assert isinstance(attributes, Pool2DAttributes)
    x = required(arrays, 0)
    images = x.reshape(-1, *x.shape[2:])
    return images, Windows.over(images.shape[1:3], attributes.filter_size, attributes.stride, attributes.padding)


def _finish(node: Node, values: Array) -> Array:
    attributes = node.op.attributes
    assert isinstance(attributes, Pool2DAttributes)
    values = values.reshape(-1, *node.output.shape)
    if node.is_float:
        return clamp_float(values, attributes.activation)
    low, high = quantized_activation_range(attributes.activation, node.quantization(node.output))
    return np.minimum(np.maximum(values, low), high).astype(np.int8)
