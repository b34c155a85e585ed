"""Cycles counted by blocks equal those of instructions that are executed and priced one at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
import unicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import churning, write_model
from unicorn import arm_const

from tinynas.boards import Device, VirtualBoard, ZigToolchain, build_firmware
from tinynas.boards.virtual._blocks import Blocks
from tinynas.boards.virtual._cycle_model import CycleModel, Step
from tinynas.boards.virtual._operations import operation
from tinynas.boards.virtual._thumb import decode
from tinynas.targets import Board, load_board

# Branches, IT blocks, divisions, and words at every alignment, by addresses that come from memory, too.
CHURN = """
#include <stdint.h>
#include <string.h>
void churn(int8_t *values, uint32_t n);
static uint32_t word_at(const int8_t *from) { uint32_t word; __builtin_memcpy(&word, from, 4); return word; }
static int16_t half_at(const int8_t *from) { int16_t half; __builtin_memcpy(&half, from, 2); return half; }
static uint8_t positions[4];
static int32_t sums[2];
void churn(int8_t *values, uint32_t n) {
  uint32_t state = n;
  for (uint32_t i = 0; i < n; i++) {
    state = state * 1664525u + 1013904223u;
    positions[i & 3u] = (uint8_t)(state >> 9 & 7u);
    if ((state >> 16) % 3u == 0u) { values[i & 15] = (int8_t)(values[i & 15] + 1); }
    else if (state & 0x100u) { memset(values, (int)(state >> 24), (state >> 28) & 15u); }
    const int8_t *from = values + positions[i >> 1 & 3u];
    state += word_at(from) / ((state >> 20 & 0xFFu) + 1u);
    sums[0] += half_at(from + 1) / (int32_t)((state & 63u) - 40u ? (state & 63u) - 40u : 1u);
    sums[1] = sums[0] > 3000 ? 3000 : sums[0] < -(int32_t)(state & 0xFFFu) ? half_at(values + (state & 3u)) : sums[0];
    values[(state >> 8) & 15] = (int8_t)((values[i & 15] > 3) ? sums[1] : values[i & 15]);
  }
}
"""


class OneByOne:
    """An emulator of its own that runs `model_invoke` with hooks at each instruction and at each access."""

    def __init__(self, board: Board, machine: VirtualBoard) -> None:
        assert board.timing is not None
        self._model = CycleModel(board.timing)
        self._timing = board.timing
        self._engine = engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
        is_m0 = board.core.name == "cortex-m0plus"
        engine.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M0 if is_m0 else arm_const.UC_CPU_ARM_CORTEX_M4)
        for region in board.regions:
            engine.mem_map(region.address, region.size_bytes)
        for segment in machine.image.segments:
            engine.mem_write(segment.address, segment.data)
        self._end = board.code_region.address + 0xF000
        engine.reg_write(arm_const.UC_ARM_REG_SP, machine.image.symbols["tn_stack_top"].address)
        engine.reg_write(arm_const.UC_ARM_REG_LR, self._end | 1)
        self._steps = {
            instruction.address: Step(instruction, operation(instruction))
            for start, stop in machine.image.code_ranges
            for instruction in decode(bytes(engine.mem_read(start, stop - start)), start)
        }
        self._previous: Step | None = None
        self._following = 0
        self.cycles = 0
        engine.hook_add(unicorn.UC_HOOK_CODE, self._execute)
        self._entry = machine.image.symbols["model_invoke"].address

    def run(self) -> int:
        """Cycles of one inference."""
        self._engine.emu_start(self._entry | 1, self._end)
        self._arrive(self._end)
        return self.cycles

    def _arrive(self, address: int) -> None:
        """Account for what lies between the last instruction and this one: a refill, or what an IT block skipped."""
        while self._following not in (0, address):
            skipped = self._steps.get(self._following)
            if skipped is None or not skipped.is_conditional or self._left_by_branch():
                break
            self.cycles += 1
            self._previous, self._following = None, skipped.end
        last = self._previous
        if last is not None and self._following != address and last.operation.kind == "branch_conditional":
            self.cycles += self._timing.pipeline.refill
        if last is not None and last.is_branch:
            self._previous = None

    def _left_by_branch(self) -> bool:
        return self._previous is not None and self._previous.is_branch

    def _execute(self, _engine: object, address: int, _size: int, _data: object) -> None:
        self._arrive(address)
        step = self._steps[address]
        self.cycles += self._model.cycles(step, self._previous) + self._more(step)
        self._previous, self._following = step, step.end

    def _more(self, step: Step) -> int:
        """Of a division, and of an unaligned access, by the registers as they are."""
        access, operands = step.operation.access, step.operation.operands
        more = 0
        if access is not None:
            address = access.address.constant
            for register in range(16):
                address += (access.address.coefficients >> 2 * register & 3) * self._register(register)
            more += self._model.penalty(access, address & 3)
        if operands is not None and self._timing.divide is not None:
            dividend, divisor = (self._register(register) for register in operands)
            if step.instruction.first & 0xFFF0 == 0xFB90:
                dividend, divisor = (abs(v - 2**32 if v >> 31 else v) for v in (dividend, divisor))
            bits = dividend.bit_length() - divisor.bit_length() + 1 if 0 < divisor <= dividend else 0
            more += -(-bits * (self._timing.divide.most - self._timing.divide.least) // 32)
        return more

    def _register(self, index: int) -> int:
        return int(self._engine.reg_read(getattr(arm_const, f"UC_ARM_REG_R{index}")))


@pytest.mark.parametrize("name", ["virt-m4", "nucleo-f303k8", "virt-m0plus"])
@given(rounds=st.integers(1, 300))
@settings(max_examples=4, deadline=None)
def test_cycles_equal_counting_one_by_one(name: str, rounds: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    board = load_board(name)
    machine, device = churning(board, CHURN, rounds, tmp_path_factory.mktemp("churn"))
    machine.clear_counts()
    device.run()
    count = machine.inference_counts()
    assert count.total_cycles == OneByOne(board, machine).run()
    assert count.cycles is not None
    assert len(count.cycles) == len(count.steps)
    assert count.total_cycles > count.total


def _inference(board: Board, elf: Path, inferences: int) -> VirtualBoard:
    machine = VirtualBoard(board, elf)
    device = Device(machine)
    device.write_input(bytes(16))
    machine.clear_counts()
    device.run(inferences)
    return machine


@pytest.mark.parametrize("name", ["virt-m4", "virt-m0plus"])
def test_steps_and_functions_add_up_to_the_whole(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    kernel = write_model(
        tmp_path,
        calls=["churn(model_arena, 40u);", "churn(model_arena, 3u);", "churn(model_arena, 40u);"],
        declarations="void churn(int8_t *values, uint32_t n);",
        kernel=CHURN,
    )
    firmware = build_firmware(board, tmp_path / "model", [kernel], ZigToolchain(), tmp_path / "out")
    machine = _inference(board, firmware.elf, 1)
    count = machine.inference_counts()
    assert count.cycles is not None
    assert machine.cycles is not None
    assert count.cycles[1] < count.cycles[0]
    assert sum(function.instructions for function in count.functions.values()) == count.total
    assert sum(function.cycles or 0 for function in count.functions.values()) == count.total_cycles < machine.cycles
    assert count.functions["churn"].instructions > 1000
    assert {"churn", "model_invoke", "memset"} <= set(count.functions)
    machine.clear_counts()
    assert machine.inference_counts().functions == {}
    assert machine.inference_counts().total_cycles == 0


@pytest.mark.parametrize("name", ["virt-m7", "virt-m33"])
def test_cores_without_timings_count_instructions_only(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    kernel = write_model(
        tmp_path,
        calls=["churn(model_arena, 9u);"],
        declarations="void churn(int8_t *values, uint32_t n);",
        kernel=CHURN,
    )
    firmware = build_firmware(board, tmp_path / "model", [kernel], ZigToolchain(), tmp_path / "out")
    machine = _inference(board, firmware.elf, 1)
    count = machine.inference_counts()
    assert (machine.cycles, count.cycles, count.total_cycles) == (None, None, None)
    assert {function.cycles for function in count.functions.values()} == {None}
    assert sum(function.instructions for function in count.functions.values()) == count.total > 0


def test_an_interrupt_stops_the_virtual_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(*_: object) -> int | None:
        raise KeyboardInterrupt

    board = load_board("virt-m4")
    kernel = write_model(
        tmp_path,
        calls=["churn(model_arena, 9u);"],
        declarations="void churn(int8_t *values, uint32_t n);",
        kernel=CHURN,
    )
    firmware = build_firmware(board, tmp_path / "model", [kernel], ZigToolchain(), tmp_path / "out")
    machine = VirtualBoard(board, firmware.elf)
    monkeypatch.setattr(Blocks, "find", find)
    with pytest.raises(KeyboardInterrupt):
        Device(machine).run()
