"""Live ranges: the common currency of everything about memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, TypeVar

import numpy.typing as npt

from tinynas.lowering import Schedule

Numbers = TypeVar("Numbers", int, npt.NDArray[Any])
"""One number, or an array of them."""

NATIVE_ALIGNMENT = 4
"""Bytes to which our engine aligns every buffer. Kernels read int8 activations at any address, but the fast ones load
whole words (LDR, SMLAD) and scratch holds int32: a word is what both need, and no kernel needs more."""


@dataclass(frozen=True)
class LiveRange:
    """`size_bytes` of storage in use from step `start` to step `end`, both included.

    A step's inputs and its output are both alive during the step, hence never overlap unless they share a buffer.
    """

    start: int
    end: int
    size_bytes: int

    def __post_init__(self) -> None:
        if self.start > self.end or self.size_bytes < 0:
            raise ValueError(f"not a live range: steps {self.start} to {self.end}, {self.size_bytes} bytes")

    def overlaps(self, other: LiveRange) -> bool:
        """Whether both are alive during some step."""
        return self.start <= other.end and other.start <= self.end


@dataclass(frozen=True)
class StreamedRange:
    """The buffers at both ends of a streamed segment, and by how many bytes its output must begin before its input."""

    input: int
    output: int
    lead_bytes: int


@dataclass(frozen=True)
class ScheduleRanges:
    """The live ranges of a schedule: `buffers` by buffer index, `scratch` by step index (only steps that need any).

    `overlaid` has the output buffers of the steps that shrink, by step: during that step they lie inside its input.
    `streamed` has the steps that are streamed segments, by step: their output may overlap their input. One whose input
    comes row by row is none of them: it has no input buffer.
    """

    buffers: dict[int, LiveRange]
    scratch: dict[int, LiveRange]
    overlaid: dict[int, int] = field(default_factory=dict)
    streamed: dict[int, StreamedRange] = field(default_factory=dict)

    @property
    def all(self) -> tuple[LiveRange, ...]:
        return (*self.buffers.values(), *self.scratch.values())

    def bytes_per_step(self) -> list[int]:
        """The bytes alive during each step."""
        alive = bytes_per_step(self.all)
        for step, buffer in self.overlaid.items():
            alive[step] -= self.buffers[buffer].size_bytes
        for step, stream in self.streamed.items():
            alive[step] -= self.buffers[stream.input].size_bytes + self.buffers[stream.output].size_bytes
            alive[step] += self.overlapping_bytes(step)
        return alive

    def overlapping_bytes(self, step: int) -> int:
        """What input and output of a streamed segment take together."""
        stream = self.streamed[step]
        input_bytes, output_bytes = (self.buffers[b].size_bytes for b in (stream.input, stream.output))
        return max(output_bytes, input_bytes + stream.lead_bytes)

    @property
    def lower_bound(self) -> int:
        """The most bytes alive during any one step: no plan can take less."""
        return max(self.bytes_per_step(), default=0)


def align(size_bytes: Numbers, alignment: int) -> Numbers:
    """Round `size_bytes` up to a multiple of `alignment`; of several sizes, each."""
    return -(-size_bytes // alignment) * alignment


def live_ranges(schedule: Schedule, alignment: int = NATIVE_ALIGNMENT) -> ScheduleRanges:
    """Return the live ranges of a schedule's buffers and scratch, with sizes rounded up to `alignment` bytes."""
    buffers = {
        buffer.index: LiveRange(
            buffer.first_step, max(buffer.first_step, buffer.last_step), align(buffer.size_bytes, alignment)
        )
        for buffer in schedule.buffers
    }
    scratch = {
        step.index: LiveRange(step.index, step.index, align(step.scratch_bytes, alignment))
        for step in schedule.steps
        if step.scratch_bytes
    }
    streamed = {
        step.index: StreamedRange(step.input_buffers[0], step.output_buffer, align(step.stream.lead_bytes, alignment))
        for step in schedule.steps
        if step.stream is not None and step.stream.input_window_rows is None
    }
    overlaid = {step.index: step.output_buffer for step in schedule.steps if step.shrinks}
    return ScheduleRanges(buffers, scratch, overlaid, streamed)


def bytes_per_step(ranges: Sequence[LiveRange]) -> list[int]:
    """Return the bytes alive during each step from 0 to the last one that any range touches."""
    if not ranges:
        return []
    change = [0] * (max(r.end for r in ranges) + 2)
    for r in ranges:
        change[r.start] += r.size_bytes
        change[r.end + 1] -= r.size_bytes
    return list(accumulate(change))[:-1]


def lower_bound(ranges: Sequence[LiveRange]) -> int:
    """Return the most bytes alive during any one step: no plan can take less."""
    return max(bytes_per_step(ranges), default=0)
