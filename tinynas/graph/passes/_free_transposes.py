"""A TRANSPOSE of dimensions of 1 moves no element: it is a RESHAPE, which costs nothing."""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph._graph import Graph
from tinynas.graph._operator import Op, OpKind
from tinynas.graph._permutations import moves_nothing
from tinynas.graph.ops.reshape import ReshapeAttributes
from tinynas.graph.ops.transpose import TransposeAttributes


def free_transposes(graph: Graph) -> Graph:
    """The graph with a RESHAPE for each TRANSPOSE that keeps all elements in their order."""
    ops = tuple(_as_reshape(graph, op) for op in graph.ops)
    return graph if all(a is b for a, b in zip(ops, graph.ops, strict=True)) else replace(graph, ops=ops)


def _as_reshape(graph: Graph, op: Op) -> Op:
    attributes = op.attributes
    if not isinstance(attributes, TransposeAttributes):
        return op
    if not moves_nothing(attributes.permutation, graph.tensors[op.inputs[0]].shape):
        return op
    return replace(op, kind=OpKind.RESHAPE, attributes=ReshapeAttributes(graph.tensors[op.outputs[0]].shape))
