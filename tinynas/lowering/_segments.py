"""Parts of a network row by row, at many numbers of rows a call: what depends on none of these is found once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tinynas.kernels import select_variant
from tinynas.lowering._rows import row_bytes
from tinynas.lowering._schedule import Schedule
from tinynas.lowering._storage import PlannedStep
from tinynas.lowering._stream_cuts import aliases
from tinynas.lowering._stream_layers import FEW_ROWS, layer_by_rows, layer_rows, loops_of, structures_of
from tinynas.lowering._stream_plan import StreamPlan
from tinynas.lowering._streams import only_input, require_layers, segment_trace
from tinynas.lowering._trace import LayerRows

if TYPE_CHECKING:
    from tinynas.lowering._lowering import Lowering


@dataclass(frozen=True)
class CountedLayer:
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


@dataclass(frozen=True)
class CountedSegment:
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
        input_rows: Rows of what each of them reads.
    """

    few_rows: list[PlannedStep]
    more_rows: list[PlannedStep]
    rows: list[LayerRows]
    input_rows: list[int]


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

    def counted(self, plan: StreamPlan) -> CountedSegment:
        """What a segment between two places takes where a single tensor is alive (`stream_cuts`).

        Raises:
            StreamError: It cannot run row by row; the message says why.
        """
        graph, part = self._schedule.graph, self._part(plan.first, plan.end)
        chosen = zip(part.few_rows, part.more_rows, plan.rows, strict=True)
        segment = [few if count <= FEW_ROWS else more for few, more, count in chosen]
        rows = [of.in_calls_of(count) for of, count in zip(part.rows, plan.rows, strict=True)]
        height = part.input_rows[0]
        waits = segment_trace(segment, rows, height).waits if len(rows) > 1 else height  # alone, once for each row
        layers = []
        for p, of, input_rows in zip(segment, rows, part.input_rows, strict=True):
            structures, _ = structures_of(p, of, input_rows)
            calls = [structure.of(p.call) for structure in structures]
            sums = p.call.sums is not None
            layers.append(
                CountedLayer(
                    rows=of,
                    row_bytes=0 if sums else row_bytes(graph, p.output),
                    variant=p.variant.name,
                    features=loops_of(p.variant, structures, calls),
                    scratch_bytes=max(map(p.variant.scratch_bytes, calls)),
                    keeps_sums=sums,
                )
            )
        return CountedSegment(tuple(layers), waits)

    def _part(self, first: int, end: int) -> _Part:
        if (first, end) not in self._parts:
            graph = self._schedule.graph
            planned = [self._planned(position) for position in range(first, end)]
            few_rows, more_rows = (
                [layer_by_rows(p, rows, self._alias) for p in planned] for rows in (FEW_ROWS, FEW_ROWS + 1)
            )
            require_layers(few_rows)
            source = only_input(planned, self._alias)
            position = {source: 0} | {p.output: index for index, p in enumerate(few_rows, 1)}
            rows = [layer_rows(graph, p, 1, position) for p in few_rows]
            input_rows = [graph.tensors[p.inputs[0]].shape[1] for p in few_rows]
            self._parts[first, end] = _Part(few_rows, more_rows, rows, input_rows)
        return self._parts[first, end]

    def _planned(self, position: int) -> PlannedStep:
        """A step of the network with the kernel that it has alone."""
        step = self._schedule.steps[position]
        call = replace(self._schedule.call(step), unlinked=self._lowering.unlinked)
        return PlannedStep(select_variant(call), call, step.ops, step.inputs, step.output)
