"""The order in which the layers of a streamed segment are called, and what follows from it.

It is the order of `firmware/kernels/streaming/advance.c`: whatever layer has its operands is called, of several the
last. So a layer is called again only where nothing behind it can be, and what it writes finds its window as empty as it
gets. Behind a layer that was just called, none but those that read its output can have more than before: they are
looked at next, then the layers before them, one by one. Rows of the segment's input come one by one, also where all of
them are there, so that no branch runs ahead of another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


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

    def first_seen(self, written: int) -> int:
        """The first row of its operands that its next call sees, after it has written so many rows."""
        return max(0, written * self.stride - self.padding)

    def end_seen(self, written: int) -> int:
        """The row behind the last one that its next call sees, be it there or padding."""
        return (min(written + self.rows_per_call, self.rows) - 1) * self.stride - self.padding + self.extent

    def needed(self, written: int, operand_rows: int) -> int:
        """The rows of an operand that must be there for its next call: one where all that it writes is padding."""
        return min(max(self.end_seen(written), 1), operand_rows)


@dataclass(frozen=True)
class Write:
    """A call: which layer, the rows that it writes (first, end), and the first one before them that is still read."""

    layer: int
    rows: tuple[int, int]
    first_read: int


@dataclass(frozen=True)
class Trace:
    """A segment, executed.

    Attributes:
        writes: All calls, in order, and among them the rows of the input as they come: writes of layer 0.
        waits: How often a layer was looked at that had to wait for its operands.
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

    def first_read(tensor: int) -> int:
        """The first of a tensor's rows that is still read. A stride may pass rows by that are not there yet."""
        seen = (layers[reader - 1].first_seen(written[reader]) for reader in consumers[tensor])
        return min([written[tensor], *seen]) if consumers[tensor] else 0

    window_rows = [0] * (count + 1)
    writes, input_read, waits, index = [], [], 0, 0
    while index > 0 or written[0] < input_rows:
        if index == 0:
            first = first_read(0)
            writes.append(Write(0, (written[0], written[0] + 1), first))
            written[0] += 1
            window_rows[0] = max(window_rows[0], written[0] - first)
            index = max(consumers[0])
            continue
        layer = layers[index - 1]
        done = written[index] == layer.rows
        if done or any(layer.needed(written[index], rows[o]) > written[o] for o in layer.operands):
            waits += 1
            index -= 1
            continue
        first = first_read(index)
        if index == count:
            open_readers = [r for r in consumers[0] if written[r] < layers[r - 1].rows]
            seen = [layers[r - 1].first_seen(written[r]) for r in open_readers]
            input_read.append(min([*seen, input_rows]))
        writes.append(Write(index, (written[index], min(written[index] + layer.rows_per_call, layer.rows)), first))
        written[index] = writes[-1].rows[1]
        window_rows[index] = max(window_rows[index], written[index] - first)
        index = max(consumers[index], default=index)
    if written != rows:
        return None
    return Trace(tuple(writes), waits, tuple(window_rows), tuple(map(tuple, consumers)), tuple(input_read))


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


def slides(
    trace: Trace, row_bytes: Sequence[int], window_rows: Sequence[int], round_bytes: int, only: int | None = None
) -> Slides:
    """Count the moves in windows of some rows each, for all layers but the last, whose output is there as a whole.

    Args:
        trace: The segment.
        row_bytes: By layer, of a row of its output.
        window_rows: By layer, what its window has room for.
        round_bytes: What a round of the moving loop copies.
        only: Count those of this layer's window.
    """
    first = [0] * len(row_bytes)
    moved = Slides()
    for write in trace.writes:
        layer, (begin, end) = write.layer, write.rows
        if layer == len(row_bytes) - 1 or (only is not None and layer != only):
            continue
        if end - first[layer] <= window_rows[layer]:
            continue
        size = (begin - write.first_read) * row_bytes[layer]
        by = (write.first_read - first[layer]) * row_bytes[layer]
        first[layer] = write.first_read
        moved += Slides(slides=1) + (copies(1, size, round_bytes) if by % 4 == 0 else Slides(bytes=size))
    return moved


def copies(rows: int, row_bytes: int, round_bytes: int) -> Slides:
    """What copying so many rows, one by one, takes, none of which is moved within a window."""
    if row_bytes % 4:
        return Slides(bytes=rows * row_bytes)
    return Slides(rounds=rows * (row_bytes // round_bytes), words=rows * (row_bytes % round_bytes // 4))
