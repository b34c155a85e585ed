"""MEAN in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinynas.formats.operators._format import FileNode, OperatorFormat, counted_from_zero
from tinynas.graph import Attributes, MeanAttributes, Op

if TYPE_CHECKING:
    from tinynas.formats._write_onnx import OnnxWriter


def _read(node: FileNode) -> Attributes:
    axes = sorted({counted_from_zero(int(axis), node.input_rank) for axis in node.constants[0].reshape(-1)})
    return MeanAttributes(tuple(axes), bool(node.options.keepDims))


def _write(op: Op, options: Any) -> None:
    assert isinstance(op.attributes, MeanAttributes)
    options.keepDims = op.attributes.keep_dims


def _constants(op: Op) -> tuple[object, ...]:
    assert isinstance(op.attributes, MeanAttributes)
    return (op.attributes.axes,)


def _onnx(writer: OnnxWriter, op: Op) -> None:
    attributes = op.attributes
    assert isinstance(attributes, MeanAttributes)
    x, y = writer.names[op.inputs[0]], writer.names[op.outputs[0]]
    rank = len(writer.graph.tensors[op.inputs[0]].shape)
    if attributes.keep_dims or rank != 4:
        axes = [writer.stored_axis(axis, rank) for axis in attributes.axes]
        writer.node("ReduceMean", [x], y, axes=axes, keepdims=int(attributes.keep_dims))
        return
    # What is left keeps the graph's order, not the stored one.
    writer.node("ReduceMean", [writer.in_graph_order(x)], y, axes=list(attributes.axes), keepdims=0)


FORMATS = (OperatorFormat("MEAN", "ReducerOptions", _read, _write, _constants, onnx=_onnx),)
