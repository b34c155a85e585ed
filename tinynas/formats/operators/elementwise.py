"""ADD and MUL in files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tinynas.formats.operators._format import FileNode, OperatorFormat, read_activation, write_activation
from tinynas.graph import Attributes, ElementwiseAttributes, Op

if TYPE_CHECKING:
    from tinynas.formats._write_onnx import OnnxWriter


def _read(node: FileNode) -> Attributes:
    return ElementwiseAttributes(read_activation(node.options))


def _onnx(kind: str) -> Callable[[OnnxWriter, Op], None]:
    def write(writer: OnnxWriter, op: Op) -> None:
        rank = len(writer.graph.tensors[op.outputs[0]].shape)
        writer.activated(op, kind, [writer.with_rank(i, rank) for i in op.inputs], op.activation)

    return write


FORMATS = (
    OperatorFormat("ADD", "AddOptions", _read, write_activation, onnx=_onnx("Add")),
    OperatorFormat("MUL", "MulOptions", _read, write_activation, onnx=_onnx("Mul")),
)
