"""A RESHAPE of a RESHAPE is one RESHAPE of what the first one read."""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph._dead_operators import without_dead_operators
from tinynas.graph._graph import Graph
from tinynas.graph._operator import OpKind


def join_reshapes(graph: Graph) -> Graph:
    """The graph with no RESHAPE that reads another one, and without those that nobody reads then."""
    source: dict[int, int] = {}
    ops = []
    for op in graph.ops:
        if op.kind is OpKind.RESHAPE and len(op.inputs) == 1:
            x = op.inputs[0]
            source[op.outputs[0]] = source.get(x, x)
            ops.append(replace(op, inputs=(source[x],)) if x in source else op)
        else:
            ops.append(op)
    if all(a is b for a, b in zip(ops, graph.ops, strict=True)):
        return graph
    return without_dead_operators(replace(graph, ops=tuple(ops)))
