"""Instruction counts are exact: against code of known length, and against counting one instruction at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
import unicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import churning, write_model
from unicorn import arm_const

from tinynas.boards import Device, Firmware, VirtualBoard, ZigToolchain, build_firmware
from tinynas.boards.virtual._thumb import ALWAYS, decode
from tinynas.targets import Board, load_board

# naked functions of known length: 2 + 2 * n + 1 instructions, and 1.
LOOP = """
#include <stdint.h>
void loop(uint32_t n);
void once(void);
__attribute__((naked)) void loop(uint32_t n) {
  __asm volatile("movs r1, #0\\n\\tadds r0, r0, #0\\n1:\\n\\tsubs r0, #1\\n\\tbne 1b\\n\\tbx lr");
}
__attribute__((naked)) void once(void) { __asm volatile("bx lr"); }
"""
DECLARATIONS = "void loop(uint32_t n); void once(void);"


def _build(board: Board, folder: Path, calls: list[str]) -> Firmware:
    kernel = write_model(folder, calls=calls, declarations=DECLARATIONS, kernel=LOOP)
    return build_firmware(board, folder / "model", [kernel], ZigToolchain(), folder / "out")


def _count(board: Board, firmware: Firmware, inferences: int = 1) -> tuple[int, ...]:
    machine = VirtualBoard(board, firmware.elf)
    device = Device(machine)
    device.hello()
    machine.clear_counts()
    device.run(inferences)
    count = machine.inference_counts()
    assert count.inferences == inferences
    assert count.total == sum(count.steps)
    return count.steps


@pytest.mark.parametrize("name", ["nucleo-f303k8", "virt-m0plus", "virt-m7", "virt-m33"])
def test_known_code(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    short = _count(board, _build(board, tmp_path / "short", ["loop(1);", "once();", "loop(7);"]))
    long = _count(board, _build(board, tmp_path / "long", ["loop(201);", "once();", "loop(107);"]))
    assert len(short) == len(long) == 3
    assert long[0] - short[0] == 2 * 200
    assert long[1] == short[1]
    assert long[2] - short[2] == 2 * 100
    # The glue is a handful of instructions: loading the argument, the call, prologue and epilogue.
    assert 2 + 2 + 1 <= short[0] <= 2 + 2 + 1 + 5
    assert 1 <= short[1] <= 1 + 2


@pytest.mark.parametrize(
    "calls", [["once();"], ["loop(3);", "once();"], ["once();", "once();", "loop(5);", "loop(6);"]]
)
def test_one_step_per_call_whether_the_last_call_returns_or_not(calls: list[str], tmp_path: Path) -> None:
    board = load_board("virt-m4")
    jumping = _count(board, _build(board, tmp_path / "jump", calls))
    returning = _count(board, _build(board, tmp_path / "return", [*calls[:-1], calls[-1] + '__asm volatile("");']))
    assert len(jumping) == len(returning) == len(calls)
    assert jumping[:-1] == pytest.approx(returning[:-1], abs=2)


@pytest.mark.parametrize("name", ["virt-m0plus", "virt-m4"])
def test_literal_pools_are_not_taken_for_code(name: str, tmp_path: Path) -> None:
    """The word after the code of model_invoke looks like a call, and the one before it like a jump."""
    calls = [
        "once();",
        '__asm volatile("b 1f\\n\\t.p2align 2\\n\\t.word 0xf801f000, 0x47704718, 0xe001e001\\n1:"); once();',
    ]
    board = load_board(name)
    assert len(_count(board, _build(board, tmp_path, calls))) == 2


def test_inferences_add_up_and_can_be_cleared(tmp_path: Path) -> None:
    board = load_board("virt-m4")
    firmware = _build(board, tmp_path, ["loop(9);", "once();"])
    assert _count(board, firmware, 10) == tuple(10 * steps for steps in _count(board, firmware, 1))


def test_profiling_code_is_not_in_the_counted_inference(tmp_path: Path) -> None:
    board = load_board("nucleo-f303k8")
    machine = VirtualBoard(board, _build(board, tmp_path, ["loop(9);", "once();"]).elf)
    device = Device(machine)
    machine.clear_counts()
    device.profile()
    assert machine.inference_counts().inferences == 0


def _count_one_by_one(board: Board, machine: VirtualBoard) -> int:
    """An independent count: an emulator of its own that calls model_invoke and counts with a hook per instruction."""
    engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
    is_m0 = board.core.name == "cortex-m0plus"
    engine.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M0 if is_m0 else arm_const.UC_CPU_ARM_CORTEX_M4)
    for region in board.regions:
        engine.mem_map(region.address, region.size_bytes)
    for segment in machine.image.segments:
        engine.mem_write(segment.address, segment.data)
    end = 0x08000000 + 0xF000
    engine.reg_write(arm_const.UC_ARM_REG_SP, machine.image.symbols["tn_stack_top"].address)
    engine.reg_write(arm_const.UC_ARM_REG_LR, end | 1)
    # The emulator does not call the hook for instructions that an IT block skips; the core issues them all the same.
    conditional = {
        instruction.address: instruction.size_bytes
        for start, stop in machine.image.code_ranges
        for instruction in decode(bytes(engine.mem_read(start, stop - start)), start)
        if instruction.condition != ALWAYS
    }
    count, following = 0, 0

    def on_instruction(_engine: object, address: int, size: int, _data: object) -> None:
        nonlocal count, following
        while following != address and following in conditional:
            following += conditional[following]
            count += 1
        following = address + size
        count += 1

    engine.hook_add(unicorn.UC_HOOK_CODE, on_instruction)
    engine.emu_start(machine.image.symbols["model_invoke"].address | 1, end)
    return count


BRANCHY = """
#include <stdint.h>
#include <string.h>
void churn(int8_t *values, uint32_t n);
void churn(int8_t *values, uint32_t n) {
  uint32_t state = n;
  for (uint32_t i = 0; i < n; i++) {
    state = state * 1664525u + 1013904223u;
    if ((state >> 16) % 3u == 0u) { values[i & 15] = (int8_t)(values[i & 15] + 1); }
    else if (state & 0x100u) { memset(values, (int)(state >> 24), (state >> 28) & 15u); }
    values[(state >> 8) & 15] = (int8_t)((values[i & 15] > 3) ? 3 : values[i & 15]);
  }
}
"""


@pytest.mark.parametrize("name", ["nucleo-f303k8", "virt-m0plus"])
@given(rounds=st.integers(1, 400))
@settings(max_examples=5, deadline=None)
def test_counts_equal_counting_one_by_one(name: str, rounds: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    board = load_board(name)
    machine, device = churning(board, BRANCHY, rounds, tmp_path_factory.mktemp("churn"))
    device.run()
    assert machine.inference_counts().total == _count_one_by_one(board, machine)
