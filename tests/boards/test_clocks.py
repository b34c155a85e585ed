"""What the HALs do to clock, flash and serial registers, as reference manual and data sheet ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_models import build_copy

from tinynas.boards import Device, VirtualBoard
from tinynas.targets import load_board, reference_boards


def _boot(name: str, folder: Path, **options: bool) -> tuple[VirtualBoard, dict[str, Any], int]:
    board = load_board(name)
    machine = VirtualBoard(board, build_copy(board, folder).elf, **options)
    clock_hz = Device(machine).hello().clock_hz
    return machine, {getattr(p, "name", ""): p for p in machine.peripherals}, clock_hz


@pytest.mark.parametrize(("hse_connected", "clock_hz"), [(True, 72_000_000), (False, 64_000_000)])
def test_stm32f3_clock(hse_connected: bool, clock_hz: int, tmp_path: Path) -> None:
    """72 MHz from the debugger's 8 MHz; 64 MHz, honestly reported, where that clock is not connected."""
    _, found, reported = _boot("nucleo-f303k8", tmp_path, hse_connected=hse_connected)
    assert reported == found["RCC"].clock_hz() == clock_hz
    assert found["RCC"].usart_clock_hz() == clock_hz // 2  # APB1: 36 MHz at most
    assert found["FLASH"].values[0] & 0x7 == 2  # two wait states above 48 MHz
    assert found["USART2"].baud(clock_hz // 2) == pytest.approx(115200, rel=0.01)


def test_stm32f3_pins(tmp_path: Path) -> None:
    _, found, _ = _boot("nucleo-f303k8", tmp_path)
    port = found["GPIOA"].values
    assert [port[0x00] >> (2 * pin) & 3 for pin in (2, 15)] == [2, 2]  # alternate function
    assert (port[0x20] >> 8 & 0xF, port[0x24] >> 28 & 0xF) == (7, 7)
    assert [port[0x00] >> (2 * pin) & 3 for pin in (13, 14)] == [2, 2]  # the debugger's pins stay as they were


@pytest.mark.parametrize("hse_connected", [True, False])
def test_stm32f7_clock(hse_connected: bool, tmp_path: Path) -> None:
    """216 MHz either way: from the crystal, or less exactly from the internal oscillator."""
    _, found, reported = _boot("stm32f746g-disco", tmp_path, hse_connected=hse_connected)
    assert reported == found["RCC"].clock_hz() == 216_000_000
    assert found["RCC"].usart_clock_hz() == 108_000_000
    assert found["FLASH"].values[0] & 0xF == 7
    assert found["PWR"].values[0] >> 16 & 3 == 3  # over-drive, needed above 180 MHz
    assert found["USART1"].baud(108_000_000) == pytest.approx(115200, rel=0.01)
    control = found["system control space"].values
    assert control[0xD14] >> 16 & 3 == 3  # both caches


@pytest.mark.parametrize("name", sorted(reference_boards().values()))
def test_reference_boards_report_their_clock(name: str, tmp_path: Path) -> None:
    assert _boot(name, tmp_path)[2] == load_board(name).clock_hz


def test_cycle_counter_runs_only_when_it_was_started(tmp_path: Path) -> None:
    machine, found, _ = _boot("stm32f746g-disco", tmp_path)
    counter = found["DWT"]
    assert counter.read(4) <= machine.instructions
    assert counter.read(4) > 0
    found["system control space"].write(0xDFC, 0)  # TRCENA off
    assert counter.read(4) == 0
