"""What cells of a segment keep while rows pass through them: windows, and what is still read of their inputs.

How full a window gets follows from who writes it, in how many rows a call, and who reads it; both are in one cell, or
the one in the last layer of a cell and the other in the next. Only how far the output may grow into the input depends
on the whole segment: `SegmentLag` follows rows back to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tinynas.kernels.streaming import ROUND_BYTES, STREAMED_STATE
from tinynas.lowering import MOST_READERS, LayerRows, Slides, slides, trace
from tinynas.memory._live_ranges import NATIVE_ALIGNMENT, align


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
    executed = trace(layers, height, rows_per_call)
    if executed is None or any(len(readers) > MOST_READERS for readers in executed.readers[1:]):
        return None
    size = [input_row_bytes, *row_bytes]
    held = [align(rows * of, NATIVE_ALIGNMENT) for rows, of in zip(executed.window_rows, size, strict=True)]
    moved, *others = slides(executed, size, executed.window_rows, ROUND_BYTES)
    inner = sum(others, Slides())
    looked_at = last_reader([layer.operands for layer in layers])
    return Windows(
        held[0],
        sum(held[1:-1]),
        {"waits": -(-height // rows_per_call) * looked_at, **(moved + inner).loops},
        {"waits": height * looked_at, **inner.loops},
        len(executed.readers[0]) <= MOST_READERS,
    )


def last_reader(operands: Sequence[Sequence[int]]) -> int:
    """The position of the last layer that reads a cell's input: where layers are looked at, when it has more rows."""
    return max(position for position, of in enumerate(operands, 1) if 0 in of)


class SegmentLag:
    """How far a segment's output may grow into its input, for segments with one end and any beginning.

    At each call of the segment's last layer, every layer before it has been called just so often that the call is
    possible, and so the rows that are still read of any tensor between follow backwards, cell by cell.

    Args:
        written: Rows of the last layer that are there behind each of its calls -> bytes of the output that are written
            then (`written_bytes`).
    """

    def __init__(self, written: Mapping[int, int]) -> None:
        self._written = dict(written)
        """Rows that the cells so far need of their input -> the most bytes of the output that are written then."""

    def extend(self, read: Sequence[tuple[int, int]], rows_per_call: int, row_bytes: int) -> int:
        """Put a cell before those that there are, the last one first: the bytes by which the output must lead then.

        Args:
            read: What the cell reads (`input_read`): during its calls if it is the last one, else behind them.
            rows_per_call: Of its last layer.
            row_bytes: Of a row of its input.
        """
        lead, before = 0, {}
        for rows, written in self._written.items():
            needed, first = read[-(-rows // rows_per_call)]
            if written - first * row_bytes > lead:
                lead = written - first * row_bytes
            before[needed] = written  # rows and bytes grow
        self._written = before
        return align(lead, NATIVE_ALIGNMENT)


def written_bytes(last: LayerRows, output: tuple[int, int], *, at_the_end: bool) -> dict[int, int]:
    """Rows of a segment's last layer that are there behind each of its calls -> bytes of the output then.

    Args:
        last: The layer.
        output: Rows of the output, and bytes of each.
        at_the_end: Whether it adds rows to sums: then all is written in the last call.
    """
    ends, (height, row_bytes) = _ends(last.rows, last.rows_per_call), output
    if at_the_end:
        return dict.fromkeys(ends, 0) | {ends[-1]: height * row_bytes}
    return {end: end * row_bytes for end in ends}


@lru_cache(maxsize=65536)
def input_read(layers: tuple[LayerRows, ...], input_rows: int, *, during: bool) -> tuple[tuple[int, int], ...]:
    """How many rows of a cell's input calls of its last layer need, and the first one that is still read.

    Args:
        layers: Of the cell.
        input_rows: Of its input.
        during: What the last of the calls reads is still read.

    Returns:
        Both, by the number of calls: none, one, and so on.
    """
    if during and 0 not in layers[-1].operands:
        return input_read(layers, input_rows, during=False)  # what others read is read by then
    ends = [0, *_ends(layers[-1].rows, layers[-1].rows_per_call)]
    begins = [0, *ends[:-1]] if during else ends
    return tuple(_input_read(layers, input_rows, begin, end) for begin, end in zip(begins, ends, strict=True))


def _input_read(layers: Sequence[LayerRows], input_rows: int, begin: int, end: int) -> tuple[int, int]:
    """The rows that are needed for so many rows of the last layer (`end`), and the first read from `begin` on."""
    needed, first = [0] * len(layers), input_rows
    for index in range(len(layers), 0, -1):
        layer = layers[index - 1]
        if index < len(layers):
            calls = -(-needed[index] // layer.rows_per_call)
            begin = end = min(calls * layer.rows_per_call, layer.rows)
        end_seen = max((end - 1) * layer.stride - layer.padding + layer.extent, 1)
        for operand in layer.operands:
            rows = input_rows if operand == 0 else layers[operand - 1].rows
            needed[operand] = max(needed[operand], min(end_seen, rows))
        if 0 in layer.operands and begin < layer.rows:
            first = min(first, layer.first_seen(begin))
    return needed[0], first


def _ends(height: int, rows_per_call: int) -> list[int]:
    """Rows of an output that are there behind each of its layer's calls."""
    return [min(begin + rows_per_call, height) for begin in range(0, height, rows_per_call)]


def states_bytes(layers: int) -> int:
    """What the state of a segment of so many layers takes."""
    return STREAMED_STATE.size_bytes * (layers + 1)
