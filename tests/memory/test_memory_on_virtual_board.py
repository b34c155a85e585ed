"""Predicted memory against the linker and the device, on networks that no fit has seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tinynas.boards import Device, DoesNotFitError, Toolchain, VirtualBoard, ZigToolchain, build_firmware
from tinynas.engine import generate
from tinynas.graph import DType, Graph, GraphBuilder, execute
from tinynas.latency import NetworkLimits, random_network, with_random_constants
from tinynas.lowering import Lowering, PatchPlan, Schedule, StreamPlan, lower
from tinynas.memory import NativeMemoryModel, plan_arena
from tinynas.targets import Reserve, load_board
from tinynas.testing import random_input

LIMITS = NetworkLimits(activation_bytes=2400, weight_bytes=2000, layers=8, macs=100_000)


def network(seed: int) -> Graph:
    return with_random_constants(random_network(seed, LIMITS), seed)


def stage(seed: int) -> Graph:
    """A first stage as patches are made for, with a residual block in it, then a block that works in place."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder("stage", DType.INT8)
    x = b.conv_2d(b.input((1, 24, 20, 3)), 8, 3, stride=2, name="stem")
    y = b.conv_2d(x, int(rng.integers(60, 72)), 1, name="expand")
    y = b.depthwise_conv_2d(y, 3, name="depthwise")
    x = b.add(x, b.conv_2d(y, 8, 1, name="project"), name="sum")
    x = b.conv_2d(x, int(rng.integers(12, 24)), 3, stride=2, name="down")
    x = b.depthwise_conv_2d(x, 3, name="in place")
    x = b.depthwise_conv_2d(b.conv_2d(x, 48, 1, name="widen"), 3, stride=2, name="shrinking")
    return with_random_constants(b.build([b.fully_connected(b.mean(x, name="pool"), 4, name="head")]), seed)


def check(
    board_name: str,
    graph: Graph,
    folder: Path,
    patches: PatchPlan | None = None,
    toolchain: Toolchain | None = None,
    streams: Sequence[StreamPlan] = (),
) -> None:
    board, compiler = load_board(board_name), toolchain or ZigToolchain()
    model = NativeMemoryModel.for_board(board, compiler.name)
    schedule = Lowering.for_core(board.core)(graph, patches, streams)
    generated = generate(schedule, plan_arena(schedule), folder / "model")
    firmware = build_firmware(board, folder / "model", generated.kernel_sources, compiler, folder)
    sram, flash = model.sram(schedule), model.flash(schedule)
    assert sram.static_bytes == firmware.static_sram_bytes
    for region in sram.regions:
        assert region.used_bytes == firmware.region_usage[region.name]
    # GCC pads the literals of the profiled twin by a word, or not.
    assert flash.total_bytes == pytest.approx(firmware.flash_bytes, rel=0, abs=0 if compiler.name == "zig" else 8)
    transport = VirtualBoard(board, firmware.elf)
    device = Device(transport)
    image = random_input(graph, np.random.default_rng(1))
    output = device.infer(b"".join(np.ascontiguousarray(values).tobytes() for values in image))
    assert output == b"".join(execute(graph, image)[t].tobytes() for t in graph.outputs)
    device.profile()
    report = device.memory()
    transport.close()
    assert report.static_sram_bytes == sram.static_bytes
    assert 0 <= sram.stack_bytes - report.stack_used_bytes <= 128


@pytest.mark.parametrize(
    ("board", "seed"), [("nucleo-f303k8", 700), ("nucleo-f303k8", 701), ("virt-m0plus", 702), ("virt-m7", 703)]
)
def test_prediction_equals_linker_and_device(board: str, seed: int, tmp_path: Path) -> None:
    check(board, network(seed), tmp_path)


@pytest.mark.parametrize(("board", "patches"), [("nucleo-f303k8", 3), ("virt-m0plus", 5), ("virt-m33", 4)])
def test_patches_and_in_place_layers_take_what_is_predicted(board: str, patches: int, tmp_path: Path) -> None:
    graph = stage(patches)
    lowering = Lowering.for_core(load_board(board).core)
    schedule = lowering(graph, PatchPlan(5, patches))
    assert "in place" in {step.name for step in schedule.steps if step.output_buffer in step.input_buffers}
    assert [step.name for step in schedule.steps if step.shrinks] == ["shrinking"]
    assert any(step.shrinks for step in schedule.steps)
    assert plan_arena(schedule).arena_bytes < plan_arena(lowering(graph)).arena_bytes
    check(board, graph, tmp_path, PatchPlan(5, patches))


@pytest.mark.parametrize(("board", "end"), [("nucleo-f303k8", 5), ("virt-m0plus", 8), ("virt-m33", 1)])
def test_an_input_by_rows_takes_what_is_predicted(board: str, end: int, tmp_path: Path) -> None:
    graph = stage(end)
    streams = [StreamPlan(0, (1,) * end, pushed=True)]
    check(board, graph, tmp_path, streams=streams)


@pytest.mark.parametrize("toolchain", ["gcc"], indirect=True)
@pytest.mark.parametrize(("board", "seed"), [("nucleo-f303k8", 710), ("virt-m0plus", 711), ("virt-m33", 712)])
def test_prediction_equals_linker_and_device_with_gcc(
    board: str, seed: int, fitted_toolchain: Toolchain, tmp_path: Path
) -> None:
    check(board, network(seed), tmp_path, toolchain=fitted_toolchain)


@pytest.mark.slow
@pytest.mark.parametrize(
    "board", ["nucleo-f303k8", "stm32f746g-disco", "virt-m0plus", "virt-m4", "virt-m7", "virt-m33"]
)
@pytest.mark.parametrize("seed", range(720, 730))
def test_prediction_equals_linker_and_device_everywhere(board: str, seed: int, tmp_path: Path) -> None:
    check(board, network(seed), tmp_path)


@pytest.mark.parametrize(("spare", "fits"), [(0, True), (-8, False)])
def test_the_linker_agrees_to_the_byte_on_sram(spare: int, fits: bool, tmp_path: Path) -> None:
    """Reserve all SRAM but what the network takes, and 8 bytes more: the linker must say the same as the model."""
    board = load_board("nucleo-f303k8")
    model = NativeMemoryModel.for_board(board)
    schedule = lower(network(704))
    region = next(r for r in model.sram(schedule).regions if r.name == board.layout.arena)
    reserve = Reserve(sram_bytes=region.available_bytes - region.used_bytes - spare)
    assert model.fits(schedule, reserve).fits is fits
    assert links(schedule, reserve, tmp_path) is fits


@pytest.mark.parametrize("patches", [None, PatchPlan(5, 3)], ids=["plain", "patches"])
@pytest.mark.parametrize(("spare", "fits"), [(0, True), (-4, False)])
def test_the_linker_agrees_to_the_word_on_flash(
    patches: PatchPlan | None, spare: int, fits: bool, tmp_path: Path
) -> None:
    model = NativeMemoryModel.for_board(load_board("nucleo-f303k8"))
    schedule = lower(stage(1), patches)
    (region,) = model.flash(schedule).regions
    reserve = Reserve(flash_bytes=region.available_bytes - region.used_bytes - spare)
    assert model.fits(schedule, reserve).fits is fits
    assert links(schedule, reserve, tmp_path) is fits


def links(schedule: Schedule, reserve: Reserve, folder: Path) -> bool:
    """Whether the firmware of nucleo-f303k8 links beside `reserve`."""
    generated = generate(schedule, plan_arena(schedule), folder / "model")
    board, toolchain = load_board("nucleo-f303k8"), ZigToolchain()
    try:
        build_firmware(board, folder / "model", generated.kernel_sources, toolchain, folder, reserve=reserve)
    except DoesNotFitError:
        return False
    return True
