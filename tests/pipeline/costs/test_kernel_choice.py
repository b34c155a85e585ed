"""The chosen kernels on the virtual board: the same bits, no more SRAM, flash and ticks as predicted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinynas.engine import ChosenKernels, choose_kernels
from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.latency import (
    LatencyModel,
    latency_model_path,
    load_latency_model,
    save_latency_model,
    with_random_constants,
)
from tinynas.lowering import PatchPlan, Schedule, lower
from tinynas.memory import MissingMemoryModelError, NativeMemoryModel, plan_arena
from tinynas.pipeline.costs import _kernel_choice, choose_for_board, decided_by_json, load_latency
from tinynas.pipeline.costs._kernel_choice import OtherCyclesError
from tinynas.pipeline.deployment import (
    Deployment,
    NetworkMeasurement,
    deploy,
    load_memory_model,
    measure,
    random_inputs,
)
from tinynas.targets import CyclesPerInstruction, load_board

BOARD = load_board("virt-m4")


def network() -> Graph:
    b = GraphBuilder("network", DType.INT8)
    x = b.conv_2d(b.input((1, 16, 16, 3)), 8, 3, stride=2, name="stem")
    x = b.conv_2d(x, 48, 1, name="expand")
    x = b.depthwise_conv_2d(x, 3, name="depthwise")
    x = b.conv_2d(x, 12, 1, name="project")
    x = b.depthwise_conv_2d(b.conv_2d(x, 40, 1, name="widen"), 3, stride=2, name="shrinking")
    return with_random_constants(b.build([b.fully_connected(b.mean(x, name="pool"), 4, name="head")]), seed=3)


def contrary(latency: LatencyModel) -> LatencyModel:
    """As if the kernels that the local rule takes were a hundred times slower: others are chosen wherever they can."""
    slow = {
        name: replace(variant, coefficients=100.0 * variant.coefficients)
        for name, variant in latency.variants.items()
        if name.startswith(("depthwise_conv_2d_3x3", "conv_1x1"))
    }
    return replace(latency, variants={**latency.variants, **slow})


@pytest.fixture(scope="module")
def memory() -> NativeMemoryModel:
    return load_memory_model(BOARD, "zig")


@pytest.fixture(scope="module")
def latency() -> LatencyModel:
    return load_latency_model(latency_model_path(BOARD.core.name, "zig"))


def run(chosen: Schedule, folder: Path) -> tuple[Deployment, NetworkMeasurement]:
    deployment = deploy(chosen.graph, BOARD, folder, schedule=chosen)
    return deployment, measure(deployment, BOARD, random_inputs(chosen, 4, seed=5))


@pytest.fixture(scope="module", params=[None, PatchPlan(3, 2)], ids=["plain", "patches"])
def built(
    request: pytest.FixtureRequest,
    memory: NativeMemoryModel,
    latency: LatencyModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Schedule, ChosenKernels, Deployment, NetworkMeasurement]:
    local = lower(network(), request.param)
    chosen = choose_kernels(local, memory, contrary(latency))
    return local, chosen, *run(chosen.schedule, tmp_path_factory.mktemp("chosen"))


Built = tuple[Schedule, ChosenKernels, Deployment, NetworkMeasurement]


def test_other_kernels_compute_the_same_bits(built: Built, tmp_path: Path) -> None:
    local, chosen, deployment, measured = built
    changed = {layer.name for layer in chosen.layers if layer.variant != layer.local}
    assert {"expand", "project", "widen"} <= changed
    assert measured.mismatches == 0
    np.testing.assert_array_equal(measured.outputs, run(local, tmp_path)[1].outputs)
    assert deployment.plan.arena_bytes <= plan_arena(local).arena_bytes


def test_flash_is_what_was_predicted(built: Built, memory: NativeMemoryModel) -> None:
    _, chosen, deployment, _ = built
    assert memory.flash(chosen.schedule).total_bytes == deployment.firmware.flash_bytes
    assert memory.sram(chosen.schedule).static_bytes == deployment.firmware.static_sram_bytes


def test_ticks_are_what_was_predicted(built: Built, latency: LatencyModel) -> None:
    _, chosen, _, measured = built
    predicted = latency.predict(chosen.schedule)
    assert predicted.total == pytest.approx(measured.ticks, rel=0.02)


def test_cycles_and_instructions_choose_other_kernels_each_the_better_one(
    memory: NativeMemoryModel, latency: LatencyModel, tmp_path: Path
) -> None:
    """Channels in fours save instructions of this layer, of which more are loads and taken branches."""
    builder = GraphBuilder("one", DType.INT8)
    x = builder.depthwise_conv_2d(builder.input((1, 12, 12, 32)), 3, name="depthwise")
    schedule = lower(with_random_constants(builder.build([x]), seed=3))
    assert latency.instructions is not None
    models = (latency, latency.instructions)
    chosen = {model.unit: choose_kernels(schedule, memory, model) for model in models}
    assert [kernels.unit for kernels in chosen.values()] == ["cycles", "instructions"]
    counts = {unit: run(kernels.schedule, tmp_path / unit)[1].counts for unit, kernels in chosen.items()}
    assert counts["cycles"]["cycles"].total < counts["instructions"]["cycles"].total
    assert counts["instructions"]["instructions"].total < counts["cycles"]["instructions"].total


def test_a_file_without_cycles_is_asked_for_instructions(
    latency: LatencyModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As of a core whose timing is newer than its fit."""
    assert latency.instructions is not None
    path = tmp_path / "model.json"
    save_latency_model(replace(latency.instructions, provenance=latency.provenance), path)
    monkeypatch.setattr(_kernel_choice, "latency_model_path", lambda *_: path)
    decided = decided_by_json(choose_for_board(network(), BOARD, "zig").kernels)
    assert decided == {"unit": "instructions", "basis": "counted by the virtual board"}
    monkeypatch.undo()
    assert BOARD.timing is not None
    decided = decided_by_json(choose_for_board(network(), BOARD, "zig").kernels)
    assert decided == {"unit": "cycles", "basis": BOARD.timing.basis}


def test_a_model_of_the_users_decides_in_its_own_ticks(latency: LatencyModel, tmp_path: Path) -> None:
    """It was calibrated on a real board, say, whose cycles are no model's."""
    path = tmp_path / "model.json"
    save_latency_model(replace(latency, basis="cortex-m4f cycle counter", instructions=None), path)
    loaded = load_latency(BOARD, "zig", path)
    assert loaded is not None
    assert (loaded.unit, loaded.basis) == ("cycles", "cortex-m4f cycle counter")


def test_cycles_of_another_core_or_part_do_not_decide(
    latency: LatencyModel, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    declared = BOARD.model_copy(update={"cycles_per_instruction": CyclesPerInstruction(value=1.5, basis="a test")})
    both, cycles = tmp_path / "both.json", tmp_path / "cycles.json"
    save_latency_model(latency, both)
    save_latency_model(replace(latency, instructions=None), cycles)
    assert load_latency(BOARD, "zig", cycles) is not None
    assert not caplog.records
    for board in (load_board("virt-m7"), declared):
        caplog.clear()
        loaded = load_latency(board, "zig", both)
        assert loaded is not None
        assert loaded.unit == "instructions"
        assert f"both.json: its cycles are those of {latency.basis}, not of {board.name}" in caplog.text
        with pytest.raises(OtherCyclesError, match="makes a model of the board") as refused:
            load_latency(board, "zig", cycles)
        assert refused.value.exit_code == 2


def test_the_reason_stands_at_each_call(built: Built) -> None:
    _, chosen, deployment, _ = built
    text = (deployment.generated.directory / "model.c").read_text()
    for step in chosen.schedule.steps:
        assert f" * {step.reason} */\n    STEP({step.variant});" in text


def test_a_board_without_models_keeps_the_local_rule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(*_: object) -> NativeMemoryModel:
        raise MissingMemoryModelError("none")

    monkeypatch.setattr(_kernel_choice, "load_memory_model", missing)
    graph = network()
    chosen = choose_for_board(graph, BOARD, "zig")
    assert [step.variant for step in chosen.schedule.steps] == [step.variant for step in lower(graph).steps]
    assert chosen.fits is None
    assert all("no memory model" in layer.reason for layer in chosen.kernels.layers)
    monkeypatch.undo()
    monkeypatch.setattr(_kernel_choice, "latency_model_path", lambda *_: tmp_path / "none.json")
    assert all("no latency model" in layer.reason for layer in choose_for_board(graph, BOARD, "zig").kernels.layers)
