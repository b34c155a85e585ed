"""Operators and outputs that read another tensor in place of the one they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from tinynas.graph._graph import Graph
from tinynas.graph._operator import Op
from tinynas.graph._tensor import Tensor


def rewired(graph: Graph, tensors: Iterable[Tensor], ops: Iterable[Op], instead: Mapping[int, int]) -> Graph:
    """The graph with these tensors and operators, in which `instead` says what is read in place of a tensor.

    Args:
        graph: Whose inputs, outputs and name are kept.
        tensors: All tensors; those of `graph` keep their indices.
        ops: All operators, in order.
        instead: Tensor -> the one that is read in its place, which is none of the keys.
    """
    return replace(
        graph,
        tensors=tuple(tensors),
        ops=tuple(op if instead.keys().isdisjoint(op.inputs) else _reading(op, instead) for op in ops),
        outputs=tuple(instead.get(t, t) for t in graph.outputs),
    )


def _reading(op: Op, instead: Mapping[int, int]) -> Op:
    return replace(op, inputs=tuple(instead.get(t, t) for t in op.inputs))


class Interface:
    """Which tensors are outputs of the network, while some of them give way to others.

    An output is written by an operator, and no tensor is two of the network's inputs and outputs.

    Args:
        graph: Whose outputs they are.
        written: The tensors that operators write.
    """

    def __init__(self, graph: Graph, written: Set[int]) -> None:
        self._written = written
        self._outputs = set(graph.outputs)

    def gives_way(self, output: int, source: int) -> bool:
        """Whether `source` can stand where `output` does; it is an output from now on if that was one."""
        if output not in self._outputs:
            return True
        if source not in self._written or source in self._outputs:
            return False
        self._outputs.add(source)
        return True
