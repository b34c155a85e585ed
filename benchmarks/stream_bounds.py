"""The least SRAM of known networks row by row, from the graph alone.

    python benchmarks/stream_bounds.py [MODEL.tflite ...]

Prints a table in Markdown, in bytes. Nothing here asks the engine: no schedule, no trace and no planner of it.

A network is cut where a single tensor is alive, and the parts between cuts run as a whole or, one or several together,
as a segment: whole rows, one row a step, nothing computed twice. What a network takes is the maximum over its parts;
the way to part it that takes the least is the bound. A segment holds

- a window for each result inside it. How many rows that needs does not depend on the order of the steps: when row j of
  a tensor comes, whoever reads it can have read no more than rows below j allow, however early it runs. So a window
  has the rows of one window of a convolution, and a residual sum adds those for which its other operand is not there;
- its input and its output, in one of three ways: side by side (`beside`); the output growing into rows of the input
  that nothing reads any more (`over`); or, for the first segment, a window in place of the input (`pushed`), and `over`
  in those behind it. How far the input has been read when a row of the output is written follows backwards: no layer is
  further ahead of its reader than its window is long.

MEAN over all pixels, average pooling of a whole image, and a fully connected layer of all pixels of one (also through a
RESHAPE) end the segment that they are in: they add rows to sums, and need no row once they have added it. So their
operand has a window of one row, and their output is written at once, behind the last row: `over` the input, of which
no more than is read then is still there. An image of a single row has no rows to add. A PAD that only convolutions read
is part of them. Any other is a layer that needs one row of its operand for each of its own, and none for padding.

A part as a whole takes what is alive during its largest step. Depthwise convolutions, ADD, MUL and requantization write
over an operand that dies. Not counted are the scratch of kernels, which sums are, the state of layers in a segment, and
alignment.

Three habits of such estimates are not followed, because an engine can do with less:

- Rows that a sum waits for given as the whole receptive field of its other operand. A 3 x 3 convolution behind another
  has one of five rows, but when it is called, the upper ones have been read for the last time.
- The input read in step with the output, as many rows as the strides say, less one window. It is read further, by what
  the windows between hold.
- MEAN and fully connected layers always a part as a whole, and average pooling of a whole image a window as high as it.

With the last, keyword spotting (MLPerf Tiny) would have 13,610, 8,320 and 8,320 bytes in the three columns; with all
three, image classification 22,016, 19,232 and 19,232, the demo's earlier winner 7,224 in the last two, and
MobileNetV2-0.35 67,536 in the second. Nor is a PAD that only convolutions read a layer with a window of its own, as it
is where networks are converted from PyTorch and not fused: with these habits and PADs of that kind, mcunet-vww1 would
have 35,298, 22,578 and 20,688.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from graph_cells import Cell, Rows, cells_of_graph
from known_networks import further_networks, mcunet_vww1, mobilenet_v2_r144, read_models

from tinynas.graph import Graph

_NEVER = 1 << 40  # a row: of a reader that has written its last one


@dataclass(frozen=True)
class Bounds:
    """The least that a network takes, in bytes.

    Attributes:
        beside: Segments hold their input and their output side by side.
        over: Their output grows into rows of the input that nothing reads any more.
        pushed: The same behind a first segment whose input comes row by row; None where no segment can begin there.
    """

    beside: int
    over: int
    pushed: int | None


def bounds_of(graph: Graph) -> Bounds:
    """The bounds of an int8 network."""
    cells = cells_of_graph(graph)
    beside = _least(cells, _beside, _whole)
    over = _least(cells, _over, _whole)
    pushed = _least(cells, _over_or_pushed, _whole_behind_the_first)
    assert beside is not None
    assert over is not None
    return Bounds(beside, over, pushed)


_Segment = Sequence[Cell]
_Bytes = Callable[[_Segment, bool], int | None]
"""Of a segment, or of a cell as a whole, which may be the first of the network; None where it cannot be."""


def _least(cells: Sequence[Cell], segment: _Bytes, whole: _Bytes) -> int | None:
    """The least maximum over the parts of a network, of all ways to part it."""
    least: list[int | None] = [0, *[None] * len(cells)]
    for first, end in itertools.combinations(range(len(cells) + 1), 2):
        part, before = cells[first:end], least[first]
        if before is None:
            continue
        sizes = [least[end]]
        if len(part) == 1:
            sizes.append(_highest(before, whole(part, first == 0)))
        joined = not any(cell.ends for cell in part[:-1]) and not any(cell.begins for cell in part[1:])
        if joined and all(cell.by_rows for cell in part):
            sizes.append(_highest(before, segment(part, first == 0)))
        least[end] = min((size for size in sizes if size is not None), default=None)
    return least[-1]


def _highest(before: int, size: int | None) -> int | None:
    return None if size is None else max(before, size)


def _whole(part: _Segment, first: bool) -> int:
    return part[0].whole_bytes


def _whole_behind_the_first(part: _Segment, first: bool) -> int | None:
    return None if first else _whole(part, first)


def _beside(segment: _Segment, first: bool) -> int:
    return _windows(segment) + _input(segment).size_bytes + _output(segment).size_bytes


def _over(segment: _Segment, first: bool) -> int:
    return _windows(segment) + _input(segment).size_bytes + lead_bytes(segment)


def _over_or_pushed(segment: _Segment, first: bool) -> int | None:
    if not first:
        return _over(segment, first)
    begin = segment[0]
    return None if begin.begins else _windows(segment) + begin.window_bytes(begin.source) + _output(segment).size_bytes


def _input(segment: _Segment) -> Rows:
    return segment[0].of[segment[0].source]


def _output(segment: _Segment) -> Rows:
    return segment[-1].of[segment[-1].output]


def _windows(segment: _Segment) -> int:
    """Bytes of all windows between its input and its output."""
    between = (cell.window_bytes(cell.source) for cell in segment[1:])
    return sum(cell.inner_bytes for cell in segment) + sum(between)


def lead_bytes(segment: _Segment) -> int:
    """By how many bytes the output must begin before the input, so that it never meets a row that is still read."""
    source, last = _input(segment), segment[-1].layers[-1]
    windows = {t: rows for cell in segment for t, rows in cell.window_rows.items()}
    written = np.arange(last.rows, dtype=np.int64)  # of the last layer's rows, before each of them
    first_read: dict[int, npt.NDArray[np.int64]] = {}
    for cell in reversed(segment):
        for layer in reversed(cell.layers):
            ahead = written
            if layer.output in first_read:
                ahead = np.minimum(first_read[layer.output] + windows[layer.output], layer.rows)
            seen = np.maximum(ahead * layer.stride - layer.padding, 0)
            seen = np.where(ahead < layer.rows, seen, _NEVER)
            for t in layer.inputs:
                first_read[t] = np.minimum(first_read.get(t, _NEVER), seen)
    rows = np.minimum(first_read[segment[0].source], source.count)
    return max(0, int((_grown(segment) - rows * source.row_bytes).max()))


def _grown(segment: _Segment) -> npt.NDArray[np.int64]:
    """Bytes of the output behind each row of the last layer: all at once where that adds its rows to sums."""
    output, last = _output(segment), segment[-1].layers[-1]
    rows = np.arange(1, last.rows + 1, dtype=np.int64)
    return np.where(rows < last.rows, 0, output.size_bytes) if last.sums else rows * output.row_bytes


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, help="int8 .tflite files to add")
    options = parser.parse_args(arguments)
    sys.stdout.write(
        "| network | input beside the output | output over the input | input by rows |\n|---|---|---|---|\n"
    )
    graphs = [mcunet_vww1(), mobilenet_v2_r144(), *further_networks(), *read_models(options.models)]
    for graph in graphs:
        bounds = bounds_of(graph)
        pushed = "-" if bounds.pushed is None else f"{bounds.pushed:,}"
        sys.stdout.write(f"| {graph.name} | {bounds.beside:,} | {bounds.over:,} | {pushed} |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
