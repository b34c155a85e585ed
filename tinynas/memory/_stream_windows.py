"""The windows in which cells of a segment keep rows.

How full a window gets follows from who writes it, in how many rows a call, and who reads it; both are in one cell, or
the one in the last layer of a cell and the other in the next. Only how far the output may grow into the input depends
on the whole segment: `_stream_leads` follows rows back to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from tinynas.kernels.streaming import ROUND_BYTES, STREAMED_STATE
from tinynas.lowering import MOST_READERS, LayerRows, Slides, slides, trace
from tinynas.memory._live_ranges import NATIVE_ALIGNMENT, Numbers, align


class Windows(NamedTuple):
    """Windows of a streamed cell, its output's left out.

    Attributes:
        size_bytes: Of all of them.
        loops: What they add to the loops of the kernel that calls the cell's layers, and rows of its input do.
    """

    size_bytes: int
    loops: Mapping[str, float]


@lru_cache(maxsize=65536)
def windows_behind(
    rows_per_call: int, input_shape: tuple[int, int], layers: tuple[LayerRows, ...], row_bytes: tuple[int, ...]
) -> Windows | None:
    """The windows of a cell, one of which has its input; None where there can be none, as for too many readers.

    Args:
        rows_per_call: Of the layer that writes its input.
        input_shape: Rows of its input, and bytes of each.
        layers: Its layers.
        row_bytes: Of a row of the output of each.
    """
    height, input_row_bytes = input_shape
    executed = trace(layers, height, rows_per_call)
    if executed is None or max(map(len, executed.readers)) > MOST_READERS:
        return None
    size = [input_row_bytes, *row_bytes]
    held = [align(rows * of, NATIVE_ALIGNMENT) for rows, of in zip(executed.window_rows, size, strict=True)]
    moved = Slides.together(slides(executed, size, executed.window_rows, ROUND_BYTES))
    waits = -(-height // rows_per_call) * last_reader(layers)
    return Windows(sum(held[:-1]), {"waits": waits, **moved.loops})


@lru_cache(maxsize=65536)
def windows_inside(input_rows: int, layers: tuple[LayerRows, ...], row_bytes: tuple[int, ...]) -> Windows:
    """The windows inside a cell whose input is there as a whole, so that its rows come one by one.

    Args:
        input_rows: Rows of its input.
        layers: Its layers.
        row_bytes: Of a row of the output of each.
    """
    waits = input_rows * last_reader(layers)
    if len(layers) == 1:
        return Windows(0, {"waits": waits, **Slides().loops})
    executed = trace(layers, input_rows, 1)
    assert executed is not None, "a cell that runs row by row comes to an end"
    held = [align(rows * of, NATIVE_ALIGNMENT) for rows, of in zip(executed.window_rows[1:], row_bytes, strict=True)]
    whole = (input_rows, *executed.window_rows[1:])
    moved = Slides.together(slides(executed, [0, *row_bytes], whole, ROUND_BYTES))
    return Windows(sum(held[:-1]), {"waits": waits, **moved.loops})


def last_reader(layers: Sequence[LayerRows]) -> int:
    """The position of the last layer that reads a cell's input: where layers are looked at, when it has more rows."""
    position = len(layers)
    while 0 not in layers[position - 1].operands:
        position -= 1
    return position


def states_bytes(layers: Numbers) -> Numbers:
    """What the state of a segment of so many layers takes; of several, for each."""
    return STREAMED_STATE.size_bytes * (layers + 1)
