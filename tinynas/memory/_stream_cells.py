"""Cells: the parts of a network between two places where a single tensor is alive, as a whole and row by row.

What a streamed segment takes is a sum over its cells; `_stream_windows` has what their windows take. So cells are
looked at once each, and a block of a search space is a chain of cells, the same in every network.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from tinynas.lowering import (
    LayerRows,
    Lowering,
    Schedule,
    Segments,
    Step,
    StreamError,
    StreamPlan,
    added_loops,
    stream_cuts,
    summed_images,
)
from tinynas.memory._live_ranges import NATIVE_ALIGNMENT, align
from tinynas.memory._plan import plan_parts
from tinynas.memory._stream_windows import last_reader

KernelTicks = Callable[[str, Mapping[str, float]], float | None]
"""Ticks of a kernel with some loop counts, in any unit; None where they are not known."""


_Images = Sequence[int | None]
"""By step, the image of which it adds rows to sums."""


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
        scratch_bytes: The most that one of its kernels takes, sums left out.
        kernels: Variant -> loop counts, summed over the layers.
        loops: What its layers add to the loops of the kernel that calls them, but for the windows; calls of that kernel
            are none of them.
        sums_bytes: Of a cell whose last layer adds rows to sums, these; it ends its segment.
    """

    rows: tuple[int, ...]
    layers: tuple[LayerRows, ...]
    row_bytes: tuple[int, ...]
    scratch_bytes: int
    kernels: tuple[tuple[str, Mapping[str, float]], ...]
    loops: Mapping[str, float]
    sums_bytes: int = 0


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
    streamable = {first for stretch in stretches for first in stretch[:-1]}
    bounds = sorted({0, len(schedule.steps), *(cut for stretch in stretches for cut in stretch)})
    parts = plan_parts(schedule)
    segments = Segments(schedule, lowering)
    images = summed_images(schedule)
    alike: dict[Hashable, dict[Granularity, StreamedCell]] = {}
    found = []
    for first, end in itertools.pairwise(bounds):
        inside = [size for part, size in parts if part.first >= first and part.last < end]
        found.append(
            Cell(
                steps=end - first,
                arena_bytes=max(inside, default=0),
                plain=schedule.steps[first:end],
                input_shape=_rows_of(schedule, _input_of(schedule, images, first)),
                output_shape=_rows_of(schedule, schedule.steps[end - 1].output),
                streamed=_streamed(schedule, segments, images, first, end, alike) if first in streamable else {},
                begins=_begins(schedule, images, stretches, first),
            )
        )
    return tuple(found)


def _begins(schedule: Schedule, images: _Images, stretches: Sequence[Sequence[int]], first: int) -> bool:
    """Whether nothing runs row by row into a cell: a stretch begins there, or the network's input is reshaped."""
    if first == 0:
        return _input_of(schedule, images, first) not in schedule.inputs
    return any(stretch[0] == first for stretch in stretches)


def _streamed(
    schedule: Schedule,
    segments: Segments,
    images: _Images,
    first: int,
    end: int,
    known: dict[Hashable, dict[Granularity, StreamedCell]],
) -> dict[Granularity, StreamedCell]:
    """The steps `first` to `end` row by row, by granularity; `known` has those of cells that are alike."""
    try:
        alike = segments.alike(first, end)
    except StreamError:
        return {}
    if alike not in known:
        known[alike] = _by_granularity(schedule, segments, images, first, end)
    return known[alike]


def _by_granularity(
    schedule: Schedule, segments: Segments, images: _Images, first: int, end: int
) -> dict[Granularity, StreamedCell]:
    """The same; granularities of equal rows share what is found."""
    of = [images[position] for position in range(first, end)]
    written = [
        step.output if image is None else image for step, image in zip(schedule.steps[first:end], of, strict=True)
    ]
    shapes = [schedule.graph.tensors[t].shape for t in written]
    source, _ = _rows_of(schedule, _input_of(schedule, images, first))
    found: dict[Granularity, StreamedCell] = {}
    known: dict[tuple[int, ...], StreamedCell | None] = {}
    for granularity in GRANULARITIES:
        rows = tuple(granularity.of(height, width) for _, height, width, _ in shapes)
        if rows not in known:
            known[rows] = _streamed_cell(schedule, segments, StreamPlan(first, rows), source)
        cell = known[rows]
        if cell is not None:
            found[granularity] = cell
    return found


def _streamed_cell(schedule: Schedule, segments: Segments, plan: StreamPlan, height: int) -> StreamedCell | None:
    """A cell at some rows a call, whose input has so many rows; None where it cannot run so."""
    try:
        counted = segments.counted(plan)
    except StreamError:
        return None
    layers = counted.layers
    rows = tuple(layer.rows for layer in layers)
    kernels: dict[str, Mapping[str, float]] = {}
    for layer in layers:
        known = kernels.get(layer.variant)
        kernels[layer.variant] = layer.features if known is None else added_loops(known, layer.features)
    loops = {
        "layers": len(layers),
        "waits": counted.waits - height * last_reader(rows),
        "kernel_calls": sum(of.calls for of in rows),
        "second_operands": sum(of.calls for of in rows if len(of.operands) == 2),
    }
    scratch = [align(layer.scratch_bytes, NATIVE_ALIGNMENT) for layer in layers]
    sums = scratch.pop() if layers[-1].keeps_sums else 0
    return StreamedCell(
        rows=plan.rows,
        layers=rows,
        row_bytes=tuple(layer.row_bytes for layer in layers),
        scratch_bytes=max(scratch, default=0),
        kernels=tuple(kernels.items()),
        loops=loops,
        sums_bytes=sums,
    )


def _input_of(schedule: Schedule, images: _Images, position: int) -> int:
    """The tensor before a step, as the step reads it row by row."""
    image, step = images[position], schedule.steps[position]
    if image is not None:
        return image
    return step.inputs[0] if step.inputs else schedule.inputs[0]


def _rows_of(schedule: Schedule, t: int) -> tuple[int, int]:
    """Rows of a tensor, and bytes of each; a single row of all of it where it is no image."""
    shape = schedule.graph.tensors[t].shape
    if len(shape) != 4 or shape[0] != 1:
        return 1, schedule.graph.tensors[t].size_bytes
    return shape[1], shape[2] * shape[3]
