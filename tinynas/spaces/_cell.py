"""What a space says of the wiring of its networks, as encodings read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """A small directed graph of operators, one of the parts that a network consists of.

    Vertices are numbered in topological order: the inputs first, then one per place for an operator, the output last.
    `name`, `inputs`, `vocabulary` and the number of places are the same for every network of a space, so that encodings
    of all of them have one length. A network is known by its cells: different networks have different ones.

    Attributes:
        name: unique within the network, such as `stage1.block2`.
        vocabulary: what an operator of this cell may be, each once.
        operators: for each place the operator that stands there, from the vocabulary; None: nothing does.
        edges: (from, to) pairs of vertices, from < to; an empty place has none.
        inputs: number of inputs.
    """

    name: str
    vocabulary: tuple[str, ...]
    operators: tuple[str | None, ...]
    edges: frozenset[tuple[int, int]]
    inputs: int = 1

    @property
    def output(self) -> int:
        """The vertex of the output."""
        return self.inputs + len(self.operators)
