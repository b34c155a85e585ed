"""Costs combined from blocks equal those of the whole network, and limits become violations."""

from __future__ import annotations

import numpy as np
import pytest

from tinynas.graph import DType, count_macs
from tinynas.latency import Measurement, fit_latency
from tinynas.lowering import Lowering
from tinynas.memory import NativeMemoryModel
from tinynas.pipeline._config import ConfigError, LimitsConfig
from tinynas.pipeline._costs import BlockSchedules, CostModel, LatencyLimit, latency_limit
from tinynas.spaces import Architecture, SearchSpace, build_graph, load_space
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
    return [space.architecture(space.sample(rng), 1.0, 24, 1, 10) for _ in range(count)]


@pytest.mark.parametrize("lowering", [Lowering(), Lowering(in_place=False)], ids=str)
def test_blockwise_costs_equal_those_of_the_whole_network(
    board: Board, memory: NativeMemoryModel, space: SearchSpace, lowering: Lowering
) -> None:
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


def test_blockwise_latency_equals_that_of_the_whole_network(
    board: Board, memory: NativeMemoryModel, space: SearchSpace
) -> None:
    architectures = samples(space, 12)
    rng = np.random.default_rng(0)
    measurements = [
        Measurement(step.variant, step.features, float(10 + sum(step.features.values()) * rng.uniform(1, 3)))
        for architecture in architectures
        for step in Lowering()(build_graph(architecture, DType.INT8)).steps
    ]
    model = fit_latency(measurements)
    costs = CostModel(board, memory, Reserve()).with_latency(model)
    for architecture in architectures:
        whole = model.predict(Lowering()(build_graph(architecture, DType.INT8))).total
        assert costs.of(architecture).latency == pytest.approx(whole)


def test_a_reserve_that_takes_everything_is_a_violation_with_its_size(
    board: Board, memory: NativeMemoryModel, space: SearchSpace
) -> None:
    architecture = space.architecture(space.smallest(), 0.5, 16, 1, 10)
    fitting = CostModel(board, memory, Reserve()).of(architecture)
    assert fitting.violations == ()
    assert fitting.excess == 0
    exact = CostModel(board, memory, Reserve(flash_bytes=65536 - fitting.flash_bytes)).of(architecture)
    assert exact.violations == ()
    over = CostModel(board, memory, Reserve(flash_bytes=65536 - fitting.flash_bytes + 1)).of(architecture)
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


def test_limits_in_the_units_of_the_measurement(board: Board) -> None:
    assert latency_limit(LimitsConfig(), board, "instructions") is None
    assert latency_limit(LimitsConfig(instructions=500), board, "instructions") == LatencyLimit(500.0, "instructions")
    assert latency_limit(LimitsConfig(latency_ms=2.0), board, "cycles") == LatencyLimit(144_000.0, "cycles")
    slower = latency_limit(LimitsConfig(latency_ms=2.0), board, "cycles", clock_hz=64_000_000)
    assert slower == LatencyLimit(128_000.0, "cycles")
    with pytest.raises(ConfigError, match=r"give limits\.instructions instead"):
        latency_limit(LimitsConfig(latency_ms=2.0), board, "instructions")
    with pytest.raises(ConfigError, match=r"give limits\.latency_ms instead"):
        latency_limit(LimitsConfig(instructions=500), board, "cycles")
    declared = board.model_copy(update={"cycles_per_instruction": CyclesPerInstruction(value=2.0, basis="measured")})
    assert latency_limit(LimitsConfig(latency_ms=2.0), declared, "instructions") == LatencyLimit(
        72_000.0, "instructions"
    )
