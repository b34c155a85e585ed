"""What the search predicts of a network row by row is what the whole network, lowered with the same plans, takes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinynas.engine import Execution
from tinynas.graph import DType, count_macs
from tinynas.latency import LatencyModel, latency_model_path, load_latency_model
from tinynas.lowering import Lowering
from tinynas.memory import NativeMemoryModel, block_cost, plan_arena
from tinynas.pipeline.costs import BlockSchedules, CostModel
from tinynas.pipeline.costs._streamed_blocks import StreamedBlocks
from tinynas.spaces import Architecture, build_graph, load_space
from tinynas.targets import Board, Reserve, load_board

LOWERING = Lowering()


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board("stm32f746g-disco")


@pytest.fixture(scope="module")
def memory(board: Board) -> NativeMemoryModel:
    return NativeMemoryModel.for_board(board)


@pytest.fixture(scope="module")
def latency(board: Board) -> LatencyModel:
    return load_latency_model(latency_model_path(board.core.name, "zig"))


def architectures(count: int) -> list[Architecture]:
    """Networks that do not fit the board as a whole, most of them, of weights that do."""
    space, rng = load_space("mobile"), np.random.default_rng(5)
    return [
        space.decode(space.sample(rng), 0.4, int(rng.choice([160, 192, 208, 223, 224])), 3, 10) for _ in range(count)
    ]


@pytest.mark.parametrize("pushed", [False, True])
def test_costs_are_those_of_the_schedule_that_is_built(
    pushed: bool, board: Board, memory: NativeMemoryModel, latency: LatencyModel
) -> None:
    reserve = Reserve(sram_bytes=120_000)
    plain = CostModel(board, memory, reserve)
    costs = CostModel(board, memory, reserve, streams=True, stream_input=pushed).with_latency(latency)
    streamed = stages = 0
    for architecture in architectures(14):
        cost = costs.of(architecture)
        graph = build_graph(architecture, DType.INT8)
        execution = costs.execution(architecture, graph)
        schedule = execution.schedule()
        assert execution == Execution(graph, cost.lowering, cost.patches, streams=cost.streams)
        assert cost.macs == count_macs(graph) == schedule.macs
        assert cost.sram_bytes == memory.sram(schedule).static_bytes
        assert cost.stack_bytes == memory.sram(schedule).stack_bytes
        assert cost.flash_bytes == memory.flash(schedule).total_bytes
        assert cost.latency == pytest.approx(latency.predict(schedule).total)
        assert (cost.violations == ()) == (memory.fits(schedule, reserve).fits is True)
        assert (cost.violations == ()) == costs.fits(architecture).fits
        assert schedule.input_by_rows is (pushed and not cost.violations)
        if cost.streams:
            assert cost.violations == ()
            assert pushed or plain.of(architecture).violations != ()
            streamed += 1
            stages += cost.streams[0].first == 0
    assert streamed > 4
    assert stages > 0


def test_what_fits_as_a_whole_runs_as_a_whole(board: Board, memory: NativeMemoryModel) -> None:
    space = load_space("mobile")
    architecture = space.decode(space.smallest(), 0.2, 96, 3, 10)
    assert CostModel(board, memory, Reserve(), streams=True).of(architecture).streams == ()


def test_an_input_by_rows_that_takes_too_much_is_refused_in_words(board: Board, memory: NativeMemoryModel) -> None:
    space = load_space("mobile")
    architecture = space.decode(space.largest(), 1.0, 224, 3, 10)
    cost = CostModel(board, memory, Reserve(), stream_input=True).of(architecture)
    assert "its input cannot come row by row in the memory that there is" in cost.violations
    assert cost.excess == math.inf


def test_a_word_that_outlives_the_network_is_counted_once(memory: NativeMemoryModel) -> None:
    """However large the arenas of other blocks are, it lies beside them."""
    architecture = load_space("mobile").decode(load_space("mobile").smallest(), 0.4, 160, 3, 10)
    blocks = BlockSchedules(LOWERING)
    found = StreamedBlocks(blocks, memory, Reserve()).find(architecture, pushed=True)
    assert found is not None
    schedule = LOWERING(build_graph(architecture, DType.INT8), streams=found.streams)
    assert found.cost == block_cost(schedule)
    assert found.cost.arena_bytes == plan_arena(schedule).arena_bytes
    assert found.cost.kept_bytes == 4
