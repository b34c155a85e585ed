"""Operations of FPv4-SP, the FPU of the Cortex-M4: DDI 0403, A6."""

from __future__ import annotations

from ._operation import PC, Operation, bit
from ._residues import register_residue


def fpu_operation(first: int, second: int) -> Operation | None:
    """Classify; None where the encoding is not known."""
    if second & 0x0E00 != 0x0A00 or first & 0x1000 or first & 0xFF00 == 0xEF00:
        return None
    if first & 0x0E00 == 0x0C00:
        return _fpu_transfer(first, second)
    if second & 0x10:
        return _fpu_move(first, second)
    return _fpu_arithmetic(first, second) if second & 0x0100 == 0 else None


def _fpu_transfer(first: int, second: int) -> Operation | None:
    base = first & 15
    if first & 0x01E0 == 0x0040:  # VMOV of two core registers
        if second & 0xD0 != 0x10:
            return None
        if not first & 0x10:
            return Operation("fpu_move_pair")
        written = bit(second >> 12) | bit(base)
        lower = second << 1 & 0x1E  # of a double, or of two singles
        if not second & 0x100:
            lower |= second >> 5 & 1
        return Operation("fpu_move_pair", writes=written, computes=True, fpu_reads=3 << lower)
    mode = first >> 5 & 13  # P, U and W without D
    if mode & 8 and not mode & 1:  # VLDR, VSTR
        words = 2 if second & 0x100 else 1
    elif mode in (4, 5, 9):
        words = second & 0xFF
    else:
        return None
    register = second >> 11 & 0x1E | first >> 6 & 1
    if second & 0x100:  # doubles
        register = second >> 11 & 0x1E | first >> 1 & 0x20
    if not 1 <= words <= 32 - register:
        return None
    stored = 0 if first & 0x10 else (1 << words) - 1 << register
    kept = ((base, register_residue(base)),) if mode & 1 else ()
    written = bit(base) if kept else 0
    return Operation("fpu_transfer", transfers=words, writes=written, address=bit(base), sums=kept, fpu_reads=stored)


def _fpu_move(first: int, second: int) -> Operation | None:
    core, to_core = second >> 12, bool(first & 0x10)
    if second & 0x0100:  # halves of doubles
        if first & 0xFFC0 != 0xEE00 or second & 0x6F:
            return None
        if not to_core:
            return Operation("fpu_move")
        moved = bit(first << 1 & 0x1E | first >> 5 & 1)
        return Operation("fpu_move", writes=bit(core), computes=True, fpu_reads=moved)
    if second & 0x6F:
        return None
    code = first >> 5 & 7
    if code == 0:
        moved = bit(first << 1 & 0x1E | second >> 7 & 1)
        if to_core:
            return Operation("fpu_move", writes=bit(core), computes=True, fpu_reads=moved)
        return Operation("fpu_move")
    if code == 7 and first & 15 == 1:
        return Operation("fpu_status", writes=bit(core) if to_core and core != PC else 0)
    return None


def _fpu_arithmetic(first: int, second: int) -> Operation | None:
    target = second >> 11 & 0x1E | first >> 6 & 1
    left = first << 1 & 0x1E | second >> 7 & 1
    right = second << 1 & 0x1E | second >> 5 & 1
    code = first >> 4 & 11
    operands = bit(left) | bit(right)
    if code in (0, 1, 9, 10):
        return Operation("fpu_multiply_accumulate", fpu_writes=bit(target), fpu_reads=operands)
    if code in (2, 3):
        return Operation("fpu_arithmetic", fpu_writes=bit(target), fpu_reads=operands)
    if code == 8:
        if second & 0x40:
            return None
        return Operation("fpu_divide", fpu_writes=bit(target), fpu_reads=operands)
    if code != 11:
        return None
    if not second & 0x40:
        return None if second & 0xA0 else Operation("fpu_move")  # of an immediate
    which, upper = first & 15, bool(second & 0x80)
    if which == 0 and not upper:
        return Operation("fpu_move", fpu_reads=bit(right))
    if which == 1 and upper:
        return Operation("fpu_divide", fpu_writes=bit(target), fpu_reads=bit(right))  # VSQRT
    if which in (0, 1):  # VABS, VNEG: no arithmetic, the result is there at once
        return Operation("fpu_arithmetic", fpu_reads=bit(right))
    if which in (4, 5):  # VCMP, with zero
        return Operation("fpu_arithmetic", fpu_reads=bit(target) | (bit(right) if which == 4 else 0))
    if which in (2, 3, 8, 12, 13):
        return Operation("fpu_arithmetic", fpu_writes=bit(target), fpu_reads=bit(right))
    if which in (10, 11, 14, 15):  # VCVT of fixed point: in place
        return Operation("fpu_arithmetic", fpu_writes=bit(target), fpu_reads=bit(target))
    return None
