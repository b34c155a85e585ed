"""Operators that move elements without computing, and SHAPE, which reads none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinynas.graph._ops import (
    ConcatenationAttributes,
    PackAttributes,
    PadAttributes,
    ResizeNearestNeighborAttributes,
    StridedSliceAttributes,
    TransposeAttributes,
)
from tinynas.graph.reference._node import Array, Node, required


def reshape(node: Node, arrays: Sequence[Array | None]) -> Array:
    """RESHAPE, EXPAND_DIMS and SQUEEZE."""
    x = required(arrays, 0)
    return x.reshape(x.shape[0], *node.output.shape)


def transpose(node: Node, arrays: Sequence[Array | None]) -> Array:
    """TRANSPOSE."""
    attributes = node.op.attributes
    assert isinstance(attributes, TransposeAttributes)
    x = required(arrays, 0)
    return np.ascontiguousarray(x.transpose(0, *(axis + 1 for axis in attributes.permutation)))


def pad(node: Node, arrays: Sequence[Array | None]) -> Array:
    """PAD with the zero point, or with zero in float."""
    attributes = node.op.attributes
    assert isinstance(attributes, PadAttributes)
    value = 0 if node.is_float else node.quantization(node.output).zero_point
    return np.pad(required(arrays, 0), ((0, 0), *attributes.paddings), constant_values=value)


def concatenation(node: Node, arrays: Sequence[Array | None]) -> Array:
    """CONCATENATION: a copy; the int8 kernel does not rescale, so all scales and zero points are equal."""
    attributes = node.op.attributes
    assert isinstance(attributes, ConcatenationAttributes)
    return np.concatenate(_of_one_batch(arrays), axis=attributes.axis + 1)


def pack(node: Node, arrays: Sequence[Array | None]) -> Array:
    """PACK."""
    attributes = node.op.attributes
    assert isinstance(attributes, PackAttributes)
    return np.stack(_of_one_batch(arrays), axis=attributes.axis + 1)


def _of_one_batch(arrays: Sequence[Array | None]) -> list[Array]:
    """All inputs, constants repeated for each member of the batch."""
    parts = [required(arrays, i) for i in range(len(arrays))]
    batch = max(part.shape[0] for part in parts)
    return [np.broadcast_to(part, (batch, *part.shape[1:])) for part in parts]


def strided_slice(node: Node, arrays: Sequence[Array | None]) -> Array:
    """STRIDED_SLICE."""
    attributes = node.op.attributes
    assert isinstance(attributes, StridedSliceAttributes)
    return np.ascontiguousarray(required(arrays, 0)[:, *attributes.slices()])


def shape(node: Node, arrays: Sequence[Array | None]) -> Array:
    """SHAPE: that of one inference, whatever the batch."""
    return np.array([node.input(0).shape], np.int32)


def resize_nearest_neighbor(node: Node, arrays: Sequence[Array | None]) -> Array:
    """RESIZE_NEAREST_NEIGHBOR."""
    attributes = node.op.attributes
    assert isinstance(attributes, ResizeNearestNeighborAttributes)
    x = required(arrays, 0)
    rows = nearest_indices(x.shape[2], attributes.size[0], attributes)
    columns = nearest_indices(x.shape[3], attributes.size[1], attributes)
    return np.ascontiguousarray(x[:, :, rows][:, :, :, columns])


def nearest_indices(
    input_size: int, output_size: int, attributes: ResizeNearestNeighborAttributes
) -> npt.NDArray[np.int64]:
    """The input row (or column) that each output row shows.

    In float32 as in tflite/kernels/internal/reference/resize_nearest_neighbor.h: the rounding of the scale decides
    which neighbour wins.
    """
    align = attributes.align_corners and output_size > 1
    scale = (
        np.float32(input_size - 1) / np.float32(output_size - 1)
        if align
        else np.float32(input_size) / np.float32(output_size)
    )
    offset = np.float32(0.5 if attributes.half_pixel_centers else 0.0)
    positions = ((np.arange(output_size, dtype=np.float32) + offset) * scale).astype(np.float64)
    nearest = np.floor(positions + 0.5) if attributes.align_corners else np.floor(positions)
    return np.minimum(nearest.astype(np.int64), input_size - 1)
