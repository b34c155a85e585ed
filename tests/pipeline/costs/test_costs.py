"""Costs combined from blocks equal those of the whole network, and limits become violations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinynas.engine import choose_kernels, choose_schedule
from tinynas.graph import DType, count_macs
from tinynas.kernels import InstructionSet
from tinynas.latency import LatencyModel, Measurement, deciding_quantity, fit_latency, instruction_quantity
from tinynas.lowering import Lowering, Schedule
from tinynas.memory import NativeMemoryModel, block_cost, combine, plan_arena
from tinynas.pipeline.costs import BlockSchedules, CostModel, LatencyLimit
from tinynas.pipeline.run import ConfigError, LimitsConfig, RunConfig, latency_limit, quantity_of_run
from tinynas.spaces import Architecture, SearchSpace, build_block_graph, build_graph, load_space
from tinynas.targets import Board, CyclesPerInstruction, Reserve, load_board


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board("nucleo-f303k8")


@pytest.fixture(scope="module")
def memory(board: Board) -> NativeMemoryModel:
    return NativeMemoryModel.for_board(board)


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return load_space("mobile-tiny")


def samples(space: SearchSpace, count: int) -> list[Architecture]:
    rng = np.random.default_rng(5)
    return [space.decode(space.sample(rng), 1.0, 24, 1, 10) for _ in range(count)]


@pytest.mark.parametrize("lowering", [Lowering(), Lowering(in_place=False)], ids=str)
def test_blockwise_costs_equal_those_of_the_whole_network(space: SearchSpace, lowering: Lowering) -> None:
    board = load_board("virt-m4")  # with room for everything, so that nothing is given up
    memory = NativeMemoryModel.for_board(board)
    costs = CostModel(board, memory, Reserve(), schedules=BlockSchedules(lowering))
    for architecture in samples(space, 25):
        graph = build_graph(architecture, DType.INT8)
        schedule = lowering(graph)
        cost = costs.of(architecture)
        assert cost.macs == count_macs(graph)
        assert cost.sram_bytes == memory.sram(schedule).static_bytes
        assert cost.stack_bytes == memory.sram(schedule).stack_bytes
        assert cost.flash_bytes == memory.flash(schedule).total_bytes
        assert cost.latency is None


def test_blockwise_latency_equals_that_of_the_whole_network(space: SearchSpace) -> None:
    board = load_board("virt-m4")
    memory = NativeMemoryModel.for_board(board)
    architectures = samples(space, 12)
    model = latency_of([Lowering()(build_graph(architecture, DType.INT8)) for architecture in architectures])
    costs = CostModel(board, memory, Reserve()).with_latency(model)
    for architecture in architectures:
        whole = model.predict(Lowering()(build_graph(architecture, DType.INT8))).total
        assert costs.of(architecture).latency == pytest.approx(whole)


def few_channels(count: int) -> list[Architecture]:
    """Networks whose first blocks have so few channels that planes and columns are a good part of the arena."""
    space, rng = load_space("mobile-tiny"), np.random.default_rng(6)
    return [space.decode(space.sample(rng), 0.5, int(rng.integers(17, 40)), 3, 10) for _ in range(count)]


@pytest.mark.parametrize("instruction_set", ["dsp", "armv6-m"])
def test_a_network_within_an_arena_has_the_kernels_of_its_blocks(
    instruction_set: str, memory: NativeMemoryModel
) -> None:
    """The property by which costs within an arena can be cached by block: in every arena, too small ones included."""
    plain = Lowering(InstructionSet(instruction_set))
    changed = 0
    for architecture in few_channels(12):
        graph = build_graph(architecture, DType.INT8)
        arena = plan_arena(plain(graph)).arena_bytes
        for limit in (0, arena // 2, arena * 3 // 4, arena - 4, arena):
            lowering = plain.within(limit)
            schedule = lowering(graph)
            blocks = [lowering(build_block_graph(block, DType.INT8)) for block in architecture.blocks]
            assert [s.variant for s in schedule.steps] == [s.variant for block in blocks for s in block.steps]
            assert combine(block_cost(block) for block in blocks) == block_cost(schedule)
            changed += schedule != plain(graph)
            for block, costed in zip(architecture.blocks, blocks, strict=True):
                alone = plain(build_block_graph(block, DType.INT8))
                assert plan_arena(alone).arena_bytes > limit or costed.steps == alone.steps
        assert lowering(graph) == plain(graph)
    assert changed > 12


def test_costs_with_less_scratch_are_those_of_the_schedule_that_they_name(
    board: Board, memory: NativeMemoryModel
) -> None:
    plain, relieved = Lowering.for_core(board.core), 0
    architectures = few_channels(20)
    model = latency_of(
        [
            lowering(build_graph(architecture, DType.INT8))
            for architecture in architectures
            for lowering in (plain, plain.within(0))
        ]
    )
    for architecture in architectures:
        graph = build_graph(architecture, DType.INT8)
        arena = plan_arena(plain(graph)).arena_bytes
        for share in (0.8, 0.9, 0.97):
            reserve = Reserve(sram_bytes=max(0, memory.largest_arena() - int(share * arena)))
            costs = CostModel(board, memory, reserve).with_latency(model)
            cost = costs.of(architecture)
            schedule = cost.lowering(graph, cost.patches)
            assert cost.patches is None
            assert cost.sram_bytes == memory.sram(schedule).static_bytes
            assert cost.flash_bytes == memory.flash(schedule).total_bytes
            assert cost.latency == pytest.approx(model.predict(schedule).total)
            verdict = memory.fits(schedule, reserve)
            assert cost.violations == verdict.reasons
            assert costs.fits(architecture).fits is verdict.fits
            if verdict.fits:
                assert cost.lowering.arena_bytes == memory.largest_arena(reserve)
                assert costs.execution(architecture, graph).schedule() == schedule
                assert cost.shortfall == ""
                relieved += 1
            elif cost.lowering.arena_bytes is not None:
                assert cost.shortfall.startswith("even with kernels of less scratch, region ")
    assert relieved > 3


def latency_of(schedules: list[Schedule]) -> LatencyModel:
    """A model that knows every kernel of some schedules; what it says does not matter."""
    rng = np.random.default_rng(0)
    return fit_latency(
        [
            Measurement(step.variant, step.features, float(10 + sum(step.features.values()) * rng.uniform(1, 3)))
            for schedule in schedules
            for step in schedule.steps
        ]
    )


def test_a_reserve_that_takes_everything_is_a_violation_with_its_size(
    board: Board, memory: NativeMemoryModel, space: SearchSpace
) -> None:
    architecture = space.decode(space.smallest(), 0.5, 16, 1, 10)
    fitting = CostModel(board, memory, Reserve()).of(architecture)
    assert fitting.violations == ()
    assert fitting.excess == 0
    exact = CostModel(board, memory, Reserve(flash_bytes=65536 - fitting.flash_bytes)).of(architecture)
    assert exact.violations == ()
    one_more = Reserve(flash_bytes=65536 - fitting.flash_bytes + 1)
    without = CostModel(board, memory, one_more, unlinking=True).of(architecture)
    assert without.violations == ()
    assert without.lowering.unlinked == {"conv_2d_im2col"}
    over = CostModel(board, memory, one_more).of(architecture)
    assert len(over.violations) == 1
    assert "flash" in over.violations[0]
    assert "too few" in over.violations[0]
    assert over.excess > 0


def test_unknown_and_exceeded_latency_are_violations(
    board: Board, memory: NativeMemoryModel, space: SearchSpace
) -> None:
    architecture = samples(space, 1)[0]
    limited = CostModel(board, memory, Reserve(), limit=LatencyLimit(1000.0, "instructions"))
    assert not any("limit" in violation for violation in limited.of(architecture).violations)
    ignorant = fit_latency([Measurement("softmax", {"call": 1.0}, 5.0)])
    assert any("never measured" in v for v in limited.with_latency(ignorant).of(architecture).violations)
    steps = Lowering()(build_graph(architecture, DType.INT8)).steps
    slow = fit_latency([Measurement(step.variant, step.features, 1e6) for step in steps])
    assert any("the limit is 1,000" in v for v in limited.with_latency(slow).of(architecture).violations)


def test_limits_in_what_decides(board: Board) -> None:
    modelled, counter = deciding_quantity(board), deciding_quantity(board, virtual=False)
    assert latency_limit(LimitsConfig(), board, modelled) is None
    counted = instruction_quantity(board)
    assert latency_limit(LimitsConfig(instructions=500), board, counted) == LatencyLimit(500.0, "instructions")
    for cycles in (modelled, counter):
        assert latency_limit(LimitsConfig(latency_ms=2.0), board, cycles) == LatencyLimit(144_000.0, "cycles")
        assert latency_limit(LimitsConfig(cycles=500), board, cycles) == LatencyLimit(500.0, "cycles")
        slower = latency_limit(LimitsConfig(latency_ms=2.0), board, cycles, clock_hz=64_000_000)
        assert slower == LatencyLimit(128_000.0, "cycles")
    with pytest.raises(ConfigError, match=r"give limits\.latency_ms or limits\.cycles instead"):
        latency_limit(LimitsConfig(instructions=500), board, counter)


@pytest.mark.parametrize("given", ["cycles", "latency_ms"])
def test_cycles_that_nobody_knows_are_refused_as_a_limit(given: str) -> None:
    board = load_board("virt-m7")
    with pytest.raises(ConfigError, match=rf"limits\.{given}: .* no timings .*; give limits\.instructions instead"):
        latency_limit(LimitsConfig(**{given: 2}), board, deciding_quantity(board))


def test_limits_by_a_factor_that_somebody_measured(board: Board) -> None:
    declared = board.model_copy(update={"cycles_per_instruction": CyclesPerInstruction(value=2.0, basis="measured")})
    for limits in (LimitsConfig(latency_ms=2.0), LimitsConfig(cycles=144_000)):
        limit = latency_limit(limits, declared, deciding_quantity(declared))
        assert limit == LatencyLimit(72_000.0, "instructions")


@pytest.mark.parametrize(
    ("sections", "unit"),
    [
        ({}, "cycles"),
        ({"limits": {"latency_ms": 5.0}}, "cycles"),
        ({"limits": {"cycles": 5}}, "cycles"),
        ({"limits": {"instructions": 5}}, "instructions"),
        ({"limits": {"instructions": 5}, "measure": {"transport": "serial", "port": "line"}}, "cycles"),
    ],
)
def test_a_run_that_limits_instructions_goes_by_them(sections: dict[str, Any], unit: str, board: Board) -> None:
    config = RunConfig.model_validate({"board": board.name, "data": {"dataset": "d"}, **sections})
    assert quantity_of_run(config, board).unit == unit


@pytest.mark.parametrize("less", [4, 600, 2000])
@pytest.mark.parametrize("name", ["virt-m4", "virt-m0plus"])
def test_kernels_are_left_out_where_flash_is_short_and_none_of_what_fits_is_missed(name: str, less: int) -> None:
    board = load_board(name)
    memory = NativeMemoryModel.for_board(board)
    flash = board.code_region.size_bytes - memory.flash_margin_bytes
    arena_bytes = memory.largest_arena()
    for architecture in few_channels(6):
        graph = build_graph(architecture, DType.INT8)
        plain = CostModel(board, memory, Reserve()).of(architecture)
        reserve = Reserve(flash_bytes=flash - plain.flash_bytes + less)
        costs = CostModel(board, memory, reserve, unlinking=True)
        cost = costs.of(architecture)
        schedule = cost.lowering(graph, cost.patches)
        assert cost.flash_bytes == memory.flash(schedule).total_bytes
        assert cost.sram_bytes == memory.sram(schedule).static_bytes
        assert cost.violations == memory.fits(schedule, reserve).reasons
        assert costs.execution(architecture, graph).schedule() == schedule
        # Where the search finds nothing that fits, neither does the exact choice of kernels for a finished network.
        exact = choose_kernels(
            plain.lowering(graph), memory, None, reserve, arena_bytes=arena_bytes, least_flash=True
        ).schedule
        assert (cost.violations == ()) is memory.fits(exact, reserve).fits
        assert not schedule.variants & cost.lowering.unlinked


@pytest.mark.parametrize("name", ["virt-m4", "virt-m0plus"])
def test_kernels_are_left_out_where_sram_is_short_as_well(name: str) -> None:
    """Kernels of less scratch take other flash, and those that work in place are needed for SRAM."""
    board = load_board(name)
    memory = NativeMemoryModel.for_board(board)
    lowering = Lowering.for_core(board.core)
    flash, largest = board.code_region.size_bytes - memory.flash_margin_bytes, memory.largest_arena() // 8 * 8
    left_out = 0
    for architecture in few_channels(4):
        graph = build_graph(architecture, DType.INT8)
        arena = -(-plan_arena(lowering.within(0)(graph)).arena_bytes // 8) * 8
        relieved = memory.flash(lowering.within(arena)(graph)).total_bytes
        for less in (4, 300, 1500):
            reserve = Reserve(sram_bytes=largest - arena, flash_bytes=flash - relieved + less)
            cost = CostModel(board, memory, reserve, unlinking=True).of(architecture)
            schedule = cost.lowering(graph, cost.patches)
            assert cost.violations == memory.fits(schedule, reserve).reasons
            exact = choose_schedule(graph, lowering, memory, None, reserve, patches=False)
            assert (cost.violations == ()) is exact.fits
            left_out += bool(cost.lowering.unlinked)
    assert left_out > 3
