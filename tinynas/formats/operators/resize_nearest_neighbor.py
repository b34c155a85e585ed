"""RESIZE_NEAREST_NEIGHBOR in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinynas.formats.operators._format import FileNode, OperatorFormat, int8_version
from tinynas.graph import Attributes, Graph, Op, ResizeNearestNeighborAttributes

if TYPE_CHECKING:
    from tinynas.formats._write_onnx import OnnxWriter


def _read(node: FileNode) -> Attributes:
    (size,) = node.constants
    if size.shape != (2,):
        raise ValueError(f"the size is {list(size.shape)}, expected [2]")
    height, width = (int(length) for length in size)
    corners, centers = bool(node.options.alignCorners), bool(node.options.halfPixelCenters)
    return ResizeNearestNeighborAttributes((height, width), corners, centers)


def _write(op: Op, options: Any) -> None:
    a = op.attributes
    assert isinstance(a, ResizeNearestNeighborAttributes)
    options.alignCorners, options.halfPixelCenters = a.align_corners, a.half_pixel_centers


def _constants(op: Op) -> tuple[object, ...]:
    assert isinstance(op.attributes, ResizeNearestNeighborAttributes)
    return (op.attributes.size,)


def _version(graph: Graph, op: Op) -> int:
    a = op.attributes
    assert isinstance(a, ResizeNearestNeighborAttributes)
    return 3 if a.align_corners or a.half_pixel_centers else int8_version(graph, op)


def _onnx(writer: OnnxWriter, op: Op) -> None:
    attributes = op.attributes
    assert isinstance(attributes, ResizeNearestNeighborAttributes)
    mode, nearest = "asymmetric", "floor"
    if attributes.align_corners:
        mode, nearest = "align_corners", "round_prefer_ceil"
    elif attributes.half_pixel_centers:
        # floor((x + 1/2) * scale) is round((x + 1/2) * scale - 1/2) with halves upwards
        mode, nearest = "half_pixel", "round_prefer_ceil"
    sizes = writer.constant(np.array(writer.stored_shape(op.outputs[0]), np.int64))
    writer.node(
        "Resize",
        [writer.names[op.inputs[0]], "", "", sizes],
        writer.names[op.outputs[0]],
        mode="nearest",
        coordinate_transformation_mode=mode,
        nearest_mode=nearest,
    )


FORMATS = (
    OperatorFormat(
        "RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions", _read, _write, _constants, _version, _onnx
    ),
)
