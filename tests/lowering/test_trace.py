"""The order of a segment's calls by hand; and a simulation that keeps its rows in memory reads none that is gone."""

from __future__ import annotations

import numpy as np
import pytest

from tinynas.kernels import InstructionSet
from tinynas.lowering import LayerRows, Schedule, Step, Stream, slides, trace
from tinynas.testing.layers import random_segments

_GAP = 64  # bytes between what must not meet


def order(layers: tuple[LayerRows, ...], input_rows: int) -> list[tuple[int, int]]:
    """(layer, first row) of every call."""
    executed = trace(layers, input_rows, 1)
    assert executed is not None
    come = [write.rows for write in executed.writes if write.layer == 0]
    assert come == [(row, row + 1) for row in range(input_rows)]
    return [(write.layer, write.rows[0]) for write in executed.writes if write.layer > 0]


def test_the_last_layer_is_called_as_soon_as_it_can_be() -> None:
    three = LayerRows((0,), 4, 1, extent=3, padding=1)
    same = LayerRows((1,), 4, 1, extent=3, padding=1)
    assert order((three, same), 4) == [(1, 0), (1, 1), (2, 0), (1, 2), (2, 1), (1, 3), (2, 2), (2, 3)]


def test_several_rows_a_call() -> None:
    layers = LayerRows((0,), 8, 3, extent=3, padding=1), LayerRows((1,), 4, 2, stride=2, extent=3)
    assert order(layers, 8) == [(1, 0), (1, 3), (2, 0), (1, 6), (2, 2)]
    executed = trace(layers, 8, 1)
    assert executed is not None
    assert executed.window_rows[1:] == (6, 4)  # two rows of layer 2 see five rows, two calls of layer 1 bring six
    assert executed.input_read == (5, 8)
    assert executed.readers == ((1,), (2,), ())


def test_rows_that_nothing_waits_for_are_written_as_well() -> None:
    layers = LayerRows((0,), 5, 1), LayerRows((1,), 2, 1, stride=2, extent=2)
    assert order(layers, 5) == [(1, 0), (1, 1), (2, 0), (1, 2), (1, 3), (2, 1), (1, 4)]


def test_branches_go_on_with_every_row_of_the_input() -> None:
    """Of the shorter one, layer 1, a row is written when the sum waits for it, and no earlier."""
    short = LayerRows((0,), 3, 1)
    long = LayerRows((0,), 3, 1, extent=3, padding=1), LayerRows((2,), 3, 1, extent=3, padding=1)
    assert order((short, *long, LayerRows((3, 1), 3, 1)), 3) == [
        (1, 0),  # behind the first row of the input
        (2, 0),  # the second
        *(
            (2, 1),
            (3, 0),
            (4, 0),
            (2, 2),
            (3, 1),
            (1, 1),
            (4, 1),
            (3, 2),
            (1, 2),
            (4, 2),
        ),  # the third, which is the last
    ]


@pytest.mark.parametrize("seed", range(60))
def test_a_layer_alone_is_called_as_before_another_one(seed: int) -> None:
    """Behind it a layer that reads each row when it is there; a segment of one layer is traced in another way."""
    rng = np.random.default_rng(seed)
    input_rows, extent, stride = int(rng.integers(1, 20)), int(rng.integers(1, 6)), int(rng.integers(1, 4))
    padding = int(rng.integers(0, extent))
    rows = int(rng.integers(1, 2 + (input_rows + padding) // stride))
    layer = LayerRows((0,), rows, int(rng.integers(1, 5)), stride, extent, padding)
    at_once = int(rng.integers(1, 4))
    alone = trace((layer,), input_rows, at_once)
    followed = trace((layer, LayerRows((1,), rows, 1)), input_rows, at_once)
    assert alone is not None
    assert followed is not None
    assert alone.order == tuple(index for index in followed.order if index < 2)
    assert [list(of) for of in alone.ends] == [list(of) for of in followed.ends[:2]]
    assert list(alone.first_read[0]) == list(followed.first_read[0])
    assert alone.window_rows[0] == followed.window_rows[0]


def test_waits_are_layers_looked_at_in_vain() -> None:
    """Layer 1 behind the first row; both behind the second and third; behind the last, layer 2 once in between."""
    layers = LayerRows((0,), 4, 1, extent=3, padding=1), LayerRows((1,), 4, 1, extent=3, padding=1)
    executed = trace(layers, 4, 1)
    assert executed is not None
    assert executed.waits == 1 + 2 + 2 + 3


def test_slides_by_hand() -> None:
    layers = LayerRows((0,), 8, 1, extent=3, padding=1), LayerRows((1,), 8, 1, extent=3, padding=1)
    executed = trace(layers, 8, 1)
    assert executed is not None
    assert executed.window_rows[1] == 3
    held = (8, 3, 8)  # the input is there as a whole
    of_input, words = slides(executed, [8, 20, 4], held, 16)
    assert of_input.slides == 0
    assert (words.slides, words.rounds, words.words, words.bytes) == (5, 5 * 2, 5 * 2, 0)  # two rows of 20 bytes
    _, single = slides(executed, [8, 7, 4], held, 16)
    assert (single.slides, single.rounds, single.words, single.bytes) == (5, 0, 0, 5 * 14)
    _, roomy = slides(executed, [8, 20, 4], (8, 5, 8), 16)
    assert roomy.slides == 1  # two rows of five are read still when the sixth comes: then there is room for all eight
    assert executed.window_rows[0] == 3
    pushed, _ = slides(executed, [8, 20, 4], executed.window_rows, 16)
    assert (pushed.slides, pushed.rounds) == (5, 5)  # two rows of 8 bytes


class Memory:
    """A segment's scratch, and its output below its input by no more than its lead: nothing else.

    A row of a layer is a sum over what it sees, so that a row read too late or too early shows. Nothing here is taken
    from what executes segments: with every row of the input, whatever layer has its operands and writes rows that a
    reader's next call waits for is called, of several the last. A last layer that adds rows to sums keeps one where its
    sums lie, and writes when it has seen all rows.
    """

    def __init__(self, schedule: Schedule, step: Step, rng: np.random.Generator) -> None:
        assert step.stream is not None
        self.stream: Stream = step.stream
        tensors = schedule.graph.tensors
        self.sums = self.stream.layers[-1].sums_offset
        layers = self.stream.layers if self.sums is None else self.stream.layers[:-1]
        shapes = [tensors[t].shape for t in (step.inputs[0], *(layer.step.output for layer in layers))]
        self.heights = [shape[1] for shape in shapes]
        self.widths = [shape[2] * shape[3] for shape in shapes]
        self.output_bytes = tensors[step.output].size_bytes
        if self.sums is not None:
            self.heights.append(self.heights[self.stream.layers[-1].operands[0]])
            self.widths.append(self.output_bytes)
        image, output = self.heights[0] * self.widths[0], self.output_bytes
        at = _GAP + self.stream.states_offset + _GAP
        self.bytes = rng.integers(0, 256, at + max(output, self.stream.lead_bytes + image) + _GAP, np.uint8)
        self.begin = [at + self.stream.lead_bytes, *(_GAP + layer.window_offset for layer in self.stream.layers)]
        self.begin[-1] = at
        self.first = [0] * len(self.heights)
        self.written = [0] * len(self.heights)
        self.moves = 0

    def row(self, layer: int, row: int) -> slice:
        start = self.begin[layer] + (row - self.first[layer]) * self.widths[layer]
        return slice(start, start + self.widths[layer])

    def seen(self, index: int, row: int) -> range:
        """Rows of its operands that a row of a layer's output sees."""
        layer = self.stream.layers[index - 1]
        first = row * layer.stride - layer.step.padding[0]
        return range(max(first, 0), min(first + layer.extent, self.heights[layer.operands[0]]))

    def called_next(self, index: int) -> range:
        """The rows that the next call of a layer writes."""
        layer = self.stream.layers[index - 1]
        return range(self.written[index], min(self.written[index] + layer.rows_per_call, self.heights[index]))

    def waits_for(self, index: int) -> int:
        """How many rows of its operands a layer's next call sees, one at least; all, where there is none."""
        rows = self.called_next(index)
        operand = self.stream.layers[index - 1].operands[0]
        return max([1, *(self.seen(index, row).stop for row in rows)]) if rows else self.heights[operand]

    def ready(self, index: int) -> bool:
        """Whether a layer has a next call, all is there that it sees, and something waits for it."""
        last = len(self.stream.layers)
        readers = [r for r, layer in enumerate(self.stream.layers, 1) if index in layer.operands]
        awaited = index == last or any(self.waits_for(reader) > self.written[index] for reader in readers)
        operands = self.stream.layers[index - 1].operands
        complete = all(self.written[o] >= self.waits_for(index) for o in operands)
        return awaited and complete and len(self.called_next(index)) > 0

    def call(self, index: int) -> None:
        layer = self.stream.layers[index - 1]
        rows = self.called_next(index)
        if index < len(self.stream.layers):
            self.make_room(index, len(rows))
        values = [self.value(index, row, lambda operand, r: self.bytes[self.row(operand, r)]) for row in rows]
        if layer.sums_offset is not None:
            self.add(values, layer.sums_offset, rows)
        else:
            for row, value in zip(rows, values, strict=True):
                self.bytes[self.row(index, row)] = value
        self.written[index] = rows.stop
        assert layer.window_rows >= self.written[index] - self.first[index]

    def add(self, values: list[np.ndarray], offset: int, rows: range) -> None:  # type: ignore[type-arg]
        """Add rows to the sum, and write the output if they are the last."""
        place = self.bytes[_GAP + offset : _GAP + offset + 4].view("<u4")
        place[0] = (0 if rows.start == 0 else int(place[0])) + sum(int(value[0]) for value in values)
        if rows.stop == self.heights[-1]:
            self.bytes[self.begin[-1] : self.begin[-1] + self.output_bytes] = summed(int(place[0]), self.output_bytes)

    def make_room(self, index: int, count: int) -> None:
        layer = self.stream.layers[index - 1]
        if self.written[index] + count - self.first[index] <= layer.window_rows:
            return
        first = min(self.written[index], *(self.seen(r, self.written[r]).start for r in layer.readers))
        kept = [self.bytes[self.row(index, row)].copy() for row in range(first, self.written[index])]
        self.first[index] = first
        for row, value in enumerate(kept, first):
            self.bytes[self.row(index, row)] = value
        self.moves += 1

    def value(self, index: int, row: int, read) -> np.ndarray:  # type: ignore[no-untyped-def,type-arg]
        """What a row of a layer holds, given its operands' rows."""
        operands = self.stream.layers[index - 1].operands
        total = sum(
            (place + 1) * (1 + int(read(operand, r).astype(np.int64) @ np.arange(1, self.widths[operand] + 1)))
            for place, (operand, r) in enumerate((o, r) for o in operands for r in self.seen(index, row))
        )
        return ((total + np.arange(self.widths[index])) % 251).astype(np.uint8)

    def run(self) -> None:
        while self.written[0] < self.heights[0]:
            self.written[0] += 1
            while ready := [index for index in range(1, len(self.heights)) if self.ready(index)]:
                self.call(max(ready))


def summed(total: int, output_bytes: int) -> np.ndarray:  # type: ignore[type-arg]
    """What a layer that adds rows to a sum writes in the end."""
    return ((total + np.arange(output_bytes)) % 251).astype(np.uint8)


def expected(memory: Memory) -> np.ndarray:  # type: ignore[type-arg]
    """The output where every result is there as a whole."""
    image = slice(memory.begin[0], memory.begin[0] + memory.heights[0] * memory.widths[0])
    whole = [memory.bytes[image].copy().reshape(memory.heights[0], -1)]
    for index in range(1, len(memory.heights)):
        rows = [memory.value(index, row, lambda o, r: whole[o][r]) for row in range(memory.heights[index])]
        whole.append(np.array(rows))
    if memory.sums is not None:
        return summed(sum(int(row[0]) for row in whole[-1]), memory.output_bytes)
    return whole[-1].reshape(-1)


@pytest.mark.parametrize("seed", range(8))
def test_no_row_is_read_that_is_gone(seed: int) -> None:
    overlapping = moved = with_sums = 0
    for index in range(12):
        schedule = random_segments(seed, index, InstructionSet.DSP).schedule
        for step in schedule.steps:
            if step.stream is None:
                continue
            memory = Memory(schedule, step, np.random.default_rng(index))
            result = expected(memory)
            before = memory.bytes.copy()
            memory.run()
            output = slice(memory.begin[-1], memory.begin[-1] + len(result))
            np.testing.assert_array_equal(memory.bytes[output], result, step.name)
            for gap in (slice(0, _GAP), slice(memory.begin[-1] - _GAP, memory.begin[-1]), slice(-_GAP, None)):
                np.testing.assert_array_equal(memory.bytes[gap], before[gap])
            assert memory.moves == step.features["slides"]
            overlapping += output.stop > memory.begin[0]
            moved += memory.moves
            with_sums += memory.sums is not None
    assert overlapping > 10
    assert moved > 50
    assert with_sums > 0


@pytest.mark.parametrize("what", ["window", "lead"])
def test_the_simulation_sees_one_row_too_few(what: str) -> None:
    """Of a window, and one word of the output's lead."""
    wrong = 0
    for index in range(40):
        schedule = random_segments(1, index, InstructionSet.DSP).schedule
        for step in (step for step in schedule.steps if step.stream is not None):
            memory = Memory(schedule, step, np.random.default_rng(index))
            if what == "lead" and memory.stream.lead_bytes:
                memory.begin[0] -= 4 + memory.widths[0]
            elif what == "window" and len(memory.stream.layers) > (1 if memory.sums is None else 2):
                memory.begin[1] += memory.widths[1]
                memory.begin[2] -= memory.widths[2] if len(memory.stream.layers) > 2 else 0
            else:
                continue
            result = expected(memory)
            memory.run()
            wrong += not np.array_equal(memory.bytes[memory.begin[-1] : memory.begin[-1] + len(result)], result)
    assert wrong > 1
