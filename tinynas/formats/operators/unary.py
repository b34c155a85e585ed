"""Operators of one input without constants in files."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynas.formats.operators._format import FileNode, OperatorFormat, first_version
from tinynas.graph import Attributes, LeakyReluAttributes, Op, UnaryAttributes

if TYPE_CHECKING:
    from tinynas.formats._write_onnx import OnnxWriter


def _read(node: FileNode) -> Attributes:
    return UnaryAttributes()


def _read_leaky(node: FileNode) -> Attributes:
    if not math.isfinite(node.options.alpha):
        raise ValueError(f"alpha is {node.options.alpha}, expected a number")
    return LeakyReluAttributes(node.options.alpha)


def _write_leaky(op: Op, options: Any) -> None:
    assert isinstance(op.attributes, LeakyReluAttributes)
    options.alpha = op.attributes.alpha


def _node(kind: str) -> Callable[[OnnxWriter, Op], None]:
    def write(writer: OnnxWriter, op: Op) -> None:
        writer.node(kind, [writer.names[op.inputs[0]]], writer.names[op.outputs[0]])

    return write


def _clip(low: float, high: float) -> Callable[[OnnxWriter, Op], None]:
    def write(writer: OnnxWriter, op: Op) -> None:
        bounds = [writer.constant(np.array(bound, np.float32)) for bound in (low, high)]
        writer.node("Clip", [writer.names[op.inputs[0]], *bounds], writer.names[op.outputs[0]])

    return write


def _leaky_onnx(writer: OnnxWriter, op: Op) -> None:
    assert isinstance(op.attributes, LeakyReluAttributes)
    x, y = writer.names[op.inputs[0]], writer.names[op.outputs[0]]
    writer.node("LeakyRelu", [x], y, alpha=op.attributes.alpha)


FORMATS = (
    OperatorFormat("LOGISTIC", "", _read, onnx=_node("Sigmoid")),
    OperatorFormat("TANH", "", _read, onnx=_node("Tanh")),
    OperatorFormat("HARD_SWISH", "HardSwishOptions", _read, version=first_version, onnx=_node("HardSwish")),
    OperatorFormat("ELU", "", _read, version=first_version, onnx=_node("Elu")),
    OperatorFormat(
        "LEAKY_RELU", "LeakyReluOptions", _read_leaky, _write_leaky, version=first_version, onnx=_leaky_onnx
    ),
    OperatorFormat("RELU", "", _read, onnx=_node("Relu")),
    OperatorFormat("RELU6", "", _read, onnx=_clip(0.0, 6.0)),
    OperatorFormat("RELU_N1_TO_1", "", _read, version=first_version, onnx=_clip(-1.0, 1.0)),
    OperatorFormat("RELU_0_TO_1", "", _read, version=first_version, onnx=_clip(0.0, 1.0)),
    OperatorFormat("ABS", "AbsOptions", _read, onnx=_node("Abs")),
)
