"""The schedule of a network that does not fit as a whole: parts of it run row by row."""

from __future__ import annotations

import pytest

from tinynas.engine import choose_schedule
from tinynas.graph import Activation, DType, Graph, GraphBuilder
from tinynas.latency import latency_model_path, load_latency_model
from tinynas.lowering import Lowering
from tinynas.memory import NativeMemoryModel, plan_arena
from tinynas.targets import Reserve, load_board

BOARD = load_board("nucleo-f303k8")
LOWERING = Lowering.for_core(BOARD.core)
MEMORY = NativeMemoryModel.for_board(BOARD)
BIG = NativeMemoryModel.for_board(load_board("virt-m4"))
LATENCY = load_latency_model(latency_model_path(BOARD.core.name, "zig"))


def bottlenecks(side: int) -> Graph:
    """Inverted bottlenecks whose expansions are four times what is between them."""
    b = GraphBuilder("bottlenecks", DType.INT8)
    x = b.conv_2d(b.input((1, side, side, 3)), 8, 3, stride=2, activation=Activation.RELU6, name="stem")
    for i, stride in enumerate((1, 2, 1)):
        y = b.conv_2d(x, 4 * b.shape(x)[3], 1, activation=Activation.RELU6, name=f"expand{i}")
        y = b.depthwise_conv_2d(y, 3, stride=stride, activation=Activation.RELU6, name=f"depthwise{i}")
        y = b.conv_2d(y, 8 * stride, 1, name=f"project{i}")
        x = b.add(x, y, name=f"sum{i}") if b.shape(x) == b.shape(y) else y
    return b.build([b.fully_connected(b.mean(x, name="pool"), 4, name="head")])


def test_what_fits_as_a_whole_runs_as_a_whole() -> None:
    chosen = choose_schedule(bottlenecks(24), LOWERING, MEMORY, LATENCY)
    assert chosen.fits
    assert chosen.execution.streams == ()
    assert chosen.changes == ()


def test_a_network_of_twice_the_arena_fits_row_by_row_for_a_few_instructions() -> None:
    graph = bottlenecks(40)
    limit = plan_arena(LOWERING(graph)).arena_bytes // 2
    chosen = choose_schedule(graph, LOWERING, MEMORY, LATENCY, arena_bytes=limit)
    assert chosen.fits
    assert plan_arena(chosen.schedule).arena_bytes <= limit
    assert chosen.schedule.macs == LOWERING(graph).macs
    before = LATENCY.predict(chosen.first.schedule).total
    assert before is not None
    assert chosen.extra_ticks is not None
    assert 0 < chosen.extra_ticks < 0.1 * before
    assert chosen.changes
    assert all(line.endswith("row by row") for line in chosen.changes)


def test_row_by_row_it_fits_a_board_that_is_too_small_for_it_otherwise() -> None:
    graph = bottlenecks(56)
    chosen = choose_schedule(graph, LOWERING, MEMORY, LATENCY)
    assert chosen.arena_bytes_by_shape > 3 * MEMORY.largest_arena()
    assert chosen.fits
    refused = choose_schedule(graph, LOWERING, MEMORY, LATENCY, streams=False, patches=False)
    assert refused.fits is False


@pytest.mark.parametrize("share", [0.9, 0.6, 0.4])
def test_the_arena_may_be_given(share: float) -> None:
    graph = bottlenecks(32)
    whole = plan_arena(LOWERING(graph)).arena_bytes
    chosen = choose_schedule(graph, LOWERING, MEMORY, LATENCY, arena_bytes=int(share * whole))
    assert chosen.fits
    assert plan_arena(chosen.schedule).arena_bytes <= share * whole


def test_the_nearest_miss_runs_row_by_row() -> None:
    chosen = choose_schedule(bottlenecks(160), LOWERING, MEMORY, LATENCY, patches=False)
    assert chosen.fits is False
    assert chosen.nearest is not None
    assert chosen.nearest.execution.streams
    assert "row by row" in chosen.reasons[-1]


def test_flash_of_segments_is_counted_where_kernels_are_chosen() -> None:
    """Kernels for speed are chosen beside segments only as far as the segments leave room for them."""
    graph = bottlenecks(56)
    free = choose_schedule(graph, LOWERING, MEMORY, LATENCY)
    total = MEMORY.flash(free.schedule).total_bytes
    spare = BOARD.code_region.size_bytes - total
    for more in range(0, 1500, 100):
        reserve = Reserve(flash_bytes=spare + more)
        chosen = choose_schedule(graph, LOWERING, MEMORY, LATENCY, reserve, patches=False)
        if chosen.fits:
            assert MEMORY.fits(chosen.schedule, reserve).fits
        assert chosen.fits or more > 0


def _read_three_times(side: int, channels: int) -> tuple[GraphBuilder, int]:
    """A large image that three narrow ones are made of: no window of it can have so many readers."""
    b = GraphBuilder("read three times", DType.INT8)
    x = b.conv_2d(b.input((1, side, side, 4)), channels, 3, name="stem")
    wide = b.conv_2d(x, 2 * channels, 3, activation=Activation.RELU6, name="wide")
    narrow = [b.conv_2d(wide, 4, 3, stride=2, name=f"narrow{i}") for i in range(3)]
    return b, b.add(b.add(narrow[0], narrow[1], name="sum0"), narrow[2], name="sum1")


@pytest.fixture
def patched() -> Graph:
    """It fits two thirds of its arena in patches only."""
    b, x = _read_three_times(32, 8)
    return b.build([b.fully_connected(b.mean(x, name="pool"), 4, name="head")])


def test_patches_are_looked_at_where_they_are_allowed(patched: Graph) -> None:
    limit = plan_arena(LOWERING(patched)).arena_bytes * 2 // 3
    board = load_board("virt-m4")
    memory, lowering = NativeMemoryModel.for_board(board), Lowering.for_core(board.core)
    chosen = choose_schedule(patched, lowering, memory, LATENCY, arena_bytes=limit)
    assert plan_arena(chosen.schedule).arena_bytes <= limit
    assert chosen.execution.patches is not None
    without = choose_schedule(patched, lowering, memory, LATENCY, arena_bytes=limit, patches=False)
    assert without.execution.patches is None
    assert without.nearest is not None
    assert without.nearest.execution.patches is None


def test_patches_do_not_hide_an_order_that_costs_nothing() -> None:
    """Three wide images made before the narrow ones of each: one at a time fits as a whole."""
    b = GraphBuilder("order", DType.INT8)
    stem = b.conv_2d(b.input((1, 32, 32, 4)), 4, 3, name="stem")
    x = b.conv_2d(stem, 8, 1, name="x")
    wide = [b.conv_2d(x, 16, 3, activation=Activation.RELU6, name=f"wide{i}") for i in range(3)]
    narrow = [b.conv_2d(w, 4, 3, stride=2, name=f"narrow{i}") for i, w in enumerate(wide)]
    y = b.add(b.add(narrow[0], narrow[1], name="sum0"), narrow[2], name="sum1")
    y = b.add(y, b.conv_2d(stem, 4, 1, stride=2, name="shortcut"), name="sum2")
    graph = b.build([b.fully_connected(b.mean(y, name="pool"), 4, name="head")])
    board = load_board("virt-m4")
    memory, lowering = NativeMemoryModel.for_board(board), Lowering.for_core(board.core)
    chosen = choose_schedule(graph, lowering, memory, LATENCY, arena_bytes=40_000)
    assert chosen.fits
    assert chosen.execution.reordered
    assert chosen.execution.patches is None
    assert chosen.extra_ticks == 0


@pytest.mark.parametrize("side", [32, 48])
def test_more_arena_never_makes_it_slower(side: int) -> None:
    """Where it fits as a whole, too, and may take more than that."""
    graph = bottlenecks(side)
    whole = plan_arena(LOWERING(graph)).arena_bytes
    ticks = []
    for limit in (2 * whole, whole, whole - 1, *(int(share * whole) for share in (0.8, 0.6, 0.4))):
        chosen = choose_schedule(graph, LOWERING, BIG, LATENCY, arena_bytes=limit)
        assert chosen.fits
        assert plan_arena(chosen.schedule).arena_bytes <= limit
        predicted = LATENCY.predict(chosen.schedule).total
        assert predicted is not None
        ticks.append(predicted)
    assert ticks == sorted(ticks)
