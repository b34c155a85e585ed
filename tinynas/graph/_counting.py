"""Multiply-accumulates and parameters of a graph.

Convention, as in the MCUNet and MobileNet papers: only CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED have MACs
(padding taps count, biases and requantization do not); every other operator, pooling included, counts as zero.
"""

from __future__ import annotations

import math

from tinynas.graph._graph import Graph
from tinynas.graph._ops import Op, OpKind


def op_macs(graph: Graph, op: Op) -> int:
    """MACs of one operator: output elements times the taps of one output.

    Taps are KH*KW*(I/groups) for CONV_2D, KH*KW for DEPTHWISE_CONV_2D and I for FULLY_CONNECTED; 0 for all others.
    """
    if op.kind not in _TAP_DIMENSIONS:
        return 0
    weights = graph.tensors[op.inputs[1]].shape
    taps = math.prod(weights[i] for i in _TAP_DIMENSIONS[op.kind])
    return graph.tensors[op.outputs[0]].elements * taps


def count_macs(graph: Graph) -> int:
    """MACs of one inference (see the module's convention)."""
    return sum(op_macs(graph, op) for op in graph.ops)


def count_params(graph: Graph) -> int:
    """Elements of all constants that operators read (weights and biases), shared ones once."""
    return sum(tensor.elements for _, tensor in graph.constants())


_TAP_DIMENSIONS = {
    OpKind.CONV_2D: (1, 2, 3),
    OpKind.DEPTHWISE_CONV_2D: (1, 2),
    OpKind.FULLY_CONNECTED: (1,),
}
