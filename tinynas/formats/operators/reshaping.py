"""RESHAPE, EXPAND_DIMS, SQUEEZE and SHAPE in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ai_edge_litert import schema_py_generated as schema

from tinynas.formats.operators._format import FileNode, OperatorFormat, counted_from_zero, first_version
from tinynas.graph import (
    Attributes,
    ExpandDimsAttributes,
    Op,
    ReshapeAttributes,
    ShapeAttributes,
    SqueezeAttributes,
)

if TYPE_CHECKING:
    from tinynas.formats._write_onnx import OnnxWriter


def _read_reshape(node: FileNode) -> Attributes:
    # The constant may hold -1; the output tensor has the resolved shape.
    return ReshapeAttributes(node.output_shapes[0])


def _write_reshape(op: Op, options: Any) -> None:
    assert isinstance(op.attributes, ReshapeAttributes)
    options.newShape = list(op.attributes.shape)


def _reshape_constants(op: Op) -> tuple[object, ...]:
    assert isinstance(op.attributes, ReshapeAttributes)
    return (op.attributes.shape,)


def _reshape_onnx(writer: OnnxWriter, op: Op) -> None:
    assert isinstance(op.attributes, ReshapeAttributes)
    value = writer.rows_of(op.inputs[0], op.attributes.shape)
    kind, more = writer.from_graph_order(len(op.attributes.shape))
    writer.node(kind, [value], writer.names[op.outputs[0]], **more)


def _read_expand_dims(node: FileNode) -> Attributes:
    (axis,) = node.constants
    if axis.size != 1:
        raise ValueError(f"the axis is {list(axis.shape)}, expected one number")
    return ExpandDimsAttributes(counted_from_zero(int(axis.reshape(-1)[0]), node.input_rank + 1))


def _expand_dims_constants(op: Op) -> tuple[object, ...]:
    assert isinstance(op.attributes, ExpandDimsAttributes)
    return (op.attributes.axis,)


def _read_squeeze(node: FileNode) -> Attributes:
    dims = [] if node.options.squeezeDims is None else node.options.squeezeDims
    return SqueezeAttributes(tuple(sorted({counted_from_zero(int(axis), node.input_rank) for axis in dims})))


def _write_squeeze(op: Op, options: Any) -> None:
    assert isinstance(op.attributes, SqueezeAttributes)
    options.squeezeDims = list(op.attributes.axes)


def _read_shape(node: FileNode) -> Attributes:
    return ShapeAttributes()


def _write_shape(op: Op, options: Any) -> None:
    options.outType = schema.TensorType.INT32


FORMATS = (
    OperatorFormat(
        "RESHAPE", "ReshapeOptions", _read_reshape, _write_reshape, _reshape_constants, first_version, _reshape_onnx
    ),
    OperatorFormat(
        "EXPAND_DIMS",
        "ExpandDimsOptions",
        _read_expand_dims,
        constants=_expand_dims_constants,
        version=first_version,
    ),
    OperatorFormat("SQUEEZE", "SqueezeOptions", _read_squeeze, _write_squeeze, version=first_version),
    OperatorFormat("SHAPE", "ShapeOptions", _read_shape, _write_shape, version=first_version),
)
