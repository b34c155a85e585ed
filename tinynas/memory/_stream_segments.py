"""The segments of one granularity each that a network may run row by row, from any cell to any later one.

There are many of them, so ticks and bytes of all are found at once, as sums over their cells. Few are worth it: one
that takes no less memory than its cells as a whole, and more ticks, is part of no way to execute a network that no
other one beats.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinynas.kernels.streaming import STREAM_ROWS
from tinynas.lowering import MOST_LAYERS, PatchPlan
from tinynas.memory._live_ranges import NATIVE_ALIGNMENT, align
from tinynas.memory._stream_cells import Cell, StreamedCell
from tinynas.memory._stream_leads import output_leads
from tinynas.memory._stream_links import Chain, Link
from tinynas.memory._stream_ticks import SummedTicks
from tinynas.memory._stream_windows import states_bytes, windows_behind

_Array = npt.NDArray[Any]


class Edge(NamedTuple):
    """From place to place: a cell as a whole, without rows, or some cells row by row or in patches."""

    first: int
    end: int
    arena_bytes: int
    ticks: float
    rows: tuple[int, ...]
    pushed: bool = False
    patches: PatchPlan | None = None


@dataclass(frozen=True)
class SegmentTable:
    """All segments whose input is there as a whole. Arrays are [granularity, last cell, first cell].

    Attributes:
        possible: Whether there is such a segment.
        ticks: Of its kernels, and of the loops around them.
        arena_bytes: What it takes.
        plain_bytes: What its cells take as a whole: [last cell, first cell].
        plain_ticks: Of their kernels as a whole: [last cell, first cell].
    """

    possible: _Array
    ticks: _Array
    arena_bytes: _Array
    plain_bytes: _Array
    plain_ticks: _Array

    @classmethod
    def of(
        cls, cells: Sequence[Cell], chains: Sequence[Chain], ticks: SummedTicks, plain_ticks: Sequence[float]
    ) -> SegmentTable:
        """The segments of a network.

        Args:
            cells: The network's, one at least.
            chains: The same row by row, by granularity.
            ticks: What kernels take.
            plain_ticks: By cell, what it takes as a whole.
        """

        def by_link(value: Callable[[Link], float], absent: int = 0) -> _Array:
            return np.array([[absent if link is None else value(link) for link in chain] for chain in chains])

        layers = _sums(by_link(lambda link: len(link.cell.layers)))
        later_bytes = by_link(lambda link: link.later_bytes or 0)
        beside_bytes = (
            (_sums(later_bytes) - later_bytes[:, np.newaxis])
            + by_link(lambda link: link.first_bytes)[:, np.newaxis]
            + _most(by_link(lambda link: link.cell.scratch_bytes))
            + by_link(lambda link: link.cell.sums_bytes)[:, :, np.newaxis]
            + states_bytes(layers)
        )
        input_bytes, output_bytes = (
            np.array([_bytes_of(shape) for shape in shapes])
            for shapes in ([cell.input_shape for cell in cells], [cell.output_shape for cell in cells])
        )
        leads = np.stack([output_leads([None if link is None else link.back for link in chain]) for chain in chains])
        absent = by_link(lambda link: 0, absent=1)
        alone = by_link(lambda link: link.later_bytes is None)  # behind no other cell
        moved = np.array([ticks.segment(cell.output_shape[0] * cell.output_shape[1]) for cell in cells])
        own, later = by_link(lambda link: link.ticks), by_link(lambda link: link.later_ticks)
        return cls(
            possible=np.tril((_sums(absent + alone) == alone[:, np.newaxis]) & (layers <= MOST_LAYERS)),
            ticks=_ticks(moved, own, later) + by_link(lambda link: link.first_ticks)[:, np.newaxis],
            arena_bytes=beside_bytes + np.maximum(output_bytes[:, np.newaxis], input_bytes + leads),
            plain_bytes=_most(np.array([cell.arena_bytes for cell in cells])),
            plain_ticks=_sums(np.array(plain_ticks)),
        )

    def worth(self, limit: int) -> _Array:
        """Which segments of at most so many bytes nothing beats of what runs the same cells.

        That is the cells as a whole, and segments of other granularities.
        """
        beaten = (self.arena_bytes >= self.plain_bytes) & (self.ticks > self.plain_ticks)
        for possible, arena_bytes, ticks in zip(self.possible, self.arena_bytes, self.ticks, strict=True):
            beaten |= possible & (self.arena_bytes >= arena_bytes) & (self.ticks > ticks)
        worth: _Array = self.possible & (self.arena_bytes <= limit) & ~beaten
        return worth


def _backwards(values: _Array) -> _Array:
    """By last cell, the values of it and those before it, behind zeros: [..., cell] -> [..., last cell, cells back]."""
    cells = np.arange(values.shape[-1])
    return np.where(cells <= cells[:, np.newaxis], values[..., np.newaxis, :], 0)[..., ::-1]


def _sums(values: _Array) -> _Array:
    """Of the cells of each segment: [..., cell] -> [..., last cell, first cell]."""
    return np.add.accumulate(_backwards(values), axis=-1)[..., ::-1]


def _most(values: _Array) -> _Array:
    """The largest of the cells of each segment: [..., cell] -> [..., last cell, first cell]."""
    return np.maximum.accumulate(_backwards(values), axis=-1)[..., ::-1]


def _ticks(moved: _Array, own: _Array, later: _Array) -> _Array:
    """Ticks of each segment but for those that its first cell adds: [granularity, last cell, first cell].

    Summed cell by cell from the last one to the first, one after the other: so they are, to the last bit, the same in
    any network.

    Args:
        moved: By cell, of moving its output to its place.
        own: By granularity and cell, what it takes anywhere.
        later: By granularity and cell, what it adds behind another one.
    """
    terms = np.stack((_backwards(own), _backwards(later)), axis=-1).reshape(*own.shape, -1)
    begin = np.broadcast_to(moved[:, np.newaxis], (*own.shape, 1))
    ticks: _Array = np.add.accumulate(np.concatenate((begin, terms), axis=-1), axis=-1)
    return ticks[..., 1::2][..., ::-1]


def held_segments(chains: Sequence[Chain], table: SegmentTable, limit: int) -> Iterator[Edge]:
    """The segments of at most `limit` bytes that may be worth it, each once, where the input is there as a whole.

    Args:
        chains: The cells row by row, by granularity.
        table: All segments.
        limit: Bytes.
    """
    worth = table.worth(limit)
    rows = [[() if link is None else link.cell.rows for link in chain] for chain in chains]
    known: set[tuple[int, int, tuple[int, ...]]] = set()
    found = zip(
        np.argwhere(worth).tolist(), table.arena_bytes[worth].tolist(), table.ticks[worth].tolist(), strict=True
    )
    for (granularity, last, first), arena_bytes, ticks in found:
        of = tuple(itertools.chain.from_iterable(rows[granularity][first : last + 1]))
        if (first, last, of) not in known:
            known.add((first, last, of))
            yield Edge(first, last + 1, arena_bytes, ticks, of)


def pushed_segments(
    cells: Sequence[Cell], streamed: Sequence[StreamedCell | None], ticks: SummedTicks, most_bytes: int | None
) -> Iterator[Edge]:
    """The segments of one granularity that begin with the input, row by row."""
    windows = scratch = layers = 0
    total = ticks.pushed(*cells[0].input_shape)
    rows: tuple[int, ...] = ()
    for end, cell in enumerate(streamed, 1):
        into = cells[end - 1].input_shape
        own = None if cell is None else windows_behind(rows[-1] if rows else 1, into, cell.layers, cell.row_bytes)
        if cell is None or own is None or cells[end - 1].begins:
            return
        windows += own.size_bytes
        scratch = max(scratch, cell.scratch_bytes)
        layers += len(cell.layers)
        total += ticks.loops(own.loops, STREAM_ROWS.name) + ticks.streamed(cell, STREAM_ROWS.name)
        rows += cell.rows
        beside = windows + scratch + cell.sums_bytes + states_bytes(layers)
        if layers > MOST_LAYERS or (most_bytes is not None and beside > most_bytes):
            return  # more cells only take more windows
        height, row_bytes = cells[end - 1].output_shape
        arena = beside + align(height * row_bytes, NATIVE_ALIGNMENT)
        if most_bytes is None or arena <= most_bytes:
            yield Edge(0, end, arena, total, rows, pushed=True)


def _bytes_of(shape: tuple[int, int]) -> int:
    """What a tensor of so many rows, and bytes of each, takes in the arena."""
    return align(shape[0] * shape[1], NATIVE_ALIGNMENT)
