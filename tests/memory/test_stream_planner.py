"""Which parts run row by row: predicted to the byte and the tick, and none better among all mixes."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.kernels import InstructionSet
from tinynas.lowering import Lowering, PatchError, PatchPlan, Schedule, StreamError, StreamPlan, lower
from tinynas.memory import Cell, KernelTicks, cells_of, patched_stages, plan_arena, stream_choices
from tinynas.memory._patching import PATCHES
from tinynas.memory._stream_cells import GRANULARITIES
from tinynas.testing.layers import random_segments


def ticks(variant: str, features: Mapping[str, float]) -> float:
    """Any linear model: the same numbers each time, and whole ones, so that sums are exact."""
    return sum(value * (1 + zlib.crc32(f"{variant} {name}".encode()) % 97) for name, value in features.items())


def ticks_of(schedule: Schedule) -> float:
    return sum(ticks(part.variant, part.features) for step in schedule.steps for part in step.parts)


def cells(graph: Graph, lowering: Lowering) -> tuple[Cell, ...]:
    return cells_of(lowering(graph), lowering)


@pytest.mark.parametrize("core", [InstructionSet.DSP, InstructionSet.ARMV6M])
@pytest.mark.parametrize("seed", range(5))
def test_predictions_are_what_is_lowered(seed: int, core: InstructionSet) -> None:
    lowering, streamed = Lowering(core), 0
    for index in range(8):
        graph = random_segments(seed, index, core).schedule.graph
        for choice in stream_choices(cells(graph, lowering), ticks):
            schedule = lowering(graph, streams=choice.streams)
            assert plan_arena(schedule).arena_bytes == choice.arena_bytes
            assert ticks_of(schedule) == choice.ticks
            streamed += bool(choice.streams)
    assert streamed > 10


def test_rows_that_nothing_needs_free_what_they_read() -> None:
    """No row of c sees the last one of b, which is written as soon as c is complete, and then x is read no further."""
    b = GraphBuilder("unneeded", DType.INT8)
    x = b.input((1, 8, 8, 4))
    y = b.conv_2d(x, 32, 3, stride=2, name="a")
    z = b.conv_2d(b.conv_2d(x, 8, 1, name="b"), 32, 1, stride=2, name="c")
    graph, lowering = b.build([b.add(y, z, name="sum")]), Lowering(InstructionSet.DSP)
    choices = stream_choices(cells(graph, lowering), ticks)
    for choice in choices:
        assert plan_arena(lowering(graph, streams=choice.streams)).arena_bytes == choice.arena_bytes
    assert any(choice.streams for choice in choices)


def _two_branches(seed: int) -> Graph:
    """One to three sums, each of two branches of one to three convolutions, of any window, some of stride 2."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder("branches", DType.INT8)

    def number(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    def branch(x: int, out_channels: int, stride: int, name: str) -> int:
        depth = number(1, 3)
        for index in range(depth):
            channels = out_channels if index == depth - 1 else number(2, 8)
            x = b.conv_2d(x, channels, number(1, 4), stride=stride if index == 0 else 1, name=f"{name}{index}")
        return x

    x = b.input((1, number(5, 14), number(4, 8), number(1, 6)))
    for index in range(number(1, 3)):
        channels, stride = number(2, 32), number(1, 2)
        x = b.add(*(branch(x, channels, stride, f"{side}{index}-") for side in "ab"), name=f"sum{index}")
    return b.build([x])


@pytest.mark.parametrize("seed", range(6))
def test_predictions_of_branches_are_what_is_lowered(seed: int) -> None:
    lowering = Lowering(InstructionSet.DSP)
    for index in range(15):
        graph = _two_branches(15 * seed + index)
        for choice in stream_choices(cells(graph, lowering), ticks):
            schedule = lowering(graph, streams=choice.streams)
            assert plan_arena(schedule).arena_bytes == choice.arena_bytes
            assert ticks_of(schedule) == choice.ticks


def _chain() -> Graph:
    b = GraphBuilder("chain", DType.INT8)
    x = b.conv_2d(b.input((1, 10, 5, 3)), 6, 3, name="a")
    x = b.depthwise_conv_2d(x, 3, stride=2, name="b")
    return b.build([b.conv_2d(x, 2, 3, name="c")])


def _branches() -> Graph:
    b = GraphBuilder("branches", DType.INT8)
    x = b.conv_2d(b.input((1, 24, 6, 2)), 12, 3, name="stem")
    y = b.conv_2d(b.conv_2d(x, 6, 3, stride=2, name="a"), 4, 3, name="b")
    x = b.add(y, b.conv_2d(x, 4, 1, stride=2, name="shortcut"), name="sum")
    return b.build([b.mean(x, name="pool")])


def _interrupted() -> Graph:
    """What works row by row, and in the middle what does not."""
    b = GraphBuilder("interrupted", DType.INT8)
    x = b.conv_2d(b.conv_2d(b.input((1, 6, 5, 2)), 8, 3, name="a"), 2, 1, name="b")
    x = b.transpose(x, (0, 2, 1, 3), name="turned")
    return b.build([b.conv_2d(x, 8, 3, name="c")])


def _reshaped() -> Graph:
    b = GraphBuilder("reshaped", DType.INT8)
    x = b.conv_2d(b.input((1, 8, 8, 1)), 6, 3, name="a")
    return b.build([b.conv_2d(b.reshape(x, (1, 16, 4, 6), name="reshape"), 2, 3, name="b")])


def _classified() -> Graph:
    """All pixels of an image are inputs of the head, which adds them to sums as they come."""
    b = GraphBuilder("classified", DType.INT8)
    x = b.conv_2d(b.input((1, 12, 6, 2)), 8, 3, name="a")
    x = b.max_pool_2d(b.pad(x, [(0, 0), (1, 2), (0, 0), (0, 0)], name="pad"), 3, stride=2, name="pool")
    return b.build([b.fully_connected(b.reshape(x, (1, -1), name="flat"), 3, name="head")])


def _mixes(parts: tuple[Cell, ...]) -> Iterator[tuple[StreamPlan, ...]]:
    """Every mix: each cell as a whole, or some in a row in a segment at any granularity."""
    positions = [0, *itertools.accumulate(cell.steps for cell in parts)]

    def from_cell(first: int) -> Iterator[tuple[StreamPlan, ...]]:
        if first == len(parts):
            yield ()
            return
        for rest in from_cell(first + 1):
            yield rest
        for end in range(first + 1, len(parts) + 1):
            for granularity in GRANULARITIES:
                streamed = [cell.streamed.get(granularity) for cell in parts[first:end]]
                if None in streamed:
                    continue
                rows = tuple(row for cell in streamed if cell is not None for row in cell.rows)
                for rest in from_cell(end):
                    yield (StreamPlan(positions[first], rows), *rest)

    return from_cell(0)


@pytest.mark.parametrize("make", [_chain, _branches, _interrupted, _reshaped, _classified])
def test_no_mix_is_better(make: object) -> None:
    assert callable(make)
    graph = make()
    lowering = Lowering()
    parts = cells(graph, lowering)
    whole = plan_arena(lowering(graph)).arena_bytes
    found = set()
    for plans in set(_mixes(parts)):
        try:
            schedule = lower(graph, streams=plans)
        except StreamError:
            continue
        # A segment that takes more than the network as a whole is not looked at.
        if (arena := plan_arena(schedule).arena_bytes) <= whole:
            found.add((arena, ticks_of(schedule)))
    best = {a for a in found if not any(b != a and b[0] <= a[0] and b[1] <= a[1] for b in found)}
    assert len(found) > 10
    assert {(choice.arena_bytes, choice.ticks) for choice in stream_choices(parts, ticks)} == best


def test_choices_grow_in_bytes_and_shrink_in_ticks() -> None:
    choices = stream_choices(cells(_branches(), Lowering()), ticks)
    assert len(choices) > 2
    assert [c.arena_bytes for c in choices] == sorted({c.arena_bytes for c in choices})
    assert [c.ticks for c in choices] == sorted({c.ticks for c in choices}, reverse=True)


def test_most_bytes_leaves_the_others_as_they_are() -> None:
    parts = cells(_branches(), Lowering())
    choices = stream_choices(parts, ticks)
    middle = choices[len(choices) // 2].arena_bytes
    assert stream_choices(parts, ticks, most_bytes=middle) == [c for c in choices if c.arena_bytes <= middle]
    assert stream_choices(parts, ticks, most_bytes=choices[0].arena_bytes - 1) == []


def test_calls_are_counted_where_ticks_are_not_known() -> None:
    parts = cells(_branches(), Lowering())

    def unknown(variant: str, features: Mapping[str, float]) -> float | None:
        return None if variant == "add" else 1.0

    choices = stream_choices(parts, unknown)
    assert choices == stream_choices(parts)
    for choice in choices:
        streams = [step for step in lower(_branches(), streams=choice.streams).steps if step.stream is not None]
        assert choice.ticks == sum(step.features["kernel_calls"] for step in streams)
    assert choices[-1].streams == ()


def test_a_cell_that_cannot_run_row_by_row_keeps_no_other_from_it() -> None:
    b = GraphBuilder("padding", DType.INT8)
    x = b.conv_2d(b.conv_2d(b.input((1, 12, 6, 2)), 16, 3, name="a"), 2, 3, name="b")
    y = b.pad(x, [(0, 0), (3, 0), (0, 0), (0, 0)], name="pad")
    graph = b.build([b.conv_2d(y, 2, 1, name="sees nothing but padding")])
    parts = cells(graph, Lowering())
    finest = GRANULARITIES[0]
    assert [finest in cell.streamed for cell in parts] == [True, True, False]
    assert stream_choices(parts, ticks)[0].streams[0].first == 0


def test_a_network_that_runs_as_a_whole_only() -> None:
    b = GraphBuilder("vector", DType.INT8)
    graph = b.build([b.fully_connected(b.input((1, 20)), 4, name="head")])
    (choice,) = stream_choices(cells(graph, Lowering()), ticks)
    plain = lower(graph)
    assert (choice.arena_bytes, choice.ticks) == (plan_arena(plain).arena_bytes, ticks_of(plain))
    assert choice.streams == ()
    assert np.isfinite(choice.ticks)


def _trips(variant: str, features: Mapping[str, float]) -> float:
    """Ticks that grow with what is computed, as those of real kernels do: more patches take more."""
    return sum(features.values())


def _dear_segments(variant: str, features: Mapping[str, float]) -> float:
    """Ticks with which patches pay."""
    return _trips(variant, features) * (1000 if variant == "stream" else 1)


@pytest.mark.parametrize("of", [_trips, _dear_segments])
@pytest.mark.parametrize("make", [_chain, _branches, _classified])
def test_no_mix_with_patches_is_faster(make: object, of: KernelTicks) -> None:
    """Of a stage that does not fit as a whole, the fewest patches that fit are looked at."""
    assert callable(make)
    graph, lowering = make(), Lowering()
    plain = lowering(graph)
    parts = cells(graph, lowering)
    whole = plan_arena(plain).arena_bytes
    found = list(_with_patches(graph, parts, of, whole))
    in_patches = 0
    for limit in sorted({arena for *_, arena, _ in found}):
        alone = stream_choices(parts, of, most_bytes=limit)
        stages = list(patched_stages(plain, parts, lowering, limit, (of, alone[-1].ticks) if alone else None))
        fastest = stream_choices(parts, of, most_bytes=limit, stages=stages)[-1]
        assert fastest.ticks == min(_fewest_patches(found, parts, limit))
        schedule = lowering(graph, fastest.patches, fastest.streams)
        assert (plan_arena(schedule).arena_bytes, _total(schedule, of)) == (fastest.arena_bytes, fastest.ticks)
        in_patches += fastest.patches is not None
    assert in_patches > 0 or of is _trips or make is _classified  # whose PAD is in no patches


def _total(schedule: Schedule, of: KernelTicks) -> float:
    return sum(of(part.variant, part.features) or 0.0 for step in schedule.steps for part in step.parts)


_Mix = tuple[tuple[StreamPlan, ...], PatchPlan | None, int, float]


def _with_patches(graph: Graph, parts: tuple[Cell, ...], of: KernelTicks, whole: int) -> Iterator[_Mix]:
    """Every mix, the first cells in patches or not, its arena and ticks; no segments that take more than the whole."""
    ends = [0, *itertools.accumulate(cell.steps for cell in parts)]
    for plans in set(_mixes(parts)):
        behind = min([plan.first for plan in plans], default=ends[-1])
        stages = [PatchPlan(layers, n) for layers in ends[1:] if layers <= behind for n in PATCHES]
        for patches in (None, *stages):
            try:
                schedule = lower(graph, patches, streams=plans)
            except (StreamError, PatchError):
                continue
            arena = plan_arena(schedule).arena_bytes
            if arena <= whole:
                yield plans, patches, arena, _total(schedule, of)


def _fewest_patches(found: list[_Mix], parts: tuple[Cell, ...], limit: int) -> Iterator[float]:
    """Ticks of the mixes that fit: none in patches that fit as a whole, nor in more patches than another one."""
    ends = [0, *itertools.accumulate(cell.steps for cell in parts)]
    fewest: dict[object, tuple[int, float]] = {}
    for plans, patches, arena, value in found:
        if arena > limit:
            continue
        if patches is None:
            yield value
        elif any(cell.arena_bytes > limit for cell in parts[: ends.index(patches.layers)]):
            key = plans, patches.layers
            fewest[key] = min(fewest.get(key, (patches.patches, value)), (patches.patches, value))
    yield from (value for _, value in fewest.values())
