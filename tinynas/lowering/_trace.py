"""The order in which the layers of a streamed segment are called, and what follows from it.

It is the order of `firmware/kernels/streaming/advance.c`: whatever layer has its operands and writes rows that one of
its readers waits for is called, of several the last. So a layer is called again only where nothing behind it can be,
what it writes finds its window as empty as it gets, and the shorter of two branches does not run ahead. Behind a layer
that was just called, none but those that read its output can have more than before, and none but those before it can be
waited for: its readers are looked at next, then the layers before them, one by one. Rows of the segment's input come
one by one, also where all of them are there, so that no branch runs ahead of another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple


@dataclass(frozen=True)
class LayerRows:
    """What decides when a layer is called.

    Attributes:
        operands: The layers that write what it reads, by position: 0 is the segment's input.
        rows: Of its output.
        rows_per_call: That it writes in each call; in the last one, those that are left.
        stride: Rows of its operands between two of its output.
        extent: Rows of its operands that one row of its output depends on.
        padding: Of these, how many lie above the first row.
    """

    operands: tuple[int, ...]
    rows: int
    rows_per_call: int
    stride: int = 1
    extent: int = 1
    padding: int = 0

    @property
    def calls(self) -> int:
        """How often it is called."""
        return -(-self.rows // self.rows_per_call)

    @property
    def behind_another(self) -> LayerRows:
        """The same in a segment with one more layer before all others."""
        operands = tuple(operand + 1 for operand in self.operands)
        return LayerRows(operands, self.rows, self.rows_per_call, self.stride, self.extent, self.padding)

    def first_seen(self, written: int) -> int:
        """The first row of its operands that its next call sees, after it has written so many rows."""
        return max(0, written * self.stride - self.padding)

    def end_seen(self, written: int) -> int:
        """The row behind the last one that its next call sees, be it there or padding."""
        return (min(written + self.rows_per_call, self.rows) - 1) * self.stride - self.padding + self.extent

    def needed(self, written: int, operand_rows: int) -> int:
        """The rows of an operand that must be there for its next call: one where all that it writes is padding."""
        return min(max(self.end_seen(written), 1), operand_rows)


class Write(NamedTuple):
    """A call: which layer, the rows that it writes (first, end), and the first one before them that is still read."""

    layer: int
    rows: tuple[int, int]
    first_read: int


@dataclass(frozen=True)
class Trace:
    """A segment, executed.

    Attributes:
        writes: All calls, in order, and among them the rows of the input as they come: writes of layer 0.
        waits: How often a layer was looked at that had to wait for its operands, or whose readers did not wait for it.
        window_rows: By layer, the most rows of its output that are there and still read; of the input, those that have
            come. The last layer's output is counted as if it were a window.
        readers: By layer, those that read its output.
        input_read: By call of the last layer, the first row of the segment's input that is still read during it.
    """

    writes: tuple[Write, ...]
    waits: int
    window_rows: tuple[int, ...]
    readers: tuple[tuple[int, ...], ...]
    input_read: tuple[int, ...]


@lru_cache(maxsize=4096)
def trace(layers: tuple[LayerRows, ...], input_rows: int) -> Trace | None:
    """Execute a segment, layers 1 and up; None where it comes to no end."""
    count = len(layers)
    rows = [input_rows, *(layer.rows for layer in layers)]
    written = [0] * (count + 1)
    consumers: list[list[int]] = [[] for _ in rows]
    for index, layer in enumerate(layers, 1):
        for operand in dict.fromkeys(layer.operands):
            consumers[operand].append(index)
    looked_at = [max(readers, default=index) for index, readers in enumerate(consumers)]
    # What follows from `written`, kept beside it because it is asked for more often than it changes: by layer, the rows
    # of its operands that its next call waits for, and the first one that it sees.
    wanted = [[(0, 0)], *(_wanted(layer, 0, rows) for layer in layers)]
    first_seen = [0, *(layer.first_seen(0) for layer in layers)]
    window_rows = [0] * (count + 1)
    writes, input_read, waits, index = [], [], 0, 0
    while index > 0 or written[0] < input_rows:
        if any(written[operand] < end for operand, end in wanted[index]) or not (
            index in (0, count)
            or any(written[index] < end for r in consumers[index] for operand, end in wanted[r] if operand == index)
        ):
            waits += 1
            index -= 1
        else:
            begin = written[index]
            first = begin if consumers[index] else 0  # a stride may pass rows by that are not there yet
            for reader in consumers[index]:
                if first_seen[reader] < first:
                    first = first_seen[reader]
            if index == count:
                open_readers = [r for r in consumers[0] if written[r] < rows[r]]
                input_read.append(min([input_rows, *[first_seen[r] for r in open_readers]]))
            written[index] = end = min(begin + (layers[index - 1].rows_per_call if index > 0 else 1), rows[index])
            writes.append(Write(index, (begin, end), first))
            if end - first > window_rows[index]:
                window_rows[index] = end - first
            if index > 0:
                first_seen[index] = layers[index - 1].first_seen(end)
                wanted[index] = _wanted(layers[index - 1], end, rows)
            index = looked_at[index]
    if written != rows:
        return None
    return Trace(tuple(writes), waits, tuple(window_rows), tuple(map(tuple, consumers)), tuple(input_read))


def _wanted(layer: LayerRows, written: int, rows: Sequence[int]) -> list[tuple[int, int]]:
    """By operand, the rows that a layer's next call waits for; what is complete waits for more than there will be."""
    if written == layer.rows:
        return [(layer.operands[0], rows[layer.operands[0]] + 1)]
    return [(operand, layer.needed(written, rows[operand])) for operand in layer.operands]


@dataclass(frozen=True)
class Slides:
    """What moving the rows of windows to their beginnings takes; see the loops of the kernel `stream`."""

    slides: int = 0
    rounds: int = 0
    words: int = 0
    bytes: int = 0

    def __add__(self, other: Slides) -> Slides:
        return Slides(
            self.slides + other.slides,
            self.rounds + other.rounds,
            self.words + other.words,
            self.bytes + other.bytes,
        )

    @property
    def loops(self) -> dict[str, float]:
        """As loop counts of that kernel."""
        return {
            "slides": self.slides,
            "slide_rounds": self.rounds,
            "slide_words": self.words,
            "slide_bytes": self.bytes,
        }


def slides(trace: Trace, row_bytes: Sequence[int], window_rows: Sequence[int], round_bytes: int) -> tuple[Slides, ...]:
    """Count the moves in windows of some rows each, by layer; the last one's output is there as a whole.

    Args:
        trace: The segment.
        row_bytes: By layer, of a row of its output.
        window_rows: By layer, what its window has room for.
        round_bytes: What a round of the moving loop copies.
    """
    last = len(row_bytes) - 1
    first = [0] * last
    moves: Counter[tuple[int, int, bool]] = Counter()  # most are alike
    for layer, (begin, end), first_read in trace.writes:
        if layer == last or end - first[layer] <= window_rows[layer]:
            continue
        by = (first_read - first[layer]) * row_bytes[layer]
        moves[layer, (begin - first_read) * row_bytes[layer], by % 4 == 0] += 1
        first[layer] = first_read
    moved = [Slides()] * last
    for (layer, size, in_words), count in moves.items():
        copied = copies(count, size, round_bytes) if in_words else Slides(bytes=count * size)
        moved[layer] += Slides(slides=count) + copied
    return tuple(moved)


def copies(rows: int, row_bytes: int, round_bytes: int) -> Slides:
    """What copying so many rows, one by one, takes, none of which is moved within a window."""
    if row_bytes % 4:
        return Slides(bytes=rows * row_bytes)
    return Slides(rounds=rows * (row_bytes // round_bytes), words=rows * (row_bytes % round_bytes // 4))
