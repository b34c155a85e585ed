"""What the emulator lets pass and silicon does not: missing instructions, misalignment, an FPU that is off."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from tinynas.targets import Core

from .._elf import Image
from .._errors import MachineFault
from ._emulator import CORE_REGISTERS, FLAGS, Emulator, library_function
from ._native import Check
from ._thumb import Instruction, decode


@dataclass(frozen=True)
class FailedCheck:
    """The first check that failed: why, at which instruction, for which address."""

    reason: str
    pc: int
    address: int | None


class InstructionChecks:
    """Checks on all instructions of an image.

    Instructions that the core lacks are refused when the image is loaded: the emulator's Cortex-M3, for one, executes
    DSP instructions. Loads and stores that fault on unaligned addresses although plain ones do not, and
    instructions of the FPU, are hooked one by one and checked each time they execute.

    Raises `MachineFault` from the constructor.
    """

    def __init__(self, emulator: Emulator, image: Image, core: Core) -> None:
        self._emulator = emulator
        self._fpu_enabled = ctypes.c_uint32(0)
        self._failed_at = ctypes.c_uint32(0)
        self._failed_address = ctypes.c_uint32(0)
        if not image.code_ranges:
            raise MachineFault("an image without mapping symbols ($t, $d) cannot be checked", 0, image.path.name)
        for start, end in image.code_ranges:
            for instruction in decode(emulator.read_memory(start, end - start), start):
                extension = instruction.extension
                if extension is not None and extension not in _extensions(core):
                    pc = instruction.address
                    raise MachineFault(f"{extension} instruction on {core.name}", pc, image.symbol_at(pc))
                if instruction.aligned_base is not None or extension == "FPU":
                    self._hook(instruction)

    def set_fpu(self, enabled: bool) -> None:
        """Note that the firmware switched the FPU on or off."""
        self._fpu_enabled.value = int(enabled)

    def failure(self) -> FailedCheck | None:
        """Return what stopped the emulator, None if it was no check."""
        if not self._failed_at.value:
            return None
        if self._failed_address.value:
            return FailedCheck("unaligned access", self._failed_at.value, self._failed_address.value)
        return FailedCheck("FPU instruction while the FPU is off", self._failed_at.value, None)

    def _hook(self, instruction: Instruction) -> None:
        check = Check()
        base = instruction.aligned_base
        check.reg_read, check.stop = library_function("uc_reg_read"), library_function("uc_emu_stop")
        check.base = CORE_REGISTERS[base] if base is not None else -1
        check.flags = FLAGS
        check.condition = instruction.condition
        check.needs_fpu = int(instruction.extension == "FPU")
        check.fpu_enabled = ctypes.pointer(self._fpu_enabled)
        check.failed_at = ctypes.pointer(self._failed_at)
        check.failed_address = ctypes.pointer(self._failed_address)
        self._emulator.hook_instruction(instruction.address, "tn_check_instruction", check)


def _extensions(core: Core) -> frozenset[str]:
    found = set() if core.architecture == "armv6-m" else {"Thumb-2"}
    found |= {"DSP"} if core.has_dsp else set()
    found |= {"FPU"} if core.has_fpu else set()
    return frozenset(found)
