"""Cells row by row as parts of segments: what each takes where a segment begins with it, and behind another cell."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from tinynas.memory._stream_cells import Cell, StreamedCell
from tinynas.memory._stream_leads import ReadBack, read_back
from tinynas.memory._stream_ticks import SummedTicks
from tinynas.memory._stream_windows import windows_behind, windows_inside


@dataclass(frozen=True, eq=False)
class Link:
    """A cell row by row, as part of a segment of its granularity.

    Attributes:
        cell: The cell.
        back: How rows of a segment's output go back through it.
        ticks: What it takes wherever it is.
        first_bytes: Of its windows where the segment begins with it.
        first_ticks: What it adds there.
        later_bytes: Of its windows, its input's among them, behind another cell; None where it cannot be there.
        later_ticks: What it adds there.
    """

    cell: StreamedCell
    back: ReadBack
    ticks: float
    first_bytes: int
    first_ticks: float
    later_bytes: int | None
    later_ticks: float


Chain = Sequence[Link | None]
"""The cells at one granularity; None for those that cannot run row by row."""


class Links:
    """The cells of a network as links; granularities of equal rows share them, and so do cells that are alike.

    Args:
        cells: The network's.
        ticks: What their kernels take.
    """

    def __init__(self, cells: Sequence[Cell], ticks: SummedTicks) -> None:
        self._cells = cells
        self._ticks = ticks
        self._known: dict[Hashable, Link] = {}

    def chain(self, streamed: Sequence[StreamedCell | None]) -> list[Link | None]:
        """The cells of one granularity; None for those that cannot run row by row."""
        chain: list[Link | None] = []
        before: int | None = None
        for index, cell in enumerate(streamed):
            chain.append(None if cell is None else self._link(index, cell, before))
            before = None if cell is None else cell.rows[-1]
        return chain

    def _link(self, index: int, cell: StreamedCell, before: int | None) -> Link:
        """A cell behind one that writes so many rows in a call, or behind nothing."""
        place = self._cells[index]
        key = id(cell), place.input_shape, place.output_shape, None if place.begins else before
        if key not in self._known:
            self._known[key] = self._found(place, cell, None if place.begins else before)
        return self._known[key]

    def _found(self, place: Cell, cell: StreamedCell, before: int | None) -> Link:
        ticks = self._ticks
        height, _ = place.input_shape
        inside = windows_inside(height, cell.layers, cell.row_bytes)
        behind = None
        if before is not None:
            behind = windows_behind(before, place.input_shape, cell.layers, cell.row_bytes)
        return Link(
            cell=cell,
            back=read_back(cell, place.input_shape, place.output_shape, None if behind is None else before),
            ticks=ticks.streamed(cell),
            first_bytes=inside.size_bytes,
            first_ticks=ticks.loops({"input_rows": height, **inside.loops}),
            later_bytes=None if behind is None else behind.size_bytes,
            later_ticks=0.0 if behind is None else ticks.loops(behind.loops),
        )
