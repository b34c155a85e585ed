"""Multiply-accumulates and parameters of a graph.

Convention, as in the MCUNet and MobileNet papers: only CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED have MACs
(padding taps count, biases and requantization do not); every other operator, pooling included, counts as zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tinynas.graph._graph import Graph
from tinynas.graph._operator import Op, Shape


def op_macs(graph: Graph, op: Op) -> int:
    """MACs of one operator: output elements times the taps of one output.

    Taps are KH*KW*(I/groups) for CONV_2D, KH*KW for DEPTHWISE_CONV_2D and I for FULLY_CONNECTED; 0 for all others.
    """
    inputs = [graph.tensors[t].shape if t >= 0 else () for t in op.inputs]
    return op.spec.macs(inputs, graph.tensors[op.outputs[0]].shape)


def count_macs(graph: Graph) -> int:
    """MACs of one inference (see the module's convention)."""
    return sum(op_macs(graph, op) for op in graph.ops)


def count_params(graph: Graph) -> int:
    """Elements of all constants that operators read (weights and biases), shared ones once."""
    return sum(tensor.elements for _, tensor in graph.constants())


def macs_of_taps(*dimensions: int) -> Callable[[Sequence[Shape], Shape], int]:
    """The `OpSpec.macs` of an operator whose output elements take one tap for each weight in these dimensions."""

    def macs(inputs: Sequence[Shape], output: Shape) -> int:
        return math.prod(output) * math.prod(inputs[1][i] for i in dimensions)

    return macs
