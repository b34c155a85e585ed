"""SOFTMAX in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinynas.formats.operators._format import FileNode, OperatorFormat
from tinynas.graph import Attributes, Op, SoftmaxAttributes

if TYPE_CHECKING:
    from tinynas.formats._write_onnx import OnnxWriter


def _read(node: FileNode) -> Attributes:
    if not 0 < node.options.beta < float("inf"):
        raise ValueError(f"beta is {node.options.beta}, expected a positive number")
    return SoftmaxAttributes(node.options.beta)


def _write(op: Op, options: Any) -> None:
    assert isinstance(op.attributes, SoftmaxAttributes)
    options.beta = op.attributes.beta


def _onnx(writer: OnnxWriter, op: Op) -> None:
    attributes = op.attributes
    assert isinstance(attributes, SoftmaxAttributes)
    rank, value = len(writer.graph.tensors[op.inputs[0]].shape), writer.names[op.inputs[0]]
    if attributes.beta != 1.0:
        value = writer.node("Mul", [value, writer.constant(np.array(attributes.beta, np.float32))])
    writer.node("Softmax", [value], writer.names[op.outputs[0]], axis=writer.stored_axis(rank - 1, rank))


FORMATS = (OperatorFormat("SOFTMAX", "SoftmaxOptions", _read, _write, onnx=_onnx),)
