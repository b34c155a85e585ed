"""What runs row by row, and why something cannot."""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.errors import ModelError
from tinynas.lowering._storage import PlannedStep


class StreamError(ModelError):
    """These layers of a network cannot run row by row."""


@dataclass(frozen=True)
class StreamPlan:
    """Run a part of a network row by row.

    Attributes:
        first: Position of the first kernel call among those of the plain schedule.
        rows: How many rows each of the layers writes in a call, in their order: one entry for each kernel call. A last
            layer that adds rows to sums (`streamed_shape`) reads so many.
        pushed: Whether the segment's input, which is the network's, comes row by row and is never there as a whole.
    """

    first: int
    rows: tuple[int, ...]
    pushed: bool = False

    @property
    def end(self) -> int:
        """Position of the first kernel call behind the segment."""
        return self.first + len(self.rows)


def where(p: PlannedStep) -> str:
    """What a complaint is about."""
    return f"row by row: {p.call.op.kind} {p.call.op.name!r}"
