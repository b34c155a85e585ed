"""TRANSPOSE in files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinynas.formats.operators._format import FileNode, OperatorFormat, counted_from_zero
from tinynas.graph import Attributes, Op, TransposeAttributes

if TYPE_CHECKING:
    from tinynas.formats._write_onnx import OnnxWriter


def _read(node: FileNode) -> Attributes:
    axes = node.constants[0].reshape(-1)
    return TransposeAttributes(tuple(counted_from_zero(int(axis), node.input_rank) for axis in axes))


def _constants(op: Op) -> tuple[object, ...]:
    assert isinstance(op.attributes, TransposeAttributes)
    return (op.attributes.permutation,)


def _onnx(writer: OnnxWriter, op: Op) -> None:
    assert isinstance(op.attributes, TransposeAttributes)
    permutation = op.attributes.permutation
    order = writer.stored_order(len(permutation))
    stored = tuple(order.index(permutation[i]) for i in order)
    writer.node("Transpose", [writer.names[op.inputs[0]]], writer.names[op.outputs[0]], perm=stored)


FORMATS = (OperatorFormat("TRANSPOSE", "TransposeOptions", _read, constants=_constants, onnx=_onnx),)
