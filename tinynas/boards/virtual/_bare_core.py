"""A core without a board: single functions of an image are called, and every byte they touch is watched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

import numpy as np

from tinynas.targets import Core, Region, Timing

from .._elf import Image, read_image
from .._errors import MachineFault, NoFirmwareError, RunLimitError
from ._counting import ExecutionCounter
from ._emulator import FLAGS, PC, Emulator, library_function
from ._instruction_checks import InstructionChecks
from ._native import AccessWatch

_RETURN_BYTES = 4
_MARGIN = 7  # bytes before a region where an access that reaches into it can start: the widest has eight


class Right(IntFlag):
    """What may be done with a byte."""

    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Grant:
    """A right to the bytes from `address`, before `end`."""

    address: int
    end: int
    right: Right


@dataclass(frozen=True)
class CallReport:
    """One call of a function.

    Attributes:
        instructions: issued, the function's own and those of what it calls.
        cycles: of the same, by the timing of the core; None without one.
        reads_outside: loads that touched a watched byte without the right to read it.
        writes_outside: stores, likewise.
        first: the first of these accesses, in words; empty if there is none.
    """

    instructions: int
    cycles: int | None
    reads_outside: int
    writes_outside: int
    first: str


class BareCore:
    """A core, memory, and an image whose functions are called one at a time.

    All checks of the virtual board apply: the memory map, missing instructions, misaligned multiple accesses. In
    watched regions, loads and stores need a right for each byte on top. The core is as reset leaves it, its FPU
    switched on.

    Args:
        core: which one.
        elf: an image whose code lies in `regions[0]` and needs no start-up code: nothing copies `.data`.
        regions: the memory map; the first region holds code and cannot be watched.
        stack: name of the region whose upper end the stack starts at.
        watched: names of the regions where accesses need rights.
        timing: of the core, by which cycles are counted; None: they are not.
        instruction_limit: the most that one call may execute.

    Raises:
        MachineFault: at once, where the image contains an instruction that the core lacks.
        NoFirmwareError: the emulator does not have this core.
    """

    def __init__(
        self,
        core: Core,
        elf: Path,
        regions: Sequence[Region],
        *,
        stack: str,
        watched: Iterable[str] = (),
        timing: Timing | None = None,
        instruction_limit: int = 1_000_000_000,
    ) -> None:
        self.image = read_image(elf)
        self._limit = instruction_limit
        self._fault: tuple[str, int | None] | None = None
        if core.emulator is None:
            raise NoFirmwareError(f"the emulator has no {core.name}: it exists to count memory only")
        self._emulator = Emulator(core.emulator, self._note_fault)
        by_name = {region.name: region for region in regions}
        for region in regions:
            self._emulator.map_memory(region.address, region.size_bytes, writable=region.kind == "sram")
        for segment in self.image.segments:
            self._emulator.write_memory(segment.address, segment.data)
        code = regions[0]
        self._checks = InstructionChecks(self._emulator, self.image, core)
        self._checks.set_fpu(core.has_fpu)
        used = max((end for _, end in self.image.code_ranges), default=code.address) - code.address
        self._counter = ExecutionCounter(
            self._emulator, self.image, code.address, self._emulator.read_memory(code.address, used), timing
        )
        self._return = code.end - _RETURN_BYTES
        self._stack_top = by_name[stack].end
        self._watches = [_Watch(self._emulator, by_name[name]) for name in watched]

    def read(self, address: int, size_bytes: int) -> bytes:
        """Read memory as a debugger would."""
        return self._emulator.read_memory(address, size_bytes)

    def write(self, address: int, data: bytes) -> None:
        """Write memory as a debugger would, flash too."""
        self._emulator.write_memory(address, data)

    def call(self, function: str, grants: Sequence[Grant] = ()) -> CallReport:
        """Call a function without arguments, with these rights to watched memory.

        Raises:
            MachineFault: it did what silicon would trap, or left the memory map. The core is of no further use then.
            RunLimitError: it does not return.
            UnknownTimingError: the core's manual has no timing of an instruction.
        """
        symbol = self.image.symbols[function]
        for watch in self._watches:
            watch.grant(grants)
        before, cycles_before = self._counter.instructions, self._counter.cycles
        self._counter.allow(self._limit)
        self._emulator.reset(self._stack_top, self._return | 1)
        complaint = self._emulator.run(symbol.address, until=self._return)
        self._counter.raise_error()
        self._require_return(function, complaint)
        self._counter.leave(self._return)
        return CallReport(
            instructions=self._counter.instructions - before,
            cycles=None if cycles_before is None else (self._counter.cycles or 0) - cycles_before,
            reads_outside=sum(watch.reads for watch in self._watches),
            writes_outside=sum(watch.writes for watch in self._watches),
            first=next(filter(None, (watch.first(self.image) for watch in self._watches)), ""),
        )

    def _require_return(self, function: str, complaint: str | None) -> None:
        pc = self._emulator.pc
        failed = self._checks.failure()
        if failed is not None:
            raise MachineFault(failed.reason, failed.pc, self.image.symbol_at(failed.pc), failed.address)
        if self._fault is not None:
            reason, address = self._fault
            raise MachineFault(reason, pc, self.image.symbol_at(pc), address)
        if self._counter.failure is not None:
            raise self._counter.failure
        if self._counter.limit_reached:
            raise RunLimitError(f"{function} did not return after {self._limit} instructions")
        if pc & ~1 != self._return:
            raise MachineFault(complaint or "the emulator stopped", pc, self.image.symbol_at(pc))

    def _note_fault(self, reason: str, address: int | None) -> None:
        if self._fault is None:
            self._fault = (reason, address)


class _Watch:
    """One watched region."""

    def __init__(self, emulator: Emulator, region: Region) -> None:
        self._region = region
        self._rights = np.zeros(region.size_bytes, np.uint8)
        self._granted: list[slice] = []
        self._watch = AccessWatch()
        self._watch.reg_read = library_function("uc_reg_read")
        self._watch.reg_write = library_function("uc_reg_write")
        self._watch.rights = self._rights.ctypes.data
        self._watch.address, self._watch.bytes = region.address, region.size_bytes
        self._watch.pc, self._watch.flags = PC, FLAGS
        emulator.hook_accesses(region.address - _MARGIN, region.end - 1, "tn_watch_access", self._watch)

    @property
    def reads(self) -> int:
        return int(self._watch.reads)

    @property
    def writes(self) -> int:
        return int(self._watch.writes)

    def grant(self, grants: Sequence[Grant]) -> None:
        """Allow these accesses only, and forget those counted before."""
        for part in self._granted:
            self._rights[part] = 0
        self._granted.clear()
        for grant in grants:
            if self._region.address <= grant.address < self._region.end:
                part = slice(grant.address - self._region.address, grant.end - self._region.address)
                self._rights[part] |= np.uint8(grant.right)
                self._granted.append(part)
        self._watch.reads = self._watch.writes = 0

    def first(self, image: Image) -> str:
        """The first access without the right, in words."""
        if not self.reads and not self.writes:
            return ""
        kind = "write" if self._watch.first_is_write else "read"
        return f"{kind} at 0x{self._watch.first_address:08x} by {image.symbol_at(self._watch.first_pc)}"
