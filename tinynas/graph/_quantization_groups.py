"""Which tensors must have one quantization: those that some operator moves values between without rescaling."""

from __future__ import annotations

from tinynas.graph._graph import Graph
from tinynas.graph._ops import OpKind

MOVES_VALUES = frozenset(
    (
        OpKind.AVERAGE_POOL_2D,
        OpKind.MAX_POOL_2D,
        OpKind.CONCATENATION,
        OpKind.PAD,
        OpKind.RESHAPE,
        OpKind.TRANSPOSE,
        OpKind.RESIZE_NEAREST_NEIGHBOR,
    )
)
"""Operators whose int8 kernels move values without rescaling: inputs and output have one quantization."""


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
        if op.kind in MOVES_VALUES:
            for index in op.inputs:
                parent[root(index)] = root(op.outputs[0])
    return [root(index) for index in range(len(parent))]
