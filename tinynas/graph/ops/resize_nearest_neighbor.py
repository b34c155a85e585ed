"""RESIZE_NEAREST_NEIGHBOR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinynas.graph._attributes import Attributes
from tinynas.graph._operator import Op, OpSpec, Shape
from tinynas.graph._shapes import require_rank, shape_error
from tinynas.graph.reference._node import Array, Node, required


@dataclass(frozen=True)
class ResizeNearestNeighborAttributes(Attributes):
    """RESIZE_NEAREST_NEIGHBOR to `size` = (height, width). In the file: a constant input."""

    size: tuple[int, int]
    align_corners: bool = False
    half_pixel_centers: bool = False


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, ResizeNearestNeighborAttributes)
    x = input_shapes[0]
    require_rank(op, "input", x, 4)
    if attributes.align_corners and attributes.half_pixel_centers:
        raise shape_error(op, "align_corners and half_pixel_centers exclude each other")
    return (x[0], attributes.size[0], attributes.size[1], x[3])


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
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


SPECS = (
    OpSpec(
        name="RESIZE_NEAREST_NEIGHBOR",
        description="images [N, H, W, C] of another size, each pixel the nearest one",
        support="int8, to a constant size",
        attributes=ResizeNearestNeighborAttributes,
        shapes=_shape,
        reference=_reference,
        constant_inputs=("size",),
        single_image=True,
        keeps_quantization=True,
        copies=True,
        folds=True,
        is_identity=lambda op: True,
    ),
)
