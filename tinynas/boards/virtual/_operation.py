"""An instruction as its timing sees it, and the kinds of which both lengths of encodings have some."""

from __future__ import annotations

from dataclasses import dataclass

from ._residues import Residue, register_residue

SP, LR, PC = 13, 14, 15


@dataclass(frozen=True, slots=True)
class Access:
    """A load or store of a halfword or word that may be unaligned: its address by the registers before it."""

    size_bytes: int
    address: Residue


@dataclass(frozen=True, slots=True)
class Operation:
    """An instruction.

    Attributes:
        kind: a field of `tinynas.targets.Cycles`, or "divide".
        transfers: core registers or words that LDM and the like transfer, N in the manuals.
        writes: core registers written, one bit each.
        computes: whether what it writes is the result of data processing, or moved from the FPU: an address that is
            computed from it has to wait.
        loads: the register that a single load writes, one bit; 0 for all else.
        updates_base: whether a single load or store writes the address back.
        address: core registers that an address is computed from, one bit each.
        access: None where it accesses no memory, bytes, or what is always aligned.
        sums: registers whose new values are known modulo four; others that are written are not.
        fpu_writes: single registers of the FPU that arithmetic writes, one bit each.
        fpu_reads: those that are read, but for what a multiplication is accumulated to.
        operands: of a division: dividend and divisor.
    """

    kind: str
    transfers: int = 0
    writes: int = 0
    computes: bool = False
    loads: int = 0
    updates_base: bool = False
    address: int = 0
    access: Access | None = None
    sums: tuple[tuple[int, Residue], ...] = ()
    fpu_writes: int = 0
    fpu_reads: int = 0
    operands: tuple[int, int] | None = None


def bit(register: int) -> int:
    return 1 << register


def data(register: int, value: Residue | None = None) -> Operation:
    """Data processing into a core register; `value` where it is known modulo four."""
    if register == PC:
        return Operation("write_pc", writes=bit(PC))
    return Operation("data", writes=bit(register), computes=True, sums=() if value is None else ((register, value),))


def load(target: int, registers: int, size: int, address: Residue, extra: int = 0) -> Operation:
    """A load; `extra`: registers that are written besides."""
    access = Access(size, address) if size > 1 else None
    if target == PC:
        return Operation("load_pc", writes=bit(PC) | extra, address=registers, access=access)
    return Operation("load", writes=bit(target) | extra, loads=bit(target), address=registers, access=access)


def store(kind: str, registers: int, size: int, address: Residue) -> Operation:
    return Operation(kind, address=registers, access=Access(size, address) if size > 1 else None)


def transfer_list(base: int, registers: int, *, is_load: bool, writes_base: bool) -> Operation | None:
    """LDM, STM, PUSH, POP: the base moves by words, and keeps its value modulo four."""
    if registers == 0:
        return None
    kept = ((base, register_residue(base)),) if writes_base and not (is_load and registers & bit(base)) else ()
    written = (registers if is_load else 0) | (bit(base) if kept else 0)
    kind = ("load_multiple_pc" if registers & bit(PC) else "load_multiple") if is_load else "store_multiple"
    return Operation(kind, transfers=registers.bit_count(), writes=written, address=bit(base), sums=kept)


def hint(code: int) -> Operation | None:
    """NOP, YIELD, WFE, WFI, SEV; others are not allocated."""
    return None if code > 4 else Operation("wait" if code in (2, 3) else "hint")


COMPARE = Operation("data")
"""Sets flags only."""
