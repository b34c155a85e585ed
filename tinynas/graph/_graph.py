"""The graph: tensors and operators in execution order. Every model of the system is a function of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tinynas.graph._operator import Op, Window
from tinynas.graph._tensor import Tensor


@dataclass(frozen=True)
class Graph:
    """A network: `tensors`, and `ops` in an order in which they can be executed.

    `inputs`, `outputs` and the operators refer to tensors by index. A graph is immutable; build one with
    `GraphBuilder`, or read one from a file with `tinynas.formats`.
    """

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    name: str = "model"

    def tensor(self, index: int) -> Tensor:
        return self.tensors[index]

    def activation_inputs(self, op: Op) -> tuple[int, ...]:
        """The tensors `op` reads that are not constants."""
        return tuple(i for i in op.inputs if i >= 0 and not self.tensors[i].constant)

    @cached_property
    def producers(self) -> dict[int, int]:
        """Tensor index -> index of the operator that writes it (graph inputs and constants are absent)."""
        return {t: i for i, op in enumerate(self.ops) for t in op.outputs}

    @cached_property
    def consumers(self) -> dict[int, tuple[int, ...]]:
        """Tensor index -> indices of the operators that read it, in order."""
        readers: dict[int, list[int]] = {}
        for i, op in enumerate(self.ops):
            for t in dict.fromkeys(op.inputs):
                if t >= 0:
                    readers.setdefault(t, []).append(i)
        return {t: tuple(ops) for t, ops in readers.items()}

    def constants(self) -> Iterator[tuple[int, Tensor]]:
        """Index and tensor of each constant that an operator reads, once."""
        for i in sorted(self.consumers):
            if self.tensors[i].constant:
                yield i, self.tensors[i]


def sliding_window(graph: Graph, op: Op) -> Window | None:
    """The window that an operator of a graph moves over its first input; None where it has none."""
    window = op.spec.window
    if window is None:
        return None
    return window(op, [graph.tensors[t].shape if t >= 0 else () for t in op.inputs])
