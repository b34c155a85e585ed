"""What Thumb instructions do, as far as their timing depends on it.

Encodings: Armv7-M Architecture Reference Manual (DDI 0403), chapter A5, and chapter A6 for the FPU. An encoding that is
not known here is an error, never a guess.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from tinynas.errors import TinyNASError

from ._residues import Residue, register_residue
from ._thumb import Instruction

SP, LR, PC = 13, 14, 15


class UnknownTimingError(TinyNASError):
    """An instruction whose timing no manual gives, or an encoding that is not known."""


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
    address: int = 0
    access: Access | None = None
    sums: tuple[tuple[int, Residue], ...] = ()
    fpu_writes: int = 0
    fpu_reads: int = 0
    operands: tuple[int, int] | None = None


def operation(instruction: Instruction) -> Operation:
    """Classify an instruction.

    Raises:
        UnknownTimingError: the encoding is not known.
    """
    found = _operation(instruction.size_bytes, instruction.first, instruction.second)
    if found is None:
        raise UnknownTimingError(f"no timing is known of the instruction {encoding(instruction)}")
    return found


@functools.cache
def _operation(size_bytes: int, first: int, second: int) -> Operation | None:
    if size_bytes == 2:
        return _narrow(first)
    if first & 0xFE40 == 0xE800:
        return _multiple(first, second)
    if first & 0xFE40 == 0xE840:
        return _dual_or_exclusive(first, second)
    if first & 0xFE00 == 0xEA00:
        return _shifted_register(first, second)
    if first & 0xEC00 == 0xEC00:
        return _fpu(first, second)
    if first & 0xF800 == 0xF000:
        return _control(first, second) if second & 0x8000 else _immediate(first, second)
    if first & 0xFE00 == 0xF800:
        return _single(first, second)
    if first & 0xFF00 == 0xFA00:
        return _register(first, second)
    return _multiplication(first, second)


def encoding(instruction: Instruction) -> str:
    """The halfwords and the address, for messages."""
    words = f"{instruction.first:04x}" + (f" {instruction.second:04x}" if instruction.size_bytes == 4 else "")
    return f"{words} at 0x{instruction.address:08x}"


def _bit(register: int) -> int:
    return 1 << register


def _data(register: int, value: Residue | None = None) -> Operation:
    """Data processing into a core register; `value` where it is known modulo four."""
    if register == PC:
        return Operation("write_pc", writes=_bit(PC))
    return Operation("data", writes=_bit(register), computes=True, sums=() if value is None else ((register, value),))


_COMPARE = Operation("data")


def _narrow(first: int) -> Operation | None:
    top = first >> 12
    low, middle = first & 7, first >> 3 & 7
    if top in (0, 1):
        return _narrow_shift_or_add(first)
    if top in (2, 3):
        return _narrow_immediate(first)
    if first & 0xFC00 == 0x4000:
        return _narrow_register(first)
    if first & 0xFC00 == 0x4400:
        return _narrow_high(first)
    if first & 0xF800 == 0x4800:  # LDR relative to PC
        return _load(first >> 8 & 7, _bit(PC), 4, Residue())
    if top == 5:
        return _narrow_register_offset(first)
    if top in (6, 7, 8):
        size = {6: 4, 7: 1, 8: 2}[top]
        address = register_residue(middle).plus_constant((first >> 6 & 31) * size)
        if first & 0x0800:
            return _load(low, _bit(middle), size, address)
        return _store("store_immediate", _bit(middle), size, address)
    if top == 9:  # relative to SP
        if first & 0x0800:
            return _load(first >> 8 & 7, _bit(SP), 4, Residue())
        return _store("store_immediate", _bit(SP), 4, Residue())
    if top == 0xA:  # ADR, ADD to SP: of words
        return _data(first >> 8 & 7, Residue())
    if top == 0xB:
        return _narrow_miscellaneous(first)
    if top == 0xC:
        return _transfer_list(first >> 8 & 7, first & 0xFF, is_load=bool(first & 0x0800), writes_base=True)
    if top == 0xD:
        return Operation("branch_conditional") if first & 0x0F00 < 0x0E00 else None
    return Operation("branch") if first & 0xF800 == 0xE000 else None


def _narrow_shift_or_add(first: int) -> Operation:
    low, middle, high = first & 7, first >> 3 & 7, first >> 6 & 7
    if first & 0x1800 != 0x1800:
        shift = first >> 6 & 31
        return _data(low, register_residue(middle, 1 << min(shift, 2)) if first & 0x1800 == 0 else None)
    sign = -1 if first & 0x0200 else 1
    base = register_residue(middle)
    if first & 0x0400:
        return _data(low, base.plus_constant(sign * high))
    return _data(low, base.plus(register_residue(high), sign))


def _narrow_immediate(first: int) -> Operation:
    register, value = first >> 8 & 7, first & 0xFF
    kind = first >> 11 & 3
    if kind == 1:
        return _COMPARE
    if kind == 0:
        return _data(register, Residue(0, value & 3))
    return _data(register, register_residue(register).plus_constant(value if kind == 2 else -value))


def _narrow_register(first: int) -> Operation:
    code = first >> 6 & 15
    if code in (8, 10, 11):  # TST, CMP, CMN
        return _COMPARE
    if code == 13:
        return Operation("multiply", writes=_bit(first & 7), computes=True)
    return _data(first & 7)


def _narrow_high(first: int) -> Operation | None:
    target, source = first >> 4 & 8 | first & 7, first >> 3 & 15
    code = first >> 8 & 3
    if code == 0:
        return _data(target, register_residue(target).plus(register_residue(source)) if source != PC else None)
    if code == 1:
        return _COMPARE
    if code == 2:
        return _data(target, register_residue(source) if source != PC else None)
    return Operation("branch_exchange", writes=_bit(LR) if first & 0x80 else 0) if first & 7 == 0 else None


def _narrow_register_offset(first: int) -> Operation:
    target, base, index = first & 7, first >> 3 & 7, first >> 6 & 7
    code = first >> 9 & 7
    size = (4, 2, 1, 1, 4, 2, 1, 2)[code]
    registers = _bit(base) | _bit(index)
    address = register_residue(base).plus(register_residue(index))
    return _load(target, registers, size, address) if code >= 3 else _store("store", registers, size, address)


def _narrow_miscellaneous(first: int) -> Operation | None:
    if first & 0xFF00 == 0xB000:  # ADD, SUB of SP
        return Operation("data", writes=_bit(SP), computes=True, sums=((SP, Residue()),))
    if first & 0xF500 == 0xB100:
        return Operation("branch_conditional")
    if first & 0xFF00 == 0xB200:  # SXTH, SXTB, UXTH, UXTB
        return _data(first & 7, register_residue(first >> 3 & 7))
    if first & 0xFE00 == 0xB400:
        registers = first & 0xFF | (first & 0x100) << 6
        return _transfer_list(SP, registers, is_load=False, writes_base=True)
    if first & 0xFE00 == 0xBC00:
        registers = first & 0xFF | (first & 0x100) << 7
        return _transfer_list(SP, registers, is_load=True, writes_base=True)
    if first & 0xFFE8 == 0xB660:
        return Operation("change_state")
    if first & 0xFF00 == 0xBA00 and first & 0xC0 != 0x80:  # REV, REV16, REVSH
        return _data(first & 7)
    if first & 0xFF00 == 0xBF00:
        return Operation("it") if first & 0xF else _hint(first >> 4 & 0xF)
    return None


def _hint(code: int) -> Operation | None:
    """NOP, YIELD, WFE, WFI, SEV; others are not allocated."""
    return None if code > 4 else Operation("wait" if code in (2, 3) else "hint")


def _load(target: int, registers: int, size: int, address: Residue, extra: int = 0) -> Operation:
    """A load; `extra`: registers that are written besides."""
    access = Access(size, address) if size > 1 else None
    if target == PC:
        return Operation("load_pc", writes=_bit(PC) | extra, address=registers, access=access)
    return Operation("load", writes=_bit(target) | extra, loads=_bit(target), address=registers, access=access)


def _store(kind: str, registers: int, size: int, address: Residue) -> Operation:
    return Operation(kind, address=registers, access=Access(size, address) if size > 1 else None)


def _transfer_list(base: int, registers: int, *, is_load: bool, writes_base: bool) -> Operation | None:
    """LDM, STM, PUSH, POP: the base moves by words, and keeps its value modulo four."""
    if registers == 0:
        return None
    kept = ((base, register_residue(base)),) if writes_base and not (is_load and registers & _bit(base)) else ()
    written = (registers if is_load else 0) | (_bit(base) if kept else 0)
    kind = ("load_multiple_pc" if registers & _bit(PC) else "load_multiple") if is_load else "store_multiple"
    return Operation(kind, transfers=registers.bit_count(), writes=written, address=_bit(base), sums=kept)


def _multiple(first: int, second: int) -> Operation | None:
    if first & 0x0180 not in (0x0080, 0x0100):  # increment after, decrement before
        return None
    return _transfer_list(first & 15, second, is_load=bool(first & 0x10), writes_base=bool(first & 0x20))


def _dual_or_exclusive(first: int, second: int) -> Operation | None:
    base, high, low = first & 15, second >> 12, second >> 8 & 15
    if first & 0xFFF0 == 0xE840:
        return Operation("store_exclusive", writes=_bit(low), address=_bit(base))
    if first & 0xFFF0 == 0xE850:
        return Operation("load_exclusive", writes=_bit(high), loads=_bit(high), address=_bit(base))
    code = second >> 4 & 15
    if first & 0xFFF0 == 0xE8C0:
        return Operation("store_exclusive", writes=_bit(second & 15), address=_bit(base)) if code in (4, 5) else None
    if first & 0xFFF0 == 0xE8D0:
        if code in (0, 1):
            return Operation("table_branch", writes=_bit(PC), address=_bit(base) | _bit(second & 15))
        if code not in (4, 5):
            return None
        return Operation("load_exclusive", writes=_bit(high), loads=_bit(high), address=_bit(base))
    kept = ((base, register_residue(base)),) if first & 0x20 else ()
    written = _bit(base) if kept else 0
    if first & 0x10:
        return Operation(
            "load_multiple", transfers=2, writes=written | _bit(high) | _bit(low), address=_bit(base), sums=kept
        )
    return Operation("store_multiple", transfers=2, writes=written, address=_bit(base), sums=kept)


def _shifted_register(first: int, second: int) -> Operation | None:
    code, base, target, source = first >> 5 & 15, first & 15, second >> 8 & 15, second & 15
    if code not in (0, 1, 2, 3, 4, 6, 8, 10, 11, 13, 14):
        return None
    if target == PC:  # TST, TEQ, CMN, CMP; MOV into PC has 16 bits
        return _COMPARE if code in (0, 4, 8, 13) and first & 0x10 else None
    amount = second >> 10 & 0x1C | second >> 6 & 3
    is_left = second & 0x30 == 0
    moved = register_residue(source, 1 << min(amount, 2)) if is_left else None
    if moved is None:
        return _data(target)
    if code == 2 and base == PC:  # MOV, LSL
        return _data(target, moved)
    if code in (8, 13):
        return _data(target, register_residue(base).plus(moved, 1 if code == 8 else -1))
    return _data(target)


def _immediate(first: int, second: int) -> Operation | None:
    """Data processing with a constant. Its two low bits are those of the encoding unless it is rotated."""
    base, target = first & 15, second >> 8 & 15
    if first & 0x0200:
        return _plain_immediate(first, second)
    code = first >> 5 & 15
    if code not in (0, 1, 2, 3, 4, 8, 10, 11, 13, 14):
        return None
    if target == PC:
        return _COMPARE if code in (0, 4, 8, 13) and first & 0x10 else None
    form = (first >> 10 & 1) << 3 | second >> 12 & 7
    # DDI 0403, A5.3.2: below 4 one byte in some of the four places, otherwise a rotated one, whose low bits are zero
    # unless it wraps around: rotations by 8 to 31 leave bits 0 and 1 to those by 8 and 9 and by 31 alone.
    low = second & 3 if form in (0, 1, 3) else 0
    if form == 2:
        low = 0
    if form >= 4:
        value = 0x80 | second & 0x7F
        rotation = form << 1 | second >> 7 & 1
        low = (value >> rotation | value << 32 - rotation) & 3
    if code == 2 and base == PC:  # MOV
        return _data(target, Residue(0, low))
    if code in (8, 13):
        return _data(target, register_residue(base).plus_constant(low if code == 8 else -low))
    if (code == 0 and low == 0) or (code == 1 and low == 3):  # AND, BIC that clear both low bits
        return _data(target, Residue())
    return _data(target)


def _plain_immediate(first: int, second: int) -> Operation | None:
    code, base, target = first >> 4 & 31, first & 15, second >> 8 & 15
    if code not in (0, 4, 10, 12, 16, 18, 20, 22, 24, 26, 28):
        return None
    low = second & 3
    if code in (0, 10):  # ADDW and SUBW, ADR
        return _data(target, register_residue(base).plus_constant(low if code == 0 else -low))
    if code == 4:  # MOVW
        return _data(target, Residue(0, low))
    if code == 12:  # MOVT keeps the lower half
        return _data(target, register_residue(target))
    return _data(target)  # SSAT, SBFX, BFI, USAT, UBFX and their like


def _control(first: int, second: int) -> Operation | None:
    if second & 0xD000 == 0xD000:
        return Operation("branch_link", writes=_bit(LR))
    if second & 0xD000 == 0x9000:
        return Operation("branch")
    if second & 0xD000 != 0x8000:
        return None
    if first & 0x0380 != 0x0380:
        return Operation("branch_conditional")
    if first & 0xFFF0 == 0xF380 and second & 0x0300 == 0:
        return Operation("special_register")
    if first == 0xF3AF and second & 0xFFF0 == 0x8000:
        return _hint(second & 0xF)
    if first == 0xF3EF:
        return Operation("special_register", writes=_bit(second >> 8 & 15))
    if first == 0xF3BF and second & 0xFF00 == 0x8F00:
        names = {2: "clear_exclusive", 4: "barrier", 5: "barrier", 6: "instruction_barrier"}
        name = names.get(second >> 4 & 15)
        return None if name is None else Operation(name)
    return None


def _single(first: int, second: int) -> Operation | None:
    """LDR, STR and their like, of 32 bits."""
    base, target = first & 15, second >> 12
    size_code, is_load, is_signed = first >> 5 & 3, bool(first & 0x10), bool(first & 0x100)
    if size_code == 3 or (is_signed and (not is_load or size_code == 2)):
        return None
    size = 1 << size_code
    if target == PC and (size < 4 or not is_load):  # PLD, PLI: no timing is given
        return None
    registers, value = _bit(base), register_residue(base)
    if is_load and base == PC:
        return _load(target, registers, size, Residue(0, second & 3 if first & 0x80 else -second & 3))
    if base == PC:
        return None
    if first & 0x80:
        offset = second & 0xFFF
    elif second & 0x0800:
        return _indexed(second, base, target, size, is_load=is_load)
    elif second & 0x0FC0 == 0:
        index = second & 15
        address = value.plus(register_residue(index, 1 << min(second >> 4 & 3, 2)))
        registers |= _bit(index)
        return _load(target, registers, size, address) if is_load else _store("store", registers, size, address)
    else:
        return None
    address = value.plus_constant(offset)
    return _load(target, registers, size, address) if is_load else _store("store_immediate", registers, size, address)


def _indexed(second: int, base: int, target: int, size: int, *, is_load: bool) -> Operation | None:
    """An offset of eight bits: added before or after, or for a user's access (LDRT), or subtracted."""
    is_before, writes_base = bool(second & 0x400), bool(second & 0x100)
    if not is_before and not writes_base:
        return None
    offset = second & 0xFF if second & 0x200 else -(second & 0xFF)
    moved = register_residue(base).plus_constant(offset)
    address = moved if is_before else register_residue(base)
    extra = _bit(base) if writes_base else 0
    found = (
        _load(target, _bit(base), size, address, extra)
        if is_load
        else _store("store_immediate", _bit(base), size, address)
    )
    if not writes_base:
        return found
    return Operation(
        found.kind,
        writes=found.writes | extra,
        loads=found.loads,
        address=found.address,
        access=found.access,
        sums=() if is_load and target == base else ((base, moved),),
    )


def _register(first: int, second: int) -> Operation | None:
    """Shifts by registers, extensions, parallel arithmetic, and what counts or reverses bits."""
    target, base, source = second >> 8 & 15, first & 15, second & 15
    if second & 0xF000 != 0xF000:
        return None
    code = first >> 4 & 15
    if code < 8:
        if second & 0x80:
            if code > 5:
                return None
            is_plain = base == PC and second & 0x30 == 0 and code not in (2, 3)
            return _data(target, register_residue(source) if is_plain else None)
        return _data(target) if second & 0xF0 == 0 else None
    kind = second >> 4 & 15
    if kind < 8:  # parallel addition and subtraction, by signedness and halving
        is_known = code in (8, 9, 10, 12, 13, 14) and kind in (0, 1, 2, 4, 5, 6)
        return _data(target) if is_known else None
    if kind < 12:
        return _data(target) if code in (8, 9) or (code, kind) in ((10, 8), (11, 8)) else None
    return None


def _multiplication(first: int, second: int) -> Operation | None:
    code, kind = first >> 4 & 15, second >> 4 & 15
    high, low = second >> 12, second >> 8 & 15
    if code == 0:
        if kind == 0:
            name = "multiply" if high == PC else "multiply_accumulate"
            return Operation(name, writes=_bit(low), computes=True)
        return Operation("multiply_accumulate", writes=_bit(low), computes=True) if kind == 1 else None
    if code < 8:
        most = {1: 3, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 0}[code]
        return Operation("dsp_multiply", writes=_bit(low), computes=True) if kind <= most else None
    if code in (9, 11):
        if kind != 15 or high != PC:
            return None
        return Operation("divide", writes=_bit(low), computes=True, operands=(first & 15, second & 15))
    names = {
        (8, 0): "multiply_long",
        (10, 0): "multiply_long",
        (12, 0): "multiply_long_accumulate",
        (14, 0): "multiply_long_accumulate",
        (14, 6): "dsp_multiply",
        **{(12, halves): "dsp_multiply" for halves in (8, 9, 10, 11, 12, 13)},
        **{(13, halves): "dsp_multiply" for halves in (12, 13)},
    }
    if (code, kind) not in names:
        return None
    return Operation(names[code, kind], writes=_bit(low) | _bit(high), computes=True)


def _fpu(first: int, second: int) -> Operation | None:
    """Instructions of FPv4-SP: DDI 0403, A6."""
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
        written = _bit(second >> 12) | _bit(base) if first & 0x10 else 0
        return Operation("fpu_move_pair", writes=written, computes=written != 0)
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
    written = _bit(base) if kept else 0
    return Operation("fpu_transfer", transfers=words, writes=written, address=_bit(base), sums=kept, fpu_reads=stored)


def _fpu_move(first: int, second: int) -> Operation | None:
    core, to_core = second >> 12, bool(first & 0x10)
    if second & 0x0100:  # halves of doubles
        if first & 0xFFC0 != 0xEE00 or second & 0x6F:
            return None
        return Operation("fpu_move", writes=_bit(core) if to_core else 0, computes=to_core)
    code = first >> 5 & 7
    if code == 0:
        moved = _bit(first << 1 & 0x1E | second >> 7 & 1)
        if to_core:
            return Operation("fpu_move", writes=_bit(core), computes=True, fpu_reads=moved)
        return Operation("fpu_move")
    if code == 7 and first & 15 == 1:
        return Operation("fpu_status", writes=_bit(core) if to_core and core != PC else 0)
    return None


def _fpu_arithmetic(first: int, second: int) -> Operation | None:
    target = second >> 11 & 0x1E | first >> 6 & 1
    left = first << 1 & 0x1E | second >> 7 & 1
    right = second << 1 & 0x1E | second >> 5 & 1
    code = first >> 4 & 11
    operands = _bit(left) | _bit(right)
    if code in (0, 1, 9, 10):
        return Operation("fpu_multiply_accumulate", fpu_writes=_bit(target), fpu_reads=operands)
    if code in (2, 3):
        return Operation("fpu_arithmetic", fpu_writes=_bit(target), fpu_reads=operands)
    if code == 8:
        if second & 0x40:
            return None
        return Operation("fpu_divide", fpu_writes=_bit(target), fpu_reads=operands)
    if code != 11:
        return None
    if not second & 0x40:
        return Operation("fpu_move")  # of an immediate
    which, upper = first & 15, bool(second & 0x80)
    if which == 0 and not upper:
        return Operation("fpu_move", fpu_reads=_bit(right))
    if which == 1 and upper:
        return Operation("fpu_divide", fpu_writes=_bit(target), fpu_reads=_bit(right))  # VSQRT
    if which in (0, 1):  # VABS, VNEG: no arithmetic, the result is there at once
        return Operation("fpu_arithmetic", fpu_reads=_bit(right))
    if which in (4, 5):  # VCMP, with zero
        return Operation("fpu_arithmetic", fpu_reads=_bit(target) | (_bit(right) if which == 4 else 0))
    if which in (2, 3, 8, 12, 13):
        return Operation("fpu_arithmetic", fpu_writes=_bit(target), fpu_reads=_bit(right))
    if which in (10, 11, 14, 15):  # VCVT of fixed point: in place
        return Operation("fpu_arithmetic", fpu_writes=_bit(target), fpu_reads=_bit(target))
    return None
