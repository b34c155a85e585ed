"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynas.graph._attributes import Activation, Attributes, Padding
from tinynas.graph._operator import Op, OpSpec, Shape, Window
from tinynas.graph._quantization_rules import check_copy
from tinynas.graph._shapes import require_rank
from tinynas.graph.fixed_point import quantized_activation_range
from tinynas.graph.ops._window_shapes import windowed_size
from tinynas.graph.reference._node import Array, Node, clamp_float, required
from tinynas.graph.reference._windows import Windows


@dataclass(frozen=True)
class Pool2DAttributes(Attributes):
    """AVERAGE_POOL_2D and MAX_POOL_2D. inputs: x [N,H,W,C]; the output keeps the input's quantization."""

    filter_size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: Padding = Padding.VALID
    activation: Activation = Activation.NONE


def _window(op: Op, input_shapes: Sequence[Shape]) -> Window:
    attributes = op.attributes
    assert isinstance(attributes, Pool2DAttributes)
    return Window(attributes.filter_size, attributes.stride, (1, 1), attributes.padding)


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    x = input_shapes[0]
    require_rank(op, "input", x, 4)
    height, width = windowed_size(op, x, _window(op, input_shapes))
    return (x[0], height, width, x[3])


def _average(node: Node, arrays: Sequence[Array | None]) -> Array:
    """Average over the part of each window that lies inside the image; int8 rounds halves away from zero."""
    images, windows = _images_and_windows(node, arrays)
    dtype = np.float32 if node.is_float else np.int32
    sums: Any = windows.reduce(windows.pad(images.astype(dtype)), np.add)
    counts: Any = windows.reduce(windows.pad(np.ones((1, *images.shape[1:3], 1), dtype)), np.add)
    if node.is_float:
        return _finish(node, sums / counts)
    magnitudes = (np.abs(sums) + counts // 2) // counts
    return _finish(node, np.where(sums < 0, -magnitudes, magnitudes))


def _maximum(node: Node, arrays: Sequence[Array | None]) -> Array:
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
    values = values.reshape(-1, *node.output.shape)
    if node.is_float:
        return clamp_float(values, node.op.activation)
    low, high = quantized_activation_range(node.op.activation, node.quantization(node.output))
    return np.minimum(np.maximum(values, low), high).astype(np.int8)


def _is_identity(op: Op) -> bool:
    attributes = op.attributes
    assert isinstance(attributes, Pool2DAttributes)
    return attributes.filter_size == attributes.stride == (1, 1) and attributes.activation is Activation.NONE


def _spec(
    name: str, description: str, reference: Callable[[Node, Sequence[Array | None]], Array], copies: bool
) -> OpSpec:
    return OpSpec(
        name=name,
        description=description,
        support="int8",
        attributes=Pool2DAttributes,
        shapes=_shape,
        reference=reference,
        window=_window,
        single_image=True,
        keeps_quantization=True,
        copies=copies,
        check=check_copy,
        is_identity=_is_identity,
    )


SPECS = (
    _spec("AVERAGE_POOL_2D", "mean of each window of images [N, H, W, C]", _average, copies=False),
    _spec("MAX_POOL_2D", "maximum of each window of images [N, H, W, C]", _maximum, copies=True),
)
