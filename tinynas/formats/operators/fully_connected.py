"""FULLY_CONNECTED in files."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynas.formats.operators._format import FileNode, OperatorFormat, is_int8, read_activation, write_activation
from tinynas.graph import Attributes, FullyConnectedAttributes, Graph, Op

if TYPE_CHECKING:
    from tinynas.formats._write_onnx import OnnxWriter


def _read(node: FileNode) -> Attributes:
    if node.options.weightsFormat:
        raise ValueError("shuffled weights are not supported")
    return FullyConnectedAttributes(read_activation(node.options), bool(node.options.keepNumDims))


def _write(op: Op, options: Any) -> None:
    assert isinstance(op.attributes, FullyConnectedAttributes)
    options.keepNumDims = op.attributes.keep_num_dims
    write_activation(op, options)


def _version(graph: Graph, op: Op) -> int:
    attributes, weights = op.attributes, graph.tensors[op.inputs[1]].quantization
    assert isinstance(attributes, FullyConnectedAttributes)
    per_channel = weights is not None and weights.per_channel
    has_bias = len(op.inputs) > 2 and op.inputs[2] >= 0
    if per_channel:
        return 12
    if not has_bias:
        return 6
    return 5 if attributes.keep_num_dims else 4 if is_int8(graph, op) else 1


def _onnx(writer: OnnxWriter, op: Op) -> None:
    weights, output = writer.data(op.inputs[1]), writer.graph.tensors[op.outputs[0]].shape
    rows = writer.rows_of(op.inputs[0], (math.prod(output) // weights.shape[0], weights.shape[1]))
    inputs = [rows, writer.constant(weights)]
    if op.inputs[2] >= 0:
        inputs.append(writer.constant(writer.data(op.inputs[2]).reshape(-1)))
    value = writer.node("Gemm", inputs, transB=1)
    value = writer.node("Reshape", [value, writer.constant(np.array(output, np.int64))])
    kind, more = writer.from_graph_order(len(output))
    writer.activated(op, kind, [value], op.activation, **more)


FORMATS = (OperatorFormat("FULLY_CONNECTED", "FullyConnectedOptions", _read, _write, version=_version, onnx=_onnx),)
