"""Planning by segments between cut tensors, which makes the arena of a chain the exact maximum over its parts.

A *cut* is a boundary between two steps across which exactly one buffer is alive. Between two consecutive cuts lies a
segment, with an input buffer (the cut before it) and an output buffer (the cut after it). Each segment is planned on
its own, its input pinned to the bottom of its arena and its output to the top, in H_s bytes.

Claim: the whole network runs in A = max H_s bytes, and the plan below attains it.

Proof. (1) A segment that needs H_s <= A also runs in A bytes with its input at 0 and its output ending at A: raise
the output by A - H_s. Everything alive with the output lies below it, so nothing collides. (2) Turned upside down
(offset -> A - offset - size), a plan of A bytes stays a plan, with its input at the top and its output at the bottom;
offsets stay aligned since A and all sizes are. (3) Two segments have no step in common, and the only buffer they
share is the cut between them. So walk the network: lay the first segment upright; its output is at the top, so lay
the next one upside down, and so on, and each cut buffer has one address in both of its segments. Where a segment
hands its input on (input and output share one buffer: an in-place step), the buffer keeps its end, so the next
segment is laid the same way up. So it does where a step shrinks its input in place: the smaller output lies at that
end of the input's bytes which is the end of the arena. Buffers inside a segment meet nothing outside it. Hence the plan
is valid in A bytes; and each segment needs its H_s under this scheme, so the arena is A exactly.

A streamed segment is one step. Its windows lie at the bottom, its input at the top, and its output grows upwards from
as far below the input as its rows need (`Stream.lead_bytes`). Complete, it is moved to the end that the next segment
wants its input at, which meets nothing: nothing else is alive. So each run of segments between two streamed ones is
laid the way up that leaves its output at the top, and the arena is the maximum here, too. One whose input comes row by
row is a step like any other, without an input.

A block of a search space starts and ends in cuts. Its segments are therefore the same in every network that contains
it, and the arena of a network is the maximum over its blocks lowered alone: block costs can be cached.

The pins cost nothing in a chain (input, output and scratch of one step), and nothing in a residual block. Where they
do cost something, `MemoryPlan.lower_bound_bytes` shows it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from tinynas.memory._live_ranges import LiveRange, ScheduleRanges
from tinynas.memory._search_planner import plan_search


@dataclass(frozen=True)
class Segment:
    """The steps `first` to `last`, the buffers alive in them, and the cut buffers at both ends (None: not a cut)."""

    first: int
    last: int
    buffers: tuple[int, ...]
    input: int | None
    output: int | None


def segments(ranges: ScheduleRanges, steps: int, inputs: Collection[int], outputs: Collection[int]) -> list[Segment]:
    """Split a schedule of `steps` steps at its cuts.

    `inputs` and `outputs` are the buffers of the network's interface. They count as cuts when there is one of them,
    because a block's input and output are cuts of the network that contains it.
    """
    alive: list[list[int]] = [[] for _ in range(steps)]
    across: list[list[int]] = [[] for _ in range(steps)]
    for index, r in ranges.buffers.items():
        for step in range(r.start, r.end + 1):
            alive[step].append(index)
        for step in range(r.start + 1, r.end + 1):
            across[step].append(index)
    found = []
    first, entering = 0, _only(inputs)
    for boundary in range(1, steps + 1):
        crossing = outputs if boundary == steps else across[boundary]
        if boundary < steps and len(crossing) > 1:
            continue
        leaving = _only(crossing)
        members = dict.fromkeys(index for step in range(first, boundary) for index in alive[step])
        found.append(Segment(first, boundary - 1, tuple(members), entering, leaving))
        first, entering = boundary, leaving
    return found


def _only(buffers: Collection[int]) -> int | None:
    return next(iter(buffers)) if len(buffers) == 1 else None


@lru_cache(maxsize=65536)
def plan_segment(ranges: tuple[LiveRange, ...], bottom: int | None, top: int | None) -> tuple[tuple[int, ...], int]:
    """Plan one segment, its steps counted from 0. Remembered by shape: the blocks of a search space recur."""
    offsets, size = plan_search(ranges, bottom, top)
    return tuple(offsets), size
