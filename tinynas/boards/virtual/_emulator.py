"""Unicorn behind a typed face: memory, registers, hooks in Python and hooks in C."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from unicorn import arm_const, unicorn_const
from unicorn.unicorn_py3 import unicorn as binding

from ._native import load_hooks

PAGE_BYTES = 0x1000
LR = arm_const.UC_ARM_REG_LR
PC = arm_const.UC_ARM_REG_PC
FLAGS = arm_const.UC_ARM_REG_CPSR
CORE_REGISTERS: tuple[int, ...] = tuple(getattr(arm_const, f"UC_ARM_REG_R{index}") for index in range(16))

_ACCESSES: Mapping[int, str] = MappingProxyType(
    {
        unicorn_const.UC_MEM_READ_UNMAPPED: "read outside the memory map",
        unicorn_const.UC_MEM_WRITE_UNMAPPED: "write outside the memory map",
        unicorn_const.UC_MEM_FETCH_UNMAPPED: "fetch outside the memory map",
        unicorn_const.UC_MEM_READ: "read outside the memory map",
        unicorn_const.UC_MEM_WRITE: "write outside the memory map",
        unicorn_const.UC_MEM_WRITE_PROT: "write to flash",
        unicorn_const.UC_MEM_FETCH_PROT: "execution from SRAM",
    }
)

# Exception numbers of the emulator's Arm core (QEMU, target/arm/cpu.h).
_EXCEPTIONS: Mapping[int, str] = MappingProxyType(
    {
        1: "undefined instruction",
        2: "supervisor call without a handler",
        3: "fetch from memory that cannot be executed",
        4: "unaligned access that this core does not support",
        7: "breakpoint",
        17: "instruction of a coprocessor that this core lacks",
        18: "branch to an address without the Thumb bit",
    }
)

ReadRegister = Callable[[int], int]
WriteRegister = Callable[[int, int], None]
OnFault = Callable[[str, int | None], None]


class Emulator:
    """A Cortex-M core without memory. `on_fault(reason, address)` is called when it cannot go on; it then stops.

    `model` is one of the emulator's (`Core.emulator`).
    """

    def __init__(self, model: str, on_fault: OnFault) -> None:
        # UC_MODE_MCLASS would ignore the CPU model: an M0 would execute UDIV.
        self._uc: Any = _untyped(binding.Uc)(unicorn_const.UC_ARCH_ARM, unicorn_const.UC_MODE_THUMB)
        self._uc.ctl_set_cpu_model(getattr(arm_const, f"UC_CPU_ARM_{model.upper().replace('-', '_')}"))
        self._on_fault = on_fault
        self._held: list[object] = []  # the emulator keeps bare pointers to these
        self._uc.hook_add(unicorn_const.UC_HOOK_MEM_INVALID, self._invalid_access)
        self._uc.hook_add(unicorn_const.UC_HOOK_INTR, self._exception)
        self._uc.hook_add(unicorn_const.UC_HOOK_INSN_INVALID, self._invalid_instruction)

    def map_memory(self, address: int, size_bytes: int, *, writable: bool) -> None:
        """Map writable memory that cannot be executed, or memory that can be executed and not be written."""
        rights = unicorn_const.UC_PROT_READ
        rights |= unicorn_const.UC_PROT_WRITE if writable else unicorn_const.UC_PROT_EXEC
        end = address + size_bytes
        first_page, last_page_end = address // PAGE_BYTES * PAGE_BYTES, -(-end // PAGE_BYTES) * PAGE_BYTES
        self._uc.mem_map(first_page, last_page_end - first_page, rights)
        # The emulator maps whole pages: what the region does not fill is watched instead.
        for begin, last in ((first_page, address - 1), (end, last_page_end - 1)):
            if begin <= last:
                kinds = unicorn_const.UC_HOOK_MEM_READ | unicorn_const.UC_HOOK_MEM_WRITE
                self._uc.hook_add(kinds, self._invalid_access, begin=begin, end=last)

    def map_registers(self, page: int, read: ReadRegister, write: WriteRegister) -> None:
        """Call `read(offset)` and `write(offset, value)` for every access to the page at `page`."""

        def on_read(_uc: Any, offset: int, _size: int, _data: Any) -> int:
            return read(offset)

        def on_write(_uc: Any, offset: int, _size: int, value: int, _data: Any) -> None:
            write(offset, value)

        self._uc.mmio_map(page, PAGE_BYTES, on_read, None, on_write, None)

    def read_memory(self, address: int, size_bytes: int) -> bytes:
        return bytes(self._uc.mem_read(address, size_bytes))

    def write_memory(self, address: int, data: bytes) -> None:
        """Write as a debugger would: flash too."""
        self._uc.mem_write(address, data)

    @property
    def pc(self) -> int:
        return int(self._uc.reg_read(arm_const.UC_ARM_REG_PC))

    @property
    def sp(self) -> int:
        return int(self._uc.reg_read(arm_const.UC_ARM_REG_SP))

    def reset(self, sp: int, return_address: int = 0xFFFFFFFF) -> None:
        """Set the stack pointer, and the link register: by default to what it holds after reset (DDI 0403, B1.5.5)."""
        self._uc.reg_write(arm_const.UC_ARM_REG_SP, sp)
        self._uc.reg_write(LR, return_address)

    def run(self, address: int, until: int = 0) -> str | None:
        """Execute from `address` until stopped or at `until`. Returns the emulator's complaint where there is one."""
        try:
            self._uc.emu_start(address | 1, until)
        except Exception as error:
            if not isinstance(error, binding.UcError):
                raise
            return str(error)
        return None

    def stop(self) -> None:
        """Stop before the next instruction, or at the end of the block when called while a register is accessed."""
        self._uc.emu_stop()

    def hook_blocks(self, function: str, data: ctypes.Structure) -> None:
        """Call a function of hooks.c at the beginning of every block that is executed."""
        self._add_native_hook(unicorn_const.UC_HOOK_BLOCK, function, data, 1, 0)

    def hook_instruction(self, address: int, function: str, data: ctypes.Structure) -> None:
        """Call a function of hooks.c before the instruction at `address`."""
        self._add_native_hook(unicorn_const.UC_HOOK_CODE, function, data, address, address)

    def hook_accesses(self, first: int, last: int, function: str, data: ctypes.Structure) -> None:
        """Call a function of hooks.c for every load and store that starts within `first` to `last`.

        Not for memory that holds code: the emulator then takes some fetches for invalid instructions.
        """
        kinds = unicorn_const.UC_HOOK_MEM_READ | unicorn_const.UC_HOOK_MEM_WRITE
        self._add_native_hook(kinds, function, data, first, last)

    def _add_native_hook(self, kind: int, function: str, data: ctypes.Structure, begin: int, end: int) -> None:
        # The Python binding takes Python functions only; the library underneath takes any pointer.
        handle = ctypes.c_size_t()
        self._held.append(data)
        status = binding.uclib.uc_hook_add(
            self._uc._uch,
            ctypes.byref(handle),
            ctypes.c_int(kind),
            ctypes.cast(getattr(load_hooks(), function), ctypes.c_void_p),
            ctypes.cast(ctypes.pointer(data), ctypes.c_void_p),
            ctypes.c_uint64(begin),
            ctypes.c_uint64(end),
        )
        if status != unicorn_const.UC_ERR_OK:
            raise _untyped(binding.UcError)(status)

    def _invalid_access(self, _uc: Any, access: int, address: int, _size: int, _value: int, _data: Any) -> bool:
        self._fault(_ACCESSES.get(access, "access outside the memory map"), address)
        return False

    def _exception(self, _uc: Any, number: int, _data: Any) -> None:
        self._fault(_EXCEPTIONS.get(number, f"exception {number}"), None)

    def _invalid_instruction(self, _uc: Any, _data: Any) -> bool:
        self._fault("undefined instruction", None)
        return False

    def _fault(self, reason: str, address: int | None) -> None:
        self._on_fault(reason, address)
        self.stop()


def library_function(name: str) -> int | None:
    """Return the address of a function of the emulator's library, for hooks.c."""
    return ctypes.cast(getattr(binding.uclib, name), ctypes.c_void_p).value


def _untyped(function: Any) -> Any:
    return function
