"""Predicted memory against the linker and the device, on networks that no fit has seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinynas.boards import Device, DoesNotFitError, VirtualBoard, build_firmware, load_toolchain
from tinynas.engine import generate
from tinynas.graph import Graph
from tinynas.latency import NetworkLimits, random_network, with_random_constants
from tinynas.lowering import lower
from tinynas.memory import NativeMemoryModel, plan_arena
from tinynas.targets import Reserve, load_board

LIMITS = NetworkLimits(activation_bytes=2400, weight_bytes=2000, layers=8, macs=100_000)


def network(seed: int) -> Graph:
    return with_random_constants(random_network(seed, LIMITS), seed)


def check(board_name: str, graph: Graph, folder: Path) -> None:
    board = load_board(board_name)
    model = NativeMemoryModel.for_board(board)
    schedule = lower(graph)
    generated = generate(schedule, plan_arena(schedule), folder / "model")
    firmware = build_firmware(board, folder / "model", generated.kernel_sources, load_toolchain("zig"), folder)
    sram, flash = model.sram(schedule), model.flash(schedule)
    assert sram.static_bytes == firmware.static_sram_bytes
    for region in sram.regions:
        assert region.used_bytes == firmware.region_usage[region.name]
    assert flash.total_bytes == pytest.approx(firmware.flash_bytes, rel=0.005)
    transport = VirtualBoard(board, firmware.elf)
    device = Device(transport)
    device.infer(bytes(device.hello().input_bytes))
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
    generated = generate(schedule, plan_arena(schedule), tmp_path / "model")

    def link() -> None:
        build_firmware(
            board, tmp_path / "model", generated.kernel_sources, load_toolchain("zig"), tmp_path, reserve=reserve
        )

    if fits:
        link()
    else:
        with pytest.raises(DoesNotFitError):
            link()
