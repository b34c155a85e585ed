"""Tensors that nothing reads or writes any more are left out."""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph._graph import Graph


def drop_unused_tensors(graph: Graph) -> Graph:
    """The graph without the tensors that are no operator's and no input or output; the others keep their order."""
    used = {*graph.inputs, *graph.outputs}
    for op in graph.ops:
        used.update(t for t in (*op.inputs, *op.outputs) if t >= 0)
    if len(used) == len(graph.tensors):
        return graph
    new_index = {old: new for new, old in enumerate(sorted(used))} | {-1: -1}

    def renumbered(indices: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(new_index[t] for t in indices)

    return replace(
        graph,
        tensors=tuple(graph.tensors[t] for t in sorted(used)),
        ops=tuple(replace(op, inputs=renumbered(op.inputs), outputs=renumbered(op.outputs)) for op in graph.ops),
        inputs=renumbered(graph.inputs),
        outputs=renumbered(graph.outputs),
    )
