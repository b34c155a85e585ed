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

from tinynas.lowering import LayerRows, rows_read
from tinynas.memory._live_ranges import NATIVE_ALIGNMENT, align
from tinynas.memory._stream_cells import StreamedCell

Counts = npt.NDArray[np.int64]


class _RowsBack(NamedTuple):
    """Rows of a cell's output, and of its input, that go with them.

    Attributes:
        written: Rows of the output that are there behind each call of its last layer.
        read: By call, the first row of the input that is still read during it.
        read_behind: The same behind so many calls: none, one, and so on.
        needed: Rows of the input that must be there for so many calls.
    """

    written: Counts
    read: Counts
    read_behind: Counts
    needed: Counts


@lru_cache(maxsize=65536)
def _rows_back(layers: tuple[LayerRows, ...], input_rows: int) -> _RowsBack:
    """How rows go back through a cell of such layers, whatever its rows take."""
    read = rows_read(layers, input_rows)
    assert read is not None, "a cell that runs row by row comes to an end"
    return _RowsBack(
        written=np.array(layers[-1].ends),
        read=np.array(read[0]),
        read_behind=np.array([0, *read[1]]),
        needed=_rows_needed(layers, input_rows),
    )


def _rows_needed(layers: tuple[LayerRows, ...], input_rows: int) -> Counts:
    """Rows of a cell's input that must be there for calls of its last layer, by their number: none, one, and so on."""
    heights = [input_rows, *(layer.rows for layer in layers)]
    calls = {len(layers): np.arange(layers[-1].calls + 1)}  # of each layer, and rows of the input
    for index in range(len(layers), 0, -1):
        layer = layers[index - 1]
        for operand in layer.operands:
            needed = np.array([0, *layer.needed(heights[operand])])[calls[index]]
            if operand > 0 and layers[operand - 1].rows_per_call > 1:
                needed = -(-needed // layers[operand - 1].rows_per_call)
            calls[operand] = np.maximum(calls[operand], needed) if operand in calls else needed
    return calls[0]


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
    rows = _rows_back(cell.layers, input_rows)
    if cell.sums_bytes == 0:
        written = rows.written * row_bytes
    else:  # where rows are added to sums, all is written in the last call
        written = np.where(rows.written < rows.written[-1], 0, height * row_bytes)
    lead_bytes = (written - rows.read * input_row_bytes).max(initial=0).item()
    calls_before = None if before is None else -(-rows.needed // before)
    return ReadBack(written, lead_bytes, rows.read_behind * input_row_bytes, calls_before)


def output_leads(cells: Sequence[ReadBack | None]) -> Counts:
    """By how many bytes the outputs of segments must begin before their inputs: [last cell, first cell].

    Args:
        cells: Of a network; None for those that cannot run row by row.
    """
    leads = np.zeros((len(cells), len(cells)), np.int64)
    # Of all segments that run through a cell, those that end first last: for each call of the last layer, the bytes of
    # the output that are written then, and how many calls of this cell's last layer that needs.
    written = calls = np.zeros(0, np.int64)
    begins: list[int] = []
    for first in range(len(cells) - 1, -1, -1):
        cell = cells[first]
        if cell is None:
            begins = []
            continue
        leads[first, first] = cell.lead_bytes
        own_calls = np.arange(1, len(cell.written) + 1)
        if begins:
            lead_bytes = np.maximum.reduceat(written - cell.read_bytes[calls], begins)
            leads[first + len(begins) : first : -1, first] = lead_bytes
            begins.append(len(written))
            written, calls = np.concatenate((written, cell.written)), np.concatenate((calls, own_calls))
        else:
            begins, written, calls = [0], cell.written, own_calls
        if cell.calls_before is None:
            begins = []
            continue
        calls = cell.calls_before[calls]
    return align(np.maximum(leads, 0), NATIVE_ALIGNMENT)
