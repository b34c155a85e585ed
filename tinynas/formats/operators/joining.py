"""CONCATENATION and PACK in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinynas.formats.operators._format import (
    FileNode,
    OperatorFormat,
    counted_from_zero,
    first_version,
    read_activation,
    write_activation,
)
from tinynas.graph import Attributes, ConcatenationAttributes, Op, PackAttributes

if TYPE_CHECKING:
    from tinynas.formats._write_onnx import OnnxWriter


def _read_concatenation(node: FileNode) -> Attributes:
    axis = counted_from_zero(node.options.axis, node.input_rank)
    return ConcatenationAttributes(axis, read_activation(node.options))


def _write_concatenation(op: Op, options: Any) -> None:
    assert isinstance(op.attributes, ConcatenationAttributes)
    options.axis = op.attributes.axis
    write_activation(op, options)


def _concatenation_onnx(writer: OnnxWriter, op: Op) -> None:
    attributes = op.attributes
    assert isinstance(attributes, ConcatenationAttributes)
    rank = len(writer.graph.tensors[op.outputs[0]].shape)
    inputs = [writer.names[i] for i in op.inputs]
    writer.node("Concat", inputs, writer.names[op.outputs[0]], axis=writer.stored_axis(attributes.axis, rank))


def _read_pack(node: FileNode) -> Attributes:
    return PackAttributes(counted_from_zero(node.options.axis, node.input_rank + 1))


def _write_pack(op: Op, options: Any) -> None:
    assert isinstance(op.attributes, PackAttributes)
    options.axis, options.valuesCount = op.attributes.axis, len(op.inputs)


FORMATS = (
    OperatorFormat(
        "CONCATENATION", "ConcatenationOptions", _read_concatenation, _write_concatenation, onnx=_concatenation_onnx
    ),
    OperatorFormat("PACK", "PackOptions", _read_pack, _write_pack, version=first_version),
)
