"""How far the outputs of streamed segments may grow into their inputs.

At each call of a segment's last layer, every layer before it has been called just so often that the call is possible,
and so the rows that are still read of any tensor between follow backwards, cell by cell: for segments with any end that
begin with one cell, from those that begin with the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinynas.lowering import LayerRows
from tinynas.memory._live_ranges import NATIVE_ALIGNMENT
from tinynas.memory._stream_cells import Cell, StreamedCell
from tinynas.memory._stream_links import Chain

Counts = npt.NDArray[np.int64]


class InputRead(NamedTuple):
    """What calls of a cell's last layer read of the cell's input, by the number of calls: none, one, and so on.

    Attributes:
        needed: Rows that must be there for so many calls.
        behind: The first row that is still read behind them.
        during: The first row that is still read during the last of them.
    """

    needed: Counts
    behind: Counts
    during: Counts


@lru_cache(maxsize=65536)
def input_read(layers: tuple[LayerRows, ...], input_rows: int) -> InputRead:
    """What a cell's layers read of its input, which has so many rows."""
    last = len(layers)
    ends = np.array([0, *layers[-1].ends])
    heights = [input_rows, *(layer.rows for layer in layers)]
    needed = [np.zeros_like(ends) for _ in layers]
    behind = during = np.full_like(ends, input_rows)
    for index, layer in zip(range(last, 0, -1), reversed(layers), strict=True):
        end = ends
        if index < last:
            calls = -(-needed[index] // layer.rows_per_call)
            end = np.minimum(calls * layer.rows_per_call, layer.rows)
        end_seen = np.maximum((end - 1) * layer.stride - layer.padding + layer.extent, 1)
        for operand in layer.operands:
            needed[operand] = np.maximum(needed[operand], np.minimum(end_seen, heights[operand]))
        if 0 in layer.operands:
            first = np.where(end < layer.rows, np.maximum(end * layer.stride - layer.padding, 0), input_rows)
            behind = np.minimum(behind, first)
            # The last layer reads during a call what it read behind the one before.
            during = np.minimum(during, np.concatenate((first[:1], first[:-1])) if index == last else first)
    return InputRead(needed[0], behind, during)


def output_leads(cells: Sequence[Cell], chain: Chain) -> Counts:
    """By how many bytes the outputs of segments must begin before their inputs: [last cell, first cell].

    Args:
        cells: Of a network.
        chain: The same row by row. Where there is no segment, there is no lead.
    """
    leads = np.zeros((len(cells), len(cells)), np.int64)
    # Of the segments that run through a cell, by their ends and the calls of their last layers: how many calls of the
    # cell's last layer that takes, and how many bytes of the output are written then.
    calls = written = np.zeros(0, np.int64)
    begins: list[int] = []
    for first in range(len(cells) - 1, -1, -1):
        link = chain[first]
        if link is None:
            begins = []
            continue
        read, row_bytes = input_read(link.cell.layers, cells[first].input_shape[0]), cells[first].input_shape[1]
        own = _written(link.cell, cells[first].output_shape)
        own_calls = np.arange(1, len(own) + 1)
        leads[first, first] = (own - read.during[1:] * row_bytes).max(initial=0)
        if begins:
            ahead = np.maximum.reduceat(written - read.behind[calls] * row_bytes, begins)
            leads[first + 1 : first + 1 + len(begins), first] = np.maximum(ahead, 0)
            calls, written = np.concatenate((own_calls, calls)), np.concatenate((own, written))
        else:
            calls, written = own_calls, own
        begins = [0, *(begin + len(own) for begin in begins)]
        before = chain[first - 1] if first > 0 and link.later_bytes is not None else None
        if before is None:
            begins = []
        else:
            calls = -(-read.needed[calls] // before.cell.rows[-1])
    return -(-leads // NATIVE_ALIGNMENT) * NATIVE_ALIGNMENT


def _written(cell: StreamedCell, output_shape: tuple[int, int]) -> Counts:
    """Bytes of a segment's output that are written behind each call of its last layer.

    Args:
        cell: The last one of the segment.
        output_shape: Rows of its output, and bytes of each.
    """
    height, row_bytes = output_shape
    ends = np.array(cell.layers[-1].ends)
    if cell.sums_bytes > 0:  # rows are added to sums: all is written in the last call
        return np.where(ends < ends[-1], 0, height * row_bytes)
    return ends * row_bytes
