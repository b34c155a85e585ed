"""The order in which the layers of a streamed segment are called, and what follows from it.

It is the order of `firmware/kernels/streaming/advance.c`: whatever layer has its operands and writes rows that one of
its readers waits for is called, of several the last. So a layer is called again only where nothing behind it can be,
what it writes finds its window as empty as it gets, and the shorter of two branches does not run ahead. Behind a layer
that was just called, none but those that read its output can have more than before, and none but those before it can be
waited for: its readers are looked at next, then the layers before them, one by one. Rows of the segment's input come
one by one, also where all of them are there, so that no branch runs ahead of another one.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import sub
from typing import NamedTuple


class LayerRows(NamedTuple):
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

    def in_calls_of(self, rows_per_call: int) -> LayerRows:
        """The same with so many rows in each call."""
        return LayerRows(self.operands, self.rows, rows_per_call, self.stride, self.extent, self.padding)

    @property
    def of_any_operands(self) -> LayerRows:
        """The same, whoever writes what it reads."""
        return LayerRows((), self.rows, self.rows_per_call, self.stride, self.extent, self.padding)

    @property
    def ends(self) -> list[int]:
        """Rows of its output that are there behind each of its calls."""
        return [*range(self.rows_per_call, self.rows, self.rows_per_call), self.rows]

    @property
    def first_seen(self) -> list[int]:
        """The first row of its operands that each of its calls sees, and the one that a further call would see."""
        seen = [-self.padding, *self._stepping(-self.padding)]
        return [row if row > 0 else 0 for row in seen]

    def needed(self, operand_rows: int) -> list[int]:
        """By call, the rows of an operand that must be there: one where all that it writes is padding."""
        seen = self._stepping(self.extent - self.padding - self.stride)
        return [1 if row < 1 else operand_rows if row > operand_rows else row for row in seen]

    def _stepping(self, beyond: int) -> list[int]:
        """Of its operands, by call, the rows that windows have stepped over behind it, and some more."""
        step, last = self.rows_per_call * self.stride, self.rows * self.stride + beyond
        return [*range(step + beyond, last, step), last]


class Write(NamedTuple):
    """A call: which layer, the rows that it writes (first, end), and the first one before them that is still read."""

    layer: int
    rows: tuple[int, int]
    first_read: int


@dataclass(frozen=True)
class Trace:
    """A segment, executed.

    Attributes:
        order: The layers as they are called, and among them 0 wherever rows of the input come.
        ends: By layer, the rows of its output that are there behind each of its calls.
        first_read: By layer and call, the first row before those that it writes that is still read.
        waits: How often a layer was looked at that had to wait for its operands, or whose readers did not wait for it.
        window_rows: By layer, the most rows of its output that are there and still read; of the input, those that have
            come. The last layer's output is counted as if it were a window.
        readers: By layer, those that read its output.
        input_read: By call of the last layer, the first row of the segment's input that is still read during it.
        input_read_behind: The same behind it.
    """

    order: tuple[int, ...]
    ends: tuple[Sequence[int], ...]
    first_read: tuple[Sequence[int], ...]
    waits: int
    window_rows: tuple[int, ...]
    readers: tuple[tuple[int, ...], ...]
    input_read: tuple[int, ...]
    input_read_behind: tuple[int, ...]

    @property
    def writes(self) -> tuple[Write, ...]:
        """All calls, in order, and among them the rows of the input as they come: writes of layer 0."""
        calls = [
            zip(itertools.repeat(layer), itertools.pairwise((0, *ends)), first_read, strict=False)
            for layer, (ends, first_read) in enumerate(zip(self.ends, self.first_read, strict=True))
        ]
        return tuple(Write(*next(calls[layer])) for layer in self.order)


@lru_cache(maxsize=4096)
def trace(layers: tuple[LayerRows, ...], input_rows: int, rows_at_once: int) -> Trace | None:
    """Execute a segment, layers 1 and up; None where it comes to no end.

    Args:
        layers: The segment.
        input_rows: Of its input.
        rows_at_once: Of these, how many come at a time.
    """
    count = len(layers)
    if count == 1:
        return _alone(layers[0], input_rows, rows_at_once)
    every = (LayerRows((), input_rows, rows_at_once), *layers)
    rows = [layer.rows for layer in every]
    readers: list[list[int]] = [[] for _ in every]
    for index, layer in enumerate(every):
        for operand in dict.fromkeys(layer.operands):
            readers[operand].append(index)
    looked_at = [max(of, default=index) for index, of in enumerate(readers)]
    # By layer and call: the rows that are there behind it, those of each operand that it waits for, and the first one
    # that it sees. A layer that is complete waits for more rows than there will be.
    ends = [layer.ends for layer in every]
    wanted = [[(of, [*layer.needed(rows[of]), rows[of] + 1]) for of in layer.operands] for layer in every]
    # Of one operand, as most layers have, apart from those of further ones; the input waits for nothing.
    of_first = [(0, [0] * (len(ends[0]) + 1)), *(of[0] for of in wanted[1:])]
    of_others = [of[1:] for of in wanted]
    first_operand = [operand for operand, _ in of_first]
    needed_next = [needed[0] for _, needed in of_first]  # of that operand, for the next call
    first_seen = [layer.first_seen for layer in every]
    seen_by = [[(reader, first_seen[reader]) for reader in of] for of in readers]
    # By layer, its readers and what these wait for of it; for rows of the input and of the last layer something always
    # waits.
    awaited = [[(r, needed) for r in readers[i] for of, needed in wanted[r] if of == i] for i in range(count)]
    awaited[0] = [(0, [input_rows + 1] * len(ends[0]))]
    awaited.append([(count, [rows[count] + 1] * len(ends[count]))])
    written, calls, window_rows = [0] * (count + 1), [0] * (count + 1), [0] * (count + 1)
    first_read: list[list[int]] = [[] for _ in every]
    # By reader of the input, how often it was called behind each call of the last layer.
    calls_behind: list[tuple[int, list[int]]] = [(reader, []) for reader in readers[0]]
    order, waits, index = [], 0, 0
    while index > 0 or written[0] < input_rows:
        possible = written[first_operand[index]] >= needed_next[index]
        if possible:
            for operand, needed in of_others[index]:
                possible = possible and written[operand] >= needed[calls[index]]
        if possible:
            there, possible = written[index], False
            for reader, needed in awaited[index]:
                possible = possible or there < needed[calls[reader]]
        if not possible:
            waits += 1
            index -= 1
            continue
        first = there if readers[index] else 0  # a stride may pass rows by that are not there yet
        for reader, seen in seen_by[index]:
            row = seen[calls[reader]]
            if row < first:
                first = row
        call = calls[index]
        written[index] = end = ends[index][call]
        calls[index] = call + 1
        needed_next[index] = of_first[index][1][call + 1]
        if index == count:
            for reader, behind in calls_behind:
                behind.append(calls[reader])
        order.append(index)
        first_read[index].append(first)
        if end - first > window_rows[index]:
            window_rows[index] = end - first
        index = looked_at[index]
    if written != rows:
        return None
    still_read = [_still_read(first_seen[reader], behind, input_rows) for reader, behind in calls_behind]
    input_read_behind = tuple(map(min, *still_read)) if len(still_read) > 1 else tuple(still_read[0])
    input_read = input_read_behind
    if count in readers[0]:
        input_read = tuple(map(min, input_read_behind, first_seen[count]))
    return Trace(
        tuple(order),
        tuple(ends),
        tuple(first_read),
        waits,
        tuple(window_rows),
        tuple(map(tuple, readers)),
        input_read,
        input_read_behind,
    )


def _still_read(first_seen: Sequence[int], calls: Sequence[int], rows: int) -> list[int]:
    """The first of some rows that a reader of them still reads behind so many of its calls; behind the last one, none.

    Args:
        first_seen: Of the reader; see `LayerRows`.
        calls: How often it was called, at several times.
        rows: Their number.
    """
    first = [row if row < rows else rows for row in first_seen[:-1]]
    first.append(rows)
    return [first[done] for done in calls]


def _alone(layer: LayerRows, input_rows: int, rows_at_once: int) -> Trace:
    """Execute a segment of one layer: whenever rows have come it is called as often as it can be, and then waits."""
    ends, needed, seen = LayerRows((), input_rows, rows_at_once).ends, layer.needed(input_rows), layer.first_seen
    calls = [0, *[bisect_right(needed, end) for end in ends[:-1]]]  # that were possible before each row
    order = [1] * (len(ends) + len(needed))
    for come, done in enumerate(calls):
        order[come + done] = 0
    still = [seen[done] for done in calls]
    first_read = [first if first < there else there for first, there in zip(still, (0, *ends), strict=False)]
    input_read, input_read_behind = _read_alone(layer, input_rows)
    return Trace(
        order=tuple(order),
        ends=(ends, layer.ends),
        first_read=(first_read, [0] * len(needed)),
        waits=len(ends),
        window_rows=(max(map(sub, ends, first_read)), layer.rows),
        readers=((1,), ()),
        input_read=input_read,
        input_read_behind=input_read_behind,
    )


def rows_read(layers: tuple[LayerRows, ...], input_rows: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """`input_read` and `input_read_behind` of a segment whose input's rows come one by one; None if it has no end.

    Of one layer they do not depend on the order of its calls.
    """
    if len(layers) == 1:
        return _read_alone(layers[0], input_rows)
    executed = trace(layers, input_rows, 1)
    return None if executed is None else (executed.input_read, executed.input_read_behind)


def _read_alone(layer: LayerRows, input_rows: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The same of a segment of one layer."""
    read = tuple([row if row < input_rows else input_rows for row in layer.first_seen])
    return read[:-1], (*read[1:-1], input_rows)


class Slides(NamedTuple):
    """What moving the rows of windows to their beginnings takes; see the loops of the kernel `stream`."""

    slides: int = 0
    rounds: int = 0
    words: int = 0
    bytes: int = 0

    @classmethod
    def together(cls, each: Iterable[Slides]) -> Slides:
        """What several windows take together."""
        return cls(*map(sum, zip(cls(), *each, strict=True)))

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
    *layers, _ = zip(trace.ends, trace.first_read, row_bytes, window_rows, strict=True)
    return tuple(_slides(*layer, round_bytes) for layer in layers)


def _slides(
    ends: Sequence[int], first_read: Sequence[int], row_bytes: int, window_rows: int, round_bytes: int
) -> Slides:
    """Count the moves in the window of one layer; arguments are those of `slides`."""
    if ends[-1] <= window_rows:
        return Slides()
    moves: dict[tuple[int, int], int] = {}  # by the rows that are moved, and by how many: most are alike
    begin = first = 0
    for end, still_read in zip(ends, first_read, strict=True):
        if end - first > window_rows:
            move = begin - still_read, still_read - first
            moves[move] = moves.get(move, 0) + 1
            first = still_read
        begin = end
    rounds = words = single_bytes = 0
    for (rows, by), count in moves.items():
        size = rows * row_bytes
        if size % 4 or by * row_bytes % 4:
            single_bytes += count * size
        else:
            rounds += count * (size // round_bytes)
            words += count * (size % round_bytes // 4)
    return Slides(sum(moves.values()), rounds, words, single_bytes)


def copies(rows: int, row_bytes: int, round_bytes: int) -> Slides:
    """What copying so many rows, one by one, takes, none of which is moved within a window."""
    if row_bytes % 4:
        return Slides(bytes=rows * row_bytes)
    return Slides(rounds=rows * (row_bytes // round_bytes), words=rows * (row_bytes % round_bytes // 4))
