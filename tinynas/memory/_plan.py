"""The arena plan of our engine: one static offset per buffer and per scratch area."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tinynas.kernels.streaming import BEGUN_BYTES
from tinynas.lowering import Schedule
from tinynas.memory._live_ranges import LiveRange, ScheduleRanges, live_ranges
from tinynas.memory._segments import Segment, plan_segment, segments


@dataclass(frozen=True)
class MemoryPlan:
    """Where everything lies in the arena.

    Attributes:
        offsets: Buffer index -> byte offset.
        scratch_offsets: Step index -> byte offset of its scratch, for the steps that need any.
        arena_bytes: What the firmware allocates.
        lower_bound_bytes: The most bytes alive during any step; a plan of this size cannot be improved.
        streamed_offsets: Step index -> where the output of a streamed segment lies until it is complete.
        begun_offset: Where the word lies, behind all else, that says whether rows of an image have come; None where the
            input is held as a whole.
    """

    offsets: Mapping[int, int]
    scratch_offsets: Mapping[int, int]
    arena_bytes: int
    lower_bound_bytes: int
    streamed_offsets: Mapping[int, int] = field(default_factory=dict)
    begun_offset: int | None = None


def plan_arena(schedule: Schedule) -> MemoryPlan:
    """Plan the arena of a schedule, by segments between cut tensors.

    The network's input lies in the arena and is overwritten after its last use, like any activation: an application
    that needs it afterwards keeps a copy. The output stays valid until the next input is written. An input that comes
    row by row takes its window alone, and a word at the end of the arena that nothing else ever touches.

    Offsets are multiples of 4 bytes. The plan depends on nothing but the schedule.
    """
    ranges = live_ranges(schedule)
    steps = len(schedule.steps)
    if steps == 0:
        return _plan_side_by_side(ranges)
    inputs = {schedule.buffer_of[t] for t in schedule.held_inputs}
    outputs = {schedule.buffer_of[t] for t in schedule.outputs}
    parts = segments(ranges, steps, inputs, outputs)
    planned = [_plan_segment(ranges, part) for part in parts]
    arena = max(size for _, _, size in planned)
    offsets: dict[int, int] = {}
    scratch: dict[int, int] = {}
    streamed: dict[int, int] = {}
    at_bottom = [*_inputs_at_bottom(ranges, parts), True]
    for index, (part, (buffer_offsets, scratch_offsets, size)) in enumerate(zip(parts, planned, strict=True)):
        if part.first in ranges.streamed:
            stream = ranges.streamed[part.first]
            streamed[part.first] = arena - ranges.overlapping_bytes(part.first)
            offsets[stream.input] = arena - ranges.buffers[stream.input].size_bytes
            offsets[stream.output] = 0 if at_bottom[index + 1] else arena - ranges.buffers[stream.output].size_bytes
            scratch |= scratch_offsets
            continue
        raised = dict(buffer_offsets)
        if part.output is not None and not _hands_on(ranges, part):
            raised[part.output] += arena - size
        for into, new, of in ((offsets, raised, ranges.buffers), (scratch, scratch_offsets, ranges.scratch)):
            for key, offset in new.items():
                into[key] = offset if at_bottom[index] else arena - offset - of[key].size_bytes
    plan = MemoryPlan(offsets, scratch, arena, ranges.lower_bound, streamed)
    return _with_begun(plan) if schedule.input_by_rows else plan


def _with_begun(plan: MemoryPlan) -> MemoryPlan:
    """The plan with a word behind all else."""
    return replace(
        plan,
        arena_bytes=plan.arena_bytes + BEGUN_BYTES,
        lower_bound_bytes=plan.lower_bound_bytes + BEGUN_BYTES,
        begun_offset=plan.arena_bytes,
    )


def plan_parts(schedule: Schedule) -> list[tuple[Segment, int]]:
    """The parts of a schedule between single buffers, and the bytes that each takes: the arena is their maximum."""
    ranges = live_ranges(schedule)
    inputs = {schedule.buffer_of[t] for t in schedule.held_inputs}
    outputs = {schedule.buffer_of[t] for t in schedule.outputs}
    parts = segments(ranges, len(schedule.steps), inputs, outputs) if schedule.steps else []
    return [(part, _plan_segment(ranges, part)[2]) for part in parts]


def _hands_on(ranges: ScheduleRanges, part: Segment) -> bool:
    """Whether the output of a segment, in place of its input, lies at the same end of the arena."""
    shrinks = part.first == part.last and part.first in ranges.overlaid
    return shrinks or (part.input is not None and part.input == part.output)


def _inputs_at_bottom(ranges: ScheduleRanges, parts: Sequence[Segment]) -> list[bool]:
    """For each segment, whether its input lies at the bottom of the arena: at its top otherwise.

    An input that is not pinned (none, or several) leaves the output at the other end just the same.
    """
    found: list[bool] = []
    first = 0
    for index in range(len(parts) + 1):
        if index < len(parts) and parts[index].first not in ranges.streamed:
            continue
        run = parts[first:index]
        # A streamed segment finds its input at the top, and leaves its output where what follows wants it.
        turns = sum(not _hands_on(ranges, part) for part in run)
        at_bottom = index == len(parts) or turns % 2 == 1
        for part in run:
            found.append(at_bottom)
            at_bottom ^= not _hands_on(ranges, part)
        if index < len(parts):
            found.append(False)
        first = index + 1
    return found


def _plan_segment(ranges: ScheduleRanges, part: Segment) -> tuple[dict[int, int], dict[int, int], int]:
    """Offsets of the segment's buffers and scratch, upright, and the bytes it takes."""
    scratch = [step for step in range(part.first, part.last + 1) if step in ranges.scratch]
    if part.first in ranges.overlaid:
        return _plan_shrinking(ranges, part)
    if part.first in ranges.streamed:
        size = ranges.scratch[part.first].size_bytes
        return {}, {part.first: 0}, size + ranges.overlapping_bytes(part.first)
    shape = tuple(
        LiveRange(max(r.start, part.first) - part.first, min(r.end, part.last) - part.first, r.size_bytes)
        for r in (*(ranges.buffers[b] for b in part.buffers), *(ranges.scratch[s] for s in scratch))
    )
    bottom = part.buffers.index(part.input) if part.input is not None else None
    top = part.buffers.index(part.output) if part.output is not None and part.output != part.input else None
    offsets, size = plan_segment(shape, bottom, top)
    count = len(part.buffers)
    return (
        dict(zip(part.buffers, offsets[:count], strict=True)),
        dict(zip(scratch, offsets[count:], strict=True)),
        size,
    )


def _plan_shrinking(ranges: ScheduleRanges, part: Segment) -> tuple[dict[int, int], dict[int, int], int]:
    """A step whose output lies at that end of its input that the next segment's input has to be at."""
    assert part.first == part.last, "what shrinks is alone alive: lowering sees to it"
    (larger,) = (b for b in part.buffers if b != ranges.overlaid[part.first])
    size = ranges.buffers[larger].size_bytes
    scratch = ranges.scratch[part.first].size_bytes
    return dict.fromkeys(part.buffers, 0), {part.first: size}, size + scratch


def _plan_side_by_side(ranges: ScheduleRanges) -> MemoryPlan:
    """A network without steps (a RESHAPE alone): its buffers are all alive at once."""
    offsets: dict[int, int] = {}
    end = 0
    for index, r in ranges.buffers.items():
        offsets[index] = end
        end += r.size_bytes
    return MemoryPlan(offsets, {}, end, end)
