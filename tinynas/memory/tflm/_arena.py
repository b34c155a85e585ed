"""TFLM's arena while a model is prepared: persistent structures grow down from its end, the rest up from its start.

`SingleArenaBufferAllocator` (arena_allocator/single_arena_buffer_allocator.cc) aligns each allocation on its own, so
sizes cannot be added up: what one allocation takes depends on where the one before it ended. Hence this replays them
all, in the order of `MicroInterpreter::AllocateTensors` (micro_interpreter.cc).
"""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.memory._greedy import TFLM_ALIGNMENT
from tinynas.memory._live_ranges import align


@dataclass(frozen=True)
class TailItem:
    """An allocation in the tail.

    Attributes:
        what: What it holds.
        size_bytes: What it takes, with the bytes lost to its alignment.
        op: Index of the operator that causes it, or None for what every model has.
    """

    what: str
    size_bytes: int
    op: int | None = None


class Arena:
    """An arena whose start and end are multiples of 16, as if it were as large as it needs to be.

    Attributes:
        items: What lies in the tail, in the order of allocation.
        required_bytes: The size that sufficed for every step so far.
    """

    def __init__(self) -> None:
        self.items: list[TailItem] = []
        self.required_bytes = 0
        self._tail = 0
        self._head = 0
        self._temp = 0

    @property
    def tail_bytes(self) -> int:
        return self._tail

    def persist(self, what: str, size_bytes: int, alignment: int, op: int | None = None) -> None:
        """`AllocatePersistentBuffer`: must not run into the head."""
        before = self._tail
        self._tail = align(before + size_bytes, alignment)
        self.items.append(TailItem(what, self._tail - before, op))
        self._require(self._head)

    def resize_head(self, size_bytes: int) -> None:
        """`ResizeBuffer`: the head is one buffer from the start of the arena; drops what is temporary."""
        self._head = self._temp = size_bytes
        self._require(self._head)

    def allocate_temporary(self, size_bytes: int, alignment: int) -> None:
        """`AllocateTemp`: above the head, must not run into the tail."""
        self._temp = align(self._temp, alignment) + size_bytes
        self._require(self._temp)

    def allocate_planner(self, size_bytes: int) -> None:
        """What `CommitStaticMemoryPlan` gives the planner is cut to whole units of 16 bytes at both ends."""
        self._temp = align(self._temp, TFLM_ALIGNMENT) + size_bytes
        front, back = align(self._temp, TFLM_ALIGNMENT), align(self._tail, TFLM_ALIGNMENT)
        self.required_bytes = max(self.required_bytes, front + back)

    def drop_temporaries(self) -> None:
        """`ResetTempAllocations`."""
        self._temp = self._head

    def _require(self, front_bytes: int) -> None:
        # Sizes are compared in whole units of the alignment, because the end of the arena is aligned.
        self.required_bytes = max(self.required_bytes, align(front_bytes + self._tail, TFLM_ALIGNMENT))
