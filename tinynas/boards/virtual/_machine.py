"""The virtual board: an unmodified firmware image on an emulated core with the memory map of its board."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from tinynas.targets import Board

from .._elf import read_image
from .._errors import MachineFault, NoFirmwareError, RunLimitError
from ._counting import ExecutionCounter, InferenceCount
from ._emulator import PAGE_BYTES, Emulator
from ._instruction_checks import InstructionChecks
from ._peripherals import CycleCounter, NoRegisterError, Peripheral, SerialLine, SystemControl, VirtualPort
from ._stm32 import stm32f3, stm32f7

# Far more than an inference and its transfers take; a firmware that hangs reaches it within a minute or two.
DEFAULT_INSTRUCTION_LIMIT = 10_000_000_000


class VirtualBoard:
    """A transport (see `Transport`) whose far end is a firmware image in the emulator.

    The firmware only runs inside `read_until`, until it has sent what is asked for or waits for input. Reading from a
    device that waits therefore returns at once what there is, as if the time-out had passed.

    Args:
        board: the memory map is taken from here.
        elf: a firmware image linked for this board.
        hse_connected: whether STM32 boards get their external clock; without it the HAL falls back to a slower one.
        instruction_limit: the most that may be executed without coming to rest.

    Raises:
        MachineFault: at once, where the image contains an instruction that the core lacks; later, from `read_until`,
            for any access outside the memory map, write to flash, execution of constants, misalignment, stack overflow
            or fault.
        RunLimitError: from `read_until`, when the limit is reached.
        UnknownTimingError: from `read_until`, where the core has a timing and its manual none of an instruction.
    """

    def __init__(
        self,
        board: Board,
        elf: Path,
        *,
        hse_connected: bool = True,
        instruction_limit: int = DEFAULT_INSTRUCTION_LIMIT,
    ) -> None:
        if board.hal is None or board.core.emulator is None:
            raise NoFirmwareError(f"board {board.name} has no firmware: it exists to count memory only")
        self.board = board
        self.image = read_image(elf)
        self.timeout: float | None = None
        self._limit = instruction_limit
        self._fault: tuple[str, int | None] | None = None
        self._idle = False
        self._line = SerialLine(self._stop_when_idle)
        self._emulator = Emulator(board.core.emulator, self._note_fault)
        for region in board.regions:
            self._emulator.map_memory(region.address, region.size_bytes, writable=region.kind == "sram")
        for segment in self.image.segments:
            self._emulator.write_memory(segment.address, segment.data)
        start = board.code_region.address
        code = self._emulator.read_memory(start, max(self.image.region_usage(board)[board.layout.code], 8))
        self._checks = InstructionChecks(self._emulator, self.image, board.core)
        self._counter = ExecutionCounter(self._emulator, self.image, start, code, board.timing)
        self.peripherals = self._make_peripherals(hse_connected=hse_connected)
        self._map_peripherals()
        # The core loads the stack pointer and the address of the reset handler from the vector table.
        self._emulator.reset(int.from_bytes(code[:4], "little"))
        self._next = int.from_bytes(code[4:8], "little")

    @property
    def tick_unit(self) -> Literal["cycles", "instructions"]:
        return "instructions"

    def write(self, data: bytes) -> int:
        """Queue bytes for the firmware to receive."""
        self._line.to_device.extend(data)
        return len(data)

    def read_until(self, expected: bytes) -> bytes:
        """Run the firmware until it has sent `expected` or waits for input; return up to and with `expected`."""
        received = self._line.from_device
        while (found := received.find(expected)) < 0 and (self._line.to_device or not self._idle):
            self._run()
        size = found + len(expected) if found >= 0 else len(received)
        data = bytes(received[:size])
        del received[:size]
        return data

    def reset_input_buffer(self) -> None:
        """Forget what the firmware has sent."""
        self._line.from_device.clear()

    def close(self) -> None:
        """Do nothing: the emulator holds nothing outside this object."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def instructions(self) -> int:
        """Instructions executed since reset."""
        return self._counter.instructions

    @property
    def cycles(self) -> int | None:
        """Cycles since reset by the timing of the core, a model; None where it has none."""
        return self._counter.cycles

    def clear_counts(self) -> None:
        """Forget the inferences counted so far."""
        self._counter.clear()

    def inference_counts(self) -> InferenceCount:
        """Return the inferences completed since `clear_counts`, their instructions and cycles, added up."""
        return self._counter.read()

    def _make_peripherals(self, *, hse_connected: bool) -> tuple[Peripheral, ...]:
        control = SystemControl(self._checks.set_fpu)
        found: list[Peripheral] = [control]
        counter = self.board.core.cycle_counter
        if counter is not None:
            found.append(CycleCounter(lambda: self.instructions, control.is_tracing, locked=counter.is_locked))
        if self.board.hal == "virt":
            found.append(VirtualPort(self._line, lambda: self.instructions))
        elif self.board.hal == "stm32f3":
            found += stm32f3(self._line, hse_connected=hse_connected)
        elif self.board.hal == "stm32f7":
            found += stm32f7(self._line, hse_connected=hse_connected)
        else:
            raise NoFirmwareError(
                f"the virtual board has no peripherals for the HAL {self.board.hal!r} of board {self.board.name}: "
                "see docs/adding-a-board.md"
            )
        return tuple(found)

    def _map_peripherals(self) -> None:
        pages: dict[int, list[Peripheral]] = {}
        for peripheral in self.peripherals:
            pages.setdefault(peripheral.address // PAGE_BYTES * PAGE_BYTES, []).append(peripheral)
        for page, inhabitants in pages.items():
            self._map_page(page, inhabitants)

    def _map_page(self, page: int, inhabitants: list[Peripheral]) -> None:
        def find(offset: int) -> tuple[Peripheral, int]:
            for peripheral in inhabitants:
                relative = page + offset - peripheral.address
                if 0 <= relative < peripheral.size_bytes:
                    return peripheral, relative
            raise NoRegisterError("no peripheral is there")

        def read(offset: int) -> int:
            try:
                peripheral, relative = find(offset)
                return peripheral.read(relative)
            except NoRegisterError as error:
                self._stop(f"read of a register that is not modelled ({error})", page + offset)
                return 0

        def write(offset: int, value: int) -> None:
            try:
                peripheral, relative = find(offset)
                peripheral.write(relative, value)
            except NoRegisterError as error:
                self._stop(f"write to a register that is not modelled ({error})", page + offset)

        self._emulator.map_registers(page, read, write)

    def _run(self) -> None:
        """Execute until the firmware waits for input."""
        if self._fault is not None:
            raise self._explain(*self._fault)
        self._idle = False
        self._counter.allow(self._limit)
        complaint = self._emulator.run(self._next)
        self._counter.raise_error()
        failed = self._checks.failure()
        if failed is not None:
            raise MachineFault(failed.reason, failed.pc, self.image.symbol_at(failed.pc), failed.address)
        if self._fault is not None:
            raise self._explain(*self._fault)
        if self._counter.failure is not None:
            raise self._counter.failure
        if self._counter.limit_reached:
            where = self.image.symbol_at(self._emulator.pc)
            raise RunLimitError(
                f"virtual board: no rest after {self._limit} instructions; the firmware hangs in {where}"
            )
        if not self._idle:
            raise self._explain(complaint or "the emulator stopped", None)
        self._next = self._emulator.pc

    def _explain(self, reason: str, address: int | None) -> MachineFault:
        """Name a stack overflow as such: the stack lies at the bottom of its region, above unmapped memory."""
        bottom = self.image.symbols.get("tn_stack_bottom")
        pc, sp = self._emulator.pc, self._emulator.sp
        if bottom is not None and address is not None:
            is_just_below = bottom.address - PAGE_BYTES <= address < bottom.address
            if sp < bottom.address or is_just_below:
                reason = "stack overflow"
        return MachineFault(reason, pc, self.image.symbol_at(pc), address)

    def _note_fault(self, reason: str, address: int | None) -> None:
        if self._fault is None:
            self._fault = (reason, address)

    def _stop(self, reason: str, address: int) -> None:
        self._note_fault(reason, address)
        self._emulator.stop()

    def _stop_when_idle(self) -> None:
        self._idle = True
        self._emulator.stop()
