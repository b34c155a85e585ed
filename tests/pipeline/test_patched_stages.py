"""What the search predicts of a network in patches is what the whole network, lowered with the same patches, takes."""

from __future__ import annotations

import numpy as np
import pytest

from tinynas.graph import DType, count_macs
from tinynas.latency import LatencyModel, Measurement, fit_latency
from tinynas.lowering import Lowering, PatchPlan, Schedule
from tinynas.memory import BlockCost, NativeMemoryModel, block_cost, combine, plan_arena
from tinynas.pipeline._costs import BlockSchedules, CostModel
from tinynas.pipeline._patched_stages import MOST_BLOCKS, PATCHES, PatchedStages
from tinynas.spaces import Architecture, build_graph, load_space
from tinynas.targets import Board, Reserve, load_board

APART = Lowering(in_place=False)


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board("stm32f746g-disco")


@pytest.fixture(scope="module")
def memory(board: Board) -> NativeMemoryModel:
    return NativeMemoryModel.for_board(board)


def random_architectures(count: int) -> list[Architecture]:
    """Networks of both spaces, at odd resolutions too: rows then do not divide evenly among patches."""
    rng = np.random.default_rng(17)
    spaces = [load_space("mobile"), load_space("mobile-tiny")]
    drawn = []
    for index in range(count):
        space = spaces[index % 2]
        width = float(rng.choice(space.width_multipliers))
        resolution = int(rng.integers(16, 150)) if index % 2 == 0 else int(rng.integers(12, 40))
        drawn.append(space.decode(space.sample(rng), width, resolution, int(rng.choice([1, 3])), 10))
    return drawn


@pytest.mark.parametrize("lowering", [Lowering(), APART], ids=["in-place", "apart"])
def test_a_stage_combined_with_the_other_blocks_is_the_whole_network(
    lowering: Lowering, memory: NativeMemoryModel
) -> None:
    blocks_of = BlockSchedules(lowering)
    stages = PatchedStages(lowering, blocks_of.schedule, memory, Reserve())
    rng = np.random.default_rng(3)
    compared = 0
    for architecture in random_architectures(40):
        blocks = int(rng.integers(1, MOST_BLOCKS + 1))
        stage = stages.stage(architecture, blocks, int(rng.choice(PATCHES[:6])))
        if stage is None:
            continue
        schedule = lowering(build_graph(architecture, DType.INT8), stage.plan)
        rest = [block_cost(blocks_of.schedule(block)) for block in architecture.blocks[blocks:]]
        combined = combine([stage.cost, *rest])
        assert combined == block_cost(schedule)
        assert combined.arena_bytes == plan_arena(schedule).arena_bytes
        assert steps_of(stages.schedule(stage)) == steps_of(schedule)[: len(stages.schedule(stage).steps)]
        compared += 1
    assert compared > 25


def steps_of(schedule: Schedule) -> list[tuple[object, ...]]:
    return [(s.name, s.variant, s.macs, s.constant_bytes, s.scratch_bytes, dict(s.features)) for s in schedule.steps]


def test_costs_with_patches_are_those_of_the_schedule_that_they_name(board: Board, memory: NativeMemoryModel) -> None:
    space, rng = load_space("mobile"), np.random.default_rng(2)
    architectures = [space.decode(space.sample(rng), 0.6, 192, 3, 10) for _ in range(12)]
    model = latency_of_everything(architectures)
    plain = CostModel(board, memory, Reserve())
    patched = CostModel(board, memory, Reserve(), patches=True).with_latency(model)
    chosen = 0
    for architecture in architectures:
        cost = patched.of(architecture)
        graph = build_graph(architecture, DType.INT8)
        schedule = Lowering()(graph, cost.patches)
        assert cost.macs == count_macs(graph)
        assert cost.sram_bytes == memory.sram(schedule).static_bytes
        assert cost.flash_bytes == memory.flash(schedule).total_bytes
        assert cost.latency == pytest.approx(model.predict(schedule).total)
        assert (cost.violations == ()) == (memory.fits(schedule).fits is True) == patched.fits(architecture).fits
        if cost.patches is None:
            assert cost.violations == plain.of(architecture).violations
        else:
            assert plain.of(architecture).violations != ()
            assert cost.violations == ()
            assert schedule.macs > cost.macs
            chosen += 1
    assert chosen > 0


def latency_of_everything(architectures: list[Architecture]) -> LatencyModel:
    """A model that knows every kernel, in patches and not; what it says does not matter."""
    rng = np.random.default_rng(0)
    schedules = [
        Lowering()(build_graph(architecture, DType.INT8), plan)
        for architecture in architectures[:6]
        for plan in (None, PatchPlan(3, 4))
    ]
    return fit_latency(
        [
            Measurement(step.variant, step.features, float(10 + sum(step.features.values()) * rng.uniform(1, 3)))
            for schedule in schedules
            for step in schedule.steps
        ]
    )


def test_the_stage_found_has_the_fewest_macs(memory: NativeMemoryModel) -> None:
    architecture = load_space("mobile").decode(load_space("mobile").smallest(), 0.6, 208, 3, 10)
    schedules = BlockSchedules(Lowering())
    costs = [block_cost(schedules.schedule(block)) for block in architecture.blocks]
    stages = PatchedStages(Lowering(), schedules.schedule, memory, Reserve())
    found = stages.find(architecture, costs)
    assert found is not None

    def whole(blocks: int, patches: int) -> BlockCost | None:
        stage = stages.stage(architecture, blocks, patches)
        return None if stage is None else combine([stage.cost, *costs[blocks:]])

    every = [whole(blocks, patches) for blocks in range(1, MOST_BLOCKS + 1) for patches in PATCHES]
    fitting = [cost.macs for cost in every if cost is not None and memory.verdict([cost]).fits]
    assert combine([found.cost, *costs[len(found.blocks) :]]).macs == min(fitting)


def test_no_patches_help_where_the_blocks_behind_them_are_too_large(memory: NativeMemoryModel) -> None:
    architecture = load_space("mobile").decode(load_space("mobile").largest(), 1.0, 224, 3, 10)
    schedules = BlockSchedules(Lowering())
    costs = [block_cost(schedules.schedule(block)) for block in architecture.blocks]
    stages = PatchedStages(Lowering(), schedules.schedule, memory, Reserve())
    assert stages.find(architecture, costs) is None


def test_the_largest_arena_is_the_last_that_fits(board: Board, memory: NativeMemoryModel) -> None:
    for reserve in (Reserve(), Reserve(sram_bytes=10_001)):
        largest = memory.largest_arena(reserve)
        fitting, one_more = (memory.verdict([BlockCost(arena_bytes=a)], reserve) for a in (largest, largest + 1))
        assert fitting.fits is True
        assert one_more.fits is False
    assert memory.largest_arena(Reserve(sram_bytes=board.arena_region.size_bytes)) == -1
