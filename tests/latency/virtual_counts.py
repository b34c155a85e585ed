"""Counts one inference on the virtual board."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tinynas.boards import Device, VirtualBoard, build_firmware, load_toolchain
from tinynas.engine import generate
from tinynas.latency import Unit
from tinynas.lowering import Schedule
from tinynas.memory import plan_arena
from tinynas.targets import load_board


def measure(schedule: Schedule, folder: Path, board_name: str) -> Mapping[Unit, tuple[int, ...]]:
    """Each step, without profiling code, built with zig in `folder`: instructions, and cycles by the core's timing."""
    board = load_board(board_name)
    generated = generate(schedule, plan_arena(schedule), folder / "model")
    firmware = build_firmware(board, folder / "model", generated.kernel_sources, load_toolchain("zig"), folder)
    with VirtualBoard(board, firmware.elf) as transport:
        device = Device(transport)
        size = device.hello().input_bytes
        transport.clear_counts()
        device.write_input(bytes((31 * i) % 251 for i in range(size)))
        device.run()
        counts = transport.inference_counts()
        assert counts.cycles is not None
        return {"instructions": counts.steps, "cycles": counts.cycles}
