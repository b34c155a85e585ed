"""How far the outputs of streamed segments may grow into their inputs.

At each call of a segment's last layer, the last layer of each cell before it has been called just so often that the
call is possible: it writes the only tensor between two cells and is called as soon as it can be. So calls go back cell
by cell: for segments with any end that begin with one cell, from those that begin with the next one. What a cell still
reads of its input behind so many calls of its last layer is what its trace says: inner layers may have been called more
often than that, as where nothing needs the last of their rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinynas.lowering import LayerRows, trace
from tinynas.memory._live_ranges import NATIVE_ALIGNMENT, align
from tinynas.memory._stream_cells import StreamedCell

Counts = npt.NDArray[np.int64]


@lru_cache(maxsize=65536)
def rows_needed(layers: tuple[LayerRows, ...], input_rows: int) -> Counts:
    """Rows of a cell's input that must be there for its last layer's calls, by their number: none, one, and so on."""
    heights = [input_rows, *(layer.rows for layer in layers)]
    needed = {len(layers): np.array([0, *layers[-1].ends])}
    for index in range(len(layers), 0, -1):
        layer, end = layers[index - 1], needed[index]
        if layer.rows_per_call > 1 and index < len(layers):
            end = np.minimum(-(-end // layer.rows_per_call) * layer.rows_per_call, layer.rows)
        end_seen = np.maximum(end * layer.stride + (layer.extent - layer.padding - layer.stride), 1)
        for operand in layer.operands:
            rows = np.minimum(end_seen, heights[operand])
            needed[operand] = np.maximum(needed[operand], rows) if operand in needed else rows
    return needed[0]


class ReadBack(NamedTuple):
    """How rows of a segment's output go back through one of its cells.

    Attributes:
        written: If it is the last cell: bytes of the output that are there behind each call of its last layer.
        lead_bytes: If it is the only cell: by how many bytes the output must begin before the input.
        read_bytes: By calls of its last layer: bytes of its input that nothing reads any more.
        calls_before: By calls of its last layer: the calls that they need of that of the cell before it; None where no
            segment comes from there.
    """

    written: Counts
    lead_bytes: int
    read_bytes: Counts
    calls_before: Counts | None


def read_back(
    cell: StreamedCell, input_shape: tuple[int, int], output_shape: tuple[int, int], before: int | None
) -> ReadBack:
    """How rows go back through a cell.

    Args:
        cell: The cell row by row.
        input_shape: Rows of its input, and bytes of each.
        output_shape: The same of its output.
        before: Rows that the last layer of the cell before it writes in a call; None for no such cell.
    """
    (input_rows, input_row_bytes), (height, row_bytes) = input_shape, output_shape
    ends = np.array(cell.layers[-1].ends)
    # Where rows are added to sums, all is written in the last call.
    written = ends * row_bytes if cell.sums_bytes == 0 else np.where(ends < ends[-1], 0, height * row_bytes)
    executed = trace(cell.layers, input_rows, 1)
    assert executed is not None, "a cell that runs row by row comes to an end"
    lead_bytes = (written - np.array(executed.input_read) * input_row_bytes).max(initial=0).item()
    read = np.array([0, *executed.input_read_behind]) * input_row_bytes
    calls_before = None if before is None else -(-rows_needed(cell.layers, input_rows) // before)
    return ReadBack(written, lead_bytes, read, calls_before)


def output_leads(cells: Sequence[ReadBack | None]) -> Counts:
    """By how many bytes the outputs of segments must begin before their inputs: [last cell, first cell].

    Args:
        cells: Of a network; None for those that cannot run row by row.
    """
    leads = np.zeros((len(cells), len(cells)), np.int64)
    # Of all segments that run through a cell, one behind the other: for each call of the last layer, the bytes of the
    # output that are written then, and how many calls of this cell's last layer that needs.
    written = calls = np.zeros(0, np.int64)
    begins: list[int] = []
    for first in range(len(cells) - 1, -1, -1):
        cell = cells[first]
        if cell is None:
            begins = []
            continue
        leads[first, first] = cell.lead_bytes
        own = len(cell.written)
        own_calls = np.arange(1, own + 1)
        if begins:
            end = first + 1 + len(begins)
            leads[first + 1 : end, first] = np.maximum.reduceat(written - cell.read_bytes[calls], begins)
            written, calls = np.concatenate((cell.written, written)), np.concatenate((own_calls, calls))
        else:
            written, calls = cell.written, own_calls
        if cell.calls_before is None:
            begins = []
            continue
        begins = [0, *[begin + own for begin in begins]]
        calls = cell.calls_before[calls]
    return align(np.maximum(leads, 0), NATIVE_ALIGNMENT)
