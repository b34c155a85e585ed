"""Cells: the parts of a network between two places where a single tensor is alive, as a whole and row by row.

What a streamed segment takes is a sum over its cells. A layer is called only where nothing behind it can be, so how
full a window gets follows from who writes it, in how many rows a call, and who reads it; and both are in one cell, or
the one in the last layer of a cell and the other in the next. So cells are looked at once each, and a block of a search
space is a chain of cells, the same in every network.

Only how far the output may grow into the input depends on the whole segment: `SegmentLag` follows rows back to it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tinynas.kernels.streaming import ROUND_BYTES, STREAMED_STATE
from tinynas.lowering import (
    MOST_READERS,
    LayerRows,
    Lowering,
    Schedule,
    Slides,
    Step,
    StreamError,
    StreamPlan,
    slides,
    stream_cuts,
    trace,
)
from tinynas.memory._live_ranges import NATIVE_ALIGNMENT, align
from tinynas.memory._plan import plan_parts

KernelTicks = Callable[[str, Mapping[str, float]], float | None]
"""Ticks of a kernel with some loop counts, in any unit; None where they are not known."""

_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Granularity:
    """How many rows each layer writes in a call: at least `rows`, and as many as hold `pixels`."""

    rows: int = 1
    pixels: int = 1

    def of(self, height: int, width: int) -> int:
        """For an output of so many rows and columns."""
        return min(height, max(self.rows, -(-self.pixels // width)))


GRANULARITIES = (
    Granularity(),
    Granularity(pixels=16),
    Granularity(rows=2),
    Granularity(rows=2, pixels=32),
    Granularity(rows=4),
    Granularity(rows=8),
)
"""What is tried: a row a call takes the least SRAM, more rows fewer ticks."""


@dataclass(frozen=True)
class StreamedCell:
    """A cell row by row, at one granularity.

    Attributes:
        rows: Rows that each of its layers writes in a call.
        layers: When they are called; operand 0 is the cell's input.
        row_bytes: Of a row of each layer's output.
        scratch_bytes: The most that one of its kernels takes.
        kernels: Variant -> loop counts, summed over the layers.
        loops: What its layers add to the loops of the kernel that calls them, but for the windows; calls of that kernel
            are none of them.
    """

    rows: tuple[int, ...]
    layers: tuple[LayerRows, ...]
    row_bytes: tuple[int, ...]
    scratch_bytes: int
    kernels: tuple[tuple[str, Mapping[str, float]], ...]
    loops: Mapping[str, float]


@dataclass(frozen=True)
class Cell:
    """A part of a network between two single tensors.

    Attributes:
        steps: Kernel calls of it as a whole.
        arena_bytes: What it takes as a whole.
        plain: Its steps as a whole.
        input_shape: Of the tensor before it: rows, and bytes of each.
        output_shape: The same of the tensor behind it.
        streamed: By granularity; empty where it cannot run row by row.
        begins: Whether no segment runs into it from the cell before, whose result it reads through a RESHAPE.
    """

    steps: int
    arena_bytes: int
    plain: tuple[Step, ...] = field(repr=False)
    input_shape: tuple[int, int]
    output_shape: tuple[int, int]
    streamed: Mapping[Granularity, StreamedCell]
    begins: bool = False


def cells_of(schedule: Schedule, lowering: Lowering) -> tuple[Cell, ...]:
    """The cells of a network, or of a block.

    Args:
        schedule: Its plain schedule.
        lowering: What made it.
    """
    stretches = stream_cuts(schedule)
    streamable = {first: end for stretch in stretches for first, end in itertools.pairwise(stretch)}
    bounds = sorted({0, len(schedule.steps), *(cut for stretch in stretches for cut in stretch)})
    parts = plan_parts(schedule)
    streamed = {g: _streamed(schedule, lowering, streamable, g) for g in GRANULARITIES}
    found = []
    for first, end in itertools.pairwise(bounds):
        inside = [size for part, size in parts if part.first >= first and part.last < end]
        found.append(
            Cell(
                steps=end - first,
                arena_bytes=max(inside, default=0),
                plain=schedule.steps[first:end],
                input_shape=_rows_of(schedule, _input_of(schedule, first)),
                output_shape=_rows_of(schedule, schedule.steps[end - 1].output),
                streamed={g: cells[first] for g, cells in streamed.items() if first in cells},
                begins=_begins(schedule, stretches, first),
            )
        )
    return tuple(found)


def _begins(schedule: Schedule, stretches: Sequence[Sequence[int]], first: int) -> bool:
    """Whether nothing runs row by row into a cell: a stretch begins there, or the network's input is reshaped."""
    if first == 0:
        return _input_of(schedule, first) not in schedule.inputs
    return any(stretch[0] == first for stretch in stretches)


def _streamed(
    schedule: Schedule, lowering: Lowering, streamable: Mapping[int, int], granularity: Granularity
) -> dict[int, StreamedCell]:
    """By first step, the cells that can run row by row."""
    plans = [
        StreamPlan(first, tuple(_rows_per_call(schedule, step, granularity) for step in schedule.steps[first:end]))
        for first, end in streamable.items()
    ]
    try:
        return _lowered_cells(schedule, lowering, plans)
    except StreamError:
        return _lowered_cells(schedule, lowering, [plan for plan in plans if _runs(schedule, lowering, plan)])


def _lowered_cells(schedule: Schedule, lowering: Lowering, plans: Sequence[StreamPlan]) -> dict[int, StreamedCell]:
    steps = iter(step for step in lowering(schedule.graph, streams=plans).steps if step.stream is not None)
    return {plan.first: _streamed_cell(schedule, step, plan) for plan, step in zip(plans, steps, strict=True)}


def _runs(schedule: Schedule, lowering: Lowering, plan: StreamPlan) -> bool:
    try:
        lowering(schedule.graph, streams=[plan])
    except StreamError:
        return False
    return True


def _rows_per_call(schedule: Schedule, step: Step, granularity: Granularity) -> int:
    _, height, width, _ = schedule.graph.tensors[step.output].shape
    return granularity.of(height, width)


def _streamed_cell(schedule: Schedule, step: Step, plan: StreamPlan) -> StreamedCell:
    assert step.stream is not None
    layers = step.stream.layers
    kernels: dict[str, dict[str, float]] = {}
    for layer in layers:
        known = kernels.setdefault(layer.step.variant, {})
        for name, trips in layer.step.features.items():
            known[name] = known.get(name, 0.0) + trips
    loops = {name: step.features[name] for name in ("waits", "kernel_calls", "second_operands")}
    height, _ = _rows_of(schedule, step.inputs[0])
    loops["waits"] -= height * last_reader([layer.operands for layer in layers])
    return StreamedCell(
        rows=plan.rows,
        layers=tuple(
            LayerRows(
                layer.operands,
                _rows_of(schedule, layer.step.output)[0],
                layer.rows_per_call,
                layer.stride,
                layer.extent,
                layer.step.padding[0],
            )
            for layer in layers
        ),
        row_bytes=tuple(_rows_of(schedule, layer.step.output)[1] for layer in layers),
        scratch_bytes=max(align(layer.step.scratch_bytes, NATIVE_ALIGNMENT) for layer in layers),
        kernels=tuple(kernels.items()),
        loops=loops | {"layers": len(layers)},
    )


def _input_of(schedule: Schedule, position: int) -> int:
    """The tensor before a step, as the step reads it."""
    return schedule.steps[position].inputs[0] if schedule.steps[position].inputs else schedule.inputs[0]


def _rows_of(schedule: Schedule, t: int) -> tuple[int, int]:
    """Rows of a tensor, and bytes of each; a single row of all of it where it is no image."""
    shape = schedule.graph.tensors[t].shape
    if len(shape) != 4 or shape[0] != 1:
        return 1, schedule.graph.tensors[t].size_bytes
    return shape[1], shape[2] * shape[3]


@dataclass(frozen=True)
class Windows:
    """The windows of a streamed cell, its output's left out, and the loops that rows and windows add.

    Attributes:
        input_bytes: Of the window that it reads its input from, where that is not there as a whole.
        inner_bytes: Of those inside it.
        loops: Where its input is a window.
        inner_loops: Where its input is there as a whole, and its rows come one by one.
        has_input_window: Whether its input may be a window: few enough of its layers read it.
    """

    input_bytes: int
    inner_bytes: int
    loops: Mapping[str, float]
    inner_loops: Mapping[str, float]
    has_input_window: bool


@lru_cache(maxsize=65536)
def windows_of(
    rows_per_call: int, input_shape: tuple[int, int], layers: tuple[LayerRows, ...], row_bytes: tuple[int, ...]
) -> Windows | None:
    """The windows of a cell whose input comes in so many rows at a time; None where it cannot be streamed.

    Args:
        rows_per_call: Of the layer that writes its input; 1 where the input is there as a whole.
        input_shape: Rows of its input, and bytes of each.
        layers: Its layers.
        row_bytes: Of a row of the output of each.
    """
    height, input_row_bytes = input_shape
    shifted = tuple(replace(layer, operands=tuple(o + 1 for o in layer.operands)) for layer in layers)
    executed = trace((LayerRows((0,), height, rows_per_call), *shifted), height)
    if executed is None or any(len(readers) > MOST_READERS for readers in executed.readers[2:]):
        return None
    size = [0, input_row_bytes, *row_bytes]
    held = [align(rows * of, NATIVE_ALIGNMENT) for rows, of in zip(executed.window_rows, size, strict=True)]
    moved = [slides(executed, size, executed.window_rows, ROUND_BYTES, only=i) for i in range(1, len(size) - 1)]
    inner = sum(moved[1:], Slides())
    looked_at = last_reader([layer.operands for layer in layers])
    return Windows(
        held[1],
        sum(held[2:-1]),
        {"waits": -(-height // rows_per_call) * looked_at, **(moved[0] + inner).loops},
        {"waits": height * looked_at, **inner.loops},
        len(executed.readers[1]) <= MOST_READERS,
    )


def last_reader(operands: Sequence[Sequence[int]]) -> int:
    """The position of the last layer that reads a cell's input: where layers are looked at, when it has more rows."""
    return max(position for position, of in enumerate(operands, 1) if 0 in of)


class SegmentLag:
    """How far a segment's output may grow into its input, for segments with one end and any beginning.

    At each call of the segment's last layer, every layer before it has been called just so often that the call is
    possible, and so the rows that are still read of any tensor between follow backwards.
    """

    def __init__(self, last: StreamedCell, output: tuple[int, int]) -> None:
        height, self._row_bytes = output
        step = last.rows[-1]
        self._written: _Rows = np.arange(0, height, step, dtype=np.int64)
        self._ends = np.minimum(self._written + step, height)
        self._needed: _Rows | None = None

    def extend(self, cell: StreamedCell, input_shape: tuple[int, int], output_shape: tuple[int, int]) -> int:
        """Put a cell before those that there are, the last one first: the bytes by which the output must lead then."""
        is_last = self._needed is None
        executed: list[_Rows] = [self._ends] * (len(cell.layers) + 1)
        if self._needed is not None:
            executed[-1] = _whole_calls(self._needed, cell.rows[-1], output_shape[0])
        needed: list[_Rows] = [np.zeros_like(self._ends)] * len(cell.layers)
        first: _Rows = np.full_like(self._ends, input_shape[0])
        for index in range(len(cell.layers), 0, -1):
            layer = cell.layers[index - 1]
            if index < len(cell.layers):
                executed[index] = _whole_calls(needed[index], layer.rows_per_call, layer.rows)
            end_seen = (executed[index] - 1) * layer.stride - layer.padding + layer.extent
            for operand in layer.operands:
                rows = input_shape[0] if operand == 0 else cell.layers[operand - 1].rows
                needed[operand] = np.maximum(needed[operand], np.minimum(end_seen, rows))
                if operand == 0:
                    before = self._written if is_last and index == len(cell.layers) else executed[index]
                    seen = np.maximum(before * layer.stride - layer.padding, 0)
                    first = np.minimum(first, np.where(before < layer.rows, seen, input_shape[0]))
        self._needed = needed[0]
        lead = int((self._ends * self._row_bytes - first * input_shape[1]).max())
        return align(max(0, lead), NATIVE_ALIGNMENT)


def _whole_calls(rows: _Rows, rows_per_call: int, height: int) -> _Rows:
    return np.minimum(-(-rows // rows_per_call) * rows_per_call, height)


def states_bytes(layers: int) -> int:
    """What the state of a segment of so many layers takes."""
    return STREAMED_STATE.size_bytes * (layers + 1)
