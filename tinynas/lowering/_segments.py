"""Parts of a network row by row, at many numbers of rows a call: what depends on none of these is found once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from tinynas.kernels import KernelCall, select_variant
from tinynas.lowering._rows import row_bytes
from tinynas.lowering._schedule import Schedule, Structure
from tinynas.lowering._storage import PlannedStep
from tinynas.lowering._stream_cuts import aliases
from tinynas.lowering._stream_layers import (
    FEW_ROWS,
    layer_of_any_rows,
    layer_rows,
    structures_of,
    summed_loops,
    with_few_rows,
)
from tinynas.lowering._stream_plan import StreamPlan
from tinynas.lowering._streams import only_input, require_layers, segment_trace
from tinynas.lowering._trace import LayerRows

if TYPE_CHECKING:
    from tinynas.lowering._lowering import Lowering


class CountedLayer(NamedTuple):
    """What a layer of a segment takes.

    Attributes:
        rows: When it is called; operand 0 is the segment's input.
        row_bytes: Of a row of its output; 0 where it adds rows to sums.
        variant: Its kernel.
        features: Loop counts, of all of its calls together.
        scratch_bytes: The most that one of them takes.
        keeps_sums: Whether that is sums, which outlive its calls.
    """

    rows: LayerRows
    row_bytes: int
    variant: str
    features: Mapping[str, float]
    scratch_bytes: int
    keeps_sums: bool


class CountedSegment(NamedTuple):
    """What a segment takes.

    Attributes:
        layers: Its layers.
        waits: How often one of them is looked at that has to wait for its operands.
    """

    layers: tuple[CountedLayer, ...]
    waits: int


@dataclass(frozen=True)
class _Part:
    """Some steps of a network row by row, at any number of rows a call.

    Attributes:
        few_rows: Its layers where they write few rows in a call.
        more_rows: Where they write more.
        rows: When they are called, if they write one row each.
        shapes: What their loop counts depend on beside rows (`_shape_of`).
        input_rows: Rows of what each of them reads.
        row_bytes: Of a row of what each of them writes; 0 where it adds rows to sums.
    """

    few_rows: list[PlannedStep]
    more_rows: list[PlannedStep]
    rows: list[LayerRows]
    shapes: list[int]
    input_rows: list[int]
    row_bytes: list[int]


class Segments:
    """What the streamed segments of a network take, which is what lowering makes of them.

    Args:
        schedule: The plain schedule of the network.
        lowering: What made it.
    """

    def __init__(self, schedule: Schedule, lowering: Lowering) -> None:
        self._schedule = schedule
        self._lowering = lowering
        self._alias = aliases(schedule)
        self._parts: dict[tuple[int, int], _Part] = {}
        self._shapes: dict[Hashable, int] = {}
        self._layers: dict[Hashable, tuple[Mapping[str, float], int]] = {}
        self._calls: dict[Hashable, tuple[Mapping[str, float], int]] = {}

    def alike(self, first: int, end: int) -> Hashable:
        """Where this is equal, segments from step `first` to `end` take the same at the same numbers of rows a call.

        Raises:
            StreamError: They cannot run row by row; the message says why.
        """
        part = self._part(first, end)
        return tuple(part.shapes), tuple(part.rows)

    def counted(self, plan: StreamPlan) -> CountedSegment:
        """What a segment between two places takes where a single tensor is alive (`stream_cuts`).

        Raises:
            StreamError: It cannot run row by row; the message says why.
        """
        part = self._part(plan.first, plan.end)
        chosen = zip(part.few_rows, part.more_rows, plan.rows, strict=True)
        segment = [few if count <= FEW_ROWS else more for few, more, count in chosen]
        rows = [of.in_calls_of(count) for of, count in zip(part.rows, plan.rows, strict=True)]
        height = part.input_rows[0]
        waits = segment_trace(segment, rows, height).waits if len(rows) > 1 else height  # alone, once for each row
        layers = [
            CountedLayer(of, row, p.variant.name, *self._counted(p, shape, of, input_rows), p.call.sums is not None)
            for p, shape, of, input_rows, row in zip(
                segment, part.shapes, rows, part.input_rows, part.row_bytes, strict=True
            )
        ]
        return CountedSegment(tuple(layers), waits)

    def _counted(self, p: PlannedStep, shape: int, rows: LayerRows, input_rows: int) -> tuple[Mapping[str, float], int]:
        """Loop counts of all calls of a layer together, and the most bytes of scratch that one of them takes."""
        key = shape, rows, input_rows
        if key not in self._layers:
            structures, _ = structures_of(p, rows, input_rows)
            features, scratch = zip(*(self._call(p, shape, structure) for structure in structures), strict=True)
            self._layers[key] = summed_loops(structures, features), max(scratch)
        return self._layers[key]

    def _call(self, p: PlannedStep, shape: int, structure: Structure) -> tuple[Mapping[str, float], int]:
        """Loop counts and bytes of scratch of one call."""
        key = shape, p.variant.name, structure[1:]  # but for how many there are
        if key not in self._calls:
            call = structure.of(p.call)
            self._calls[key] = p.variant.features(call), p.variant.scratch_bytes(call)
        return self._calls[key]

    def _part(self, first: int, end: int) -> _Part:
        if (first, end) not in self._parts:
            graph = self._schedule.graph
            planned = [self._planned(position) for position in range(first, end)]
            more_rows = [layer_of_any_rows(p, self._alias) for p in planned]
            few_rows = [with_few_rows(layer) for layer in more_rows]
            require_layers(few_rows)
            source = only_input(planned, self._alias)
            position = {source: 0} | {p.output: index for index, p in enumerate(few_rows, 1)}
            rows = [layer_rows(graph, p, 1, position) for p in few_rows]
            shapes = [self._shapes.setdefault(_shape_of(p.call), len(self._shapes)) for p in few_rows]
            input_rows = [graph.tensors[p.inputs[0]].shape[1] for p in few_rows]
            row = [0 if p.call.sums is not None else row_bytes(graph, p.output) for p in few_rows]
            self._parts[first, end] = _Part(few_rows, more_rows, rows, shapes, input_rows, row)
        return self._parts[first, end]

    def _planned(self, position: int) -> PlannedStep:
        """A step of the network with the kernel that it has alone."""
        step = self._schedule.steps[position]
        call = self._schedule.call(step)
        if self._lowering.unlinked:
            call = replace(call, unlinked=self._lowering.unlinked)
        return PlannedStep(select_variant(call), call, step.ops, step.inputs, step.output)


def _shape_of(call: KernelCall) -> Hashable:
    """What loop counts and scratch of a layer depend on beside the kernel: where it is equal, they are."""
    present = [t for t in (call.source, *call.op.inputs, *call.op.outputs) if t >= 0]  # a bias may be left out
    tensors = (call.graph.tensors[t] for t in present)
    of = tuple((t.shape, t.dtype, id(t.quantization), id(t.data)) for t in tensors)
    return call.op.kind, call.op.attributes, call.padding, of
