"""The segments of one granularity each that a network may run row by row, from any cell to any later one.

There are many of them, and few are worth it: one that takes no less memory than its cells as a whole, and more ticks,
is beaten by these. So ticks and bytes of all segments are found at once, as sums over their cells, with an output that
begins where the input does: none takes less. By how far the output has to lead is looked at for those that are left.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinynas.kernels.streaming import STREAM_ROWS, STREAMED_STATE
from tinynas.lowering import MOST_LAYERS, PatchPlan
from tinynas.memory._live_ranges import NATIVE_ALIGNMENT, align
from tinynas.memory._stream_cells import Cell, StreamedCell
from tinynas.memory._stream_links import Chain, Link
from tinynas.memory._stream_ticks import SummedTicks
from tinynas.memory._stream_windows import SegmentLag, input_read, states_bytes, windows_of, written_bytes

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
        ticks: What it takes.
        beside_bytes: What it takes beside its input and output.
        least_bytes: Its arena, if the output need not lead.
        plain_bytes: [last cell, first cell], of its cells as a whole.
        plain_ticks: The same.
    """

    possible: _Array
    ticks: _Array
    beside_bytes: _Array
    least_bytes: _Array
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
            + STREAMED_STATE.size_bytes * (layers + 1)
        )
        input_bytes, output_bytes = (
            np.array([_bytes_of(shape) for shape in shapes])
            for shapes in ([cell.input_shape for cell in cells], [cell.output_shape for cell in cells])
        )
        absent = by_link(lambda link: 0, absent=1)
        alone = by_link(lambda link: link.later_bytes is None)  # behind no other cell
        moved = np.array([ticks.segment(cell.output_shape[0] * cell.output_shape[1]) for cell in cells])
        own, later = by_link(lambda link: link.ticks), by_link(lambda link: link.later_ticks)
        return cls(
            possible=np.tril((_sums(absent + alone) == alone[:, np.newaxis]) & (layers <= MOST_LAYERS)),
            ticks=_ticks(moved, own, later) + by_link(lambda link: link.first_ticks)[:, np.newaxis],
            beside_bytes=beside_bytes,
            least_bytes=beside_bytes + np.maximum(output_bytes[:, np.newaxis], input_bytes),
            plain_bytes=_most(np.array([cell.arena_bytes for cell in cells])),
            plain_ticks=_sums(np.array(plain_ticks)),
        )

    def worth(self, limit: int) -> _Array:
        """Whether a segment of at most so many bytes may beat its cells as a whole."""
        beaten = (self.least_bytes >= self.plain_bytes) & (self.ticks > self.plain_ticks)
        worth: _Array = self.possible & (self.least_bytes <= limit) & ~beaten
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


def held_segments(cells: Sequence[Cell], chains: Sequence[Chain], table: SegmentTable, limit: int) -> Iterator[Edge]:
    """The segments of at most `limit` bytes that may be worth it, each once, where the input is there as a whole.

    Args:
        cells: Of the network.
        chains: The same row by row, by granularity.
        table: All segments.
        limit: Bytes.
    """
    worth = table.worth(limit)
    known: set[tuple[int, int, tuple[int, ...]]] = set()
    for granularity, chain in enumerate(chains):
        rows = [() if link is None else link.cell.rows for link in chain]
        for last in np.flatnonzero(worth[granularity].any(axis=-1)).tolist():
            firsts = np.flatnonzero(worth[granularity, last]).tolist()
            of = {first: tuple(itertools.chain.from_iterable(rows[first : last + 1])) for first in firsts}
            new = [first for first in firsts if (first, last, of[first]) not in known]
            known.update((first, last, of[first]) for first in new)
            leads = _leads(cells, chain, min(new), last) if new else {}
            beside, ticks = table.beside_bytes[granularity, last].tolist(), table.ticks[granularity, last].tolist()
            plain_bytes, plain_ticks = table.plain_bytes[last].tolist(), table.plain_ticks[last].tolist()
            output_bytes = _bytes_of(cells[last].output_shape)
            for first in new:
                arena = beside[first] + max(output_bytes, _bytes_of(cells[first].input_shape) + leads[first])
                if arena <= limit and (arena < plain_bytes[first] or ticks[first] <= plain_ticks[first]):
                    yield Edge(first, last + 1, arena, ticks[first], of[first])


def _leads(cells: Sequence[Cell], chain: Chain, earliest: int, last: int) -> dict[int, int]:
    """By first cell, how far the output of segments with one last cell has to lead.

    Args:
        cells: Of the network.
        chain: The same row by row.
        earliest: The first cell of the longest of the segments.
        last: The last cell of all.
    """
    end = chain[last]
    assert end is not None
    at_the_end = end.cell.sums_bytes > 0
    lag = SegmentLag(written_bytes(end.cell.layers[-1], cells[last].output_shape, at_the_end=at_the_end))
    leads = {}
    for first in range(last, earliest - 1, -1):
        link = chain[first]
        assert link is not None
        height, row_bytes = cells[first].input_shape
        read = input_read(link.cell.layers, height, during=first == last)
        leads[first] = lag.extend(read, link.cell.rows[-1], row_bytes)
    return leads


def pushed_segments(
    cells: Sequence[Cell], streamed: Sequence[StreamedCell | None], ticks: SummedTicks, most_bytes: int | None
) -> Iterator[Edge]:
    """The segments of one granularity that begin with the input, row by row."""
    windows = scratch = layers = 0
    total = ticks.pushed(*cells[0].input_shape)
    rows: tuple[int, ...] = ()
    for end, cell in enumerate(streamed, 1):
        into = cells[end - 1].input_shape
        own = None if cell is None else windows_of(rows[-1] if rows else 1, into, cell.layers, cell.row_bytes)
        if cell is None or own is None or not own.has_input_window or cells[end - 1].begins:
            return
        windows += own.input_bytes + own.inner_bytes
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
