"""What the emulator lets pass and silicon does not: missing instructions, misalignment, an FPU that is off."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from tinynas.targets import Core

from .._elf import Image
from .._errors import MachineFault
from ._emulator import CORE_REGISTERS, FLAGS, Emulator, library_function
from ._native import BlockChecks, InstructionNeeds, RegisterCheck
from ._thumb import ALWAYS, Instruction, decode

# Of InstructionNeeds.window: more halfwords than a block of the emulator has, which ends with its page.
_WINDOW_LIMIT = 0xFFFF


@dataclass(frozen=True)
class FailedCheck:
    """The first check that failed: why, at which instruction, for which value of its base register.

    The value is that on entry to the block: steps of a multiple of four that the block takes first are left out.
    """

    reason: str
    pc: int
    address: int | None


class InstructionChecks:
    """Checks on all instructions of an image.

    Instructions that the core lacks are refused when the image is loaded: the emulator's Cortex-M3, for one, executes
    DSP instructions. Loads and stores that fault on unaligned addresses although plain ones do not, and
    instructions of the FPU, are checked each time they execute, most of them on entry to the block that they belong
    to. A base register is checked there if nothing before the access changes it modulo 4 (see
    `Instruction.keeps_alignment`), otherwise where it has got its value. An access under a condition is checked
    by itself. The few that are hooked cost most of the time: the emulator looks through all hooks at each of them.

    Raises `MachineFault` from the constructor.
    """

    def __init__(self, emulator: Emulator, image: Image, core: Core) -> None:
        self._emulator = emulator
        if not image.code_ranges:
            raise MachineFault("an image without mapping symbols ($t, $d) cannot be checked", 0, image.path.name)
        first, end = min(start for start, _ in image.code_ranges), max(end for _, end in image.code_ranges)
        self._needs = (InstructionNeeds * ((end - first) // 2))()
        self._checks = checks = BlockChecks()
        checks.reg_read, checks.stop = library_function("uc_reg_read"), library_function("uc_emu_stop")
        checks.needs, checks.code_address, checks.code_bytes = self._needs, first, end - first
        checks.registers[:], checks.flags = CORE_REGISTERS, FLAGS
        self._hooked: set[tuple[int, int]] = set()
        for start, end in image.code_ranges:
            straight: list[Instruction] = []  # what is executed before an instruction whenever execution comes this way
            for instruction in decode(emulator.read_memory(start, end - start), start):
                extension = instruction.extension
                if extension is not None and extension not in _extensions(core):
                    pc = instruction.address
                    raise MachineFault(f"{extension} instruction on {core.name}", pc, image.symbol_at(pc))
                self._note(instruction, straight)
                straight.append(instruction)
                if instruction.is_branch:
                    straight.clear()
        emulator.hook_blocks("tn_check_block", checks)

    def set_fpu(self, enabled: bool) -> None:
        """Note that the firmware switched the FPU on or off: from the next block on, as from an ISB, which ends one."""
        self._checks.fpu_enabled = int(enabled)

    def failure(self) -> FailedCheck | None:
        """Return what stopped the emulator, None if it was no check."""
        if not self._checks.failed_at:
            return None
        if self._checks.failed_address:
            return FailedCheck("unaligned access", self._checks.failed_at, self._checks.failed_address)
        return FailedCheck("FPU instruction while the FPU is off", self._checks.failed_at, None)

    def _note(self, instruction: Instruction, straight: list[Instruction]) -> None:
        needs = self._needs[self._index(instruction.address)]
        needs.fpu = instruction.extension == "FPU"
        base = instruction.aligned_base
        if base is None:
            return
        if instruction.condition != ALWAYS:
            self._hook(instruction.address, instruction, base)
            return
        since = instruction.address
        for earlier in reversed(straight):
            if not earlier.keeps_alignment(base):
                self._hook(since, instruction, base)
                break
            since = earlier.address
        needs.base, needs.window = base + 1, min((instruction.address - since) // 2, _WINDOW_LIMIT)

    def _index(self, address: int) -> int:
        return (address - int(self._checks.code_address)) // 2

    def _hook(self, address: int, instruction: Instruction, base: int) -> None:
        """Check the base register of `instruction` before the instruction at `address`, which comes no later."""
        if instruction.condition == ALWAYS:
            if (address, base) in self._hooked:
                return
            self._hooked.add((address, base))
        check = RegisterCheck(ctypes.pointer(self._checks), instruction.address, base, instruction.condition)
        self._emulator.hook_instruction(address, "tn_check_register", check)


def _extensions(core: Core) -> frozenset[str]:
    found = set() if core.architecture == "armv6-m" else {"Thumb-2"}
    found |= {"DSP"} if core.has_dsp else set()
    found |= {"FPU"} if core.has_fpu else set()
    return frozenset(found)
