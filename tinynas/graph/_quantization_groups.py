"""Which tensors must have one quantization: those that some operator moves values between without rescaling."""

from __future__ import annotations

from tinynas.graph._graph import Graph


def quantization_groups(graph: Graph) -> list[int]:
    """The tensors that must share a quantization, because operators move values between them.

    Returns:
        For each tensor the index of one of its group, the same for all of the group.
    """
    parent = list(range(len(graph.tensors)))

    def root(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    for op in graph.ops:
        if op.spec.keeps_quantization:
            for index in (*op.inputs, *op.outputs[1:]):
                parent[root(index)] = root(op.outputs[0])
    return [root(index) for index in range(len(parent))]
