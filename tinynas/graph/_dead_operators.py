"""Dead operators: those whose results reach no output of the network."""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph._graph import Graph


def without_dead_operators(graph: Graph) -> Graph:
    """The graph without the operators whose results reach no output; tensors keep their indices.

    Files have such operators where an output was cut off by hand. Our engine leaves them out; TFLM executes whatever
    the file has, and so does the reference executor, which returns every tensor if asked to.

    Returns:
        `graph` itself where every operator is needed.
    """
    needed = set(graph.outputs)
    alive = []
    for op in reversed(graph.ops):
        if needed.intersection(op.outputs):
            needed.update(op.inputs)
            alive.append(op)
    return graph if len(alive) == len(graph.ops) else replace(graph, ops=tuple(reversed(alive)))
