"""Operations of 16-bit Thumb instructions: DDI 0403, A5.2."""

from __future__ import annotations

from ._operation import COMPARE, LR, PC, SP, Operation, bit, data, hint, load, store, transfer_list
from ._residues import Residue, register_residue


def narrow_operation(first: int) -> Operation | None:
    """Classify; None where the encoding is not known."""
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
        return load(first >> 8 & 7, bit(PC), 4, Residue())
    if top == 5:
        return _narrow_register_offset(first)
    if top in (6, 7, 8):
        size = {6: 4, 7: 1, 8: 2}[top]
        address = register_residue(middle).plus_constant((first >> 6 & 31) * size)
        if first & 0x0800:
            return load(low, bit(middle), size, address)
        return store("store_immediate", bit(middle), size, address)
    if top == 9:  # relative to SP
        if first & 0x0800:
            return load(first >> 8 & 7, bit(SP), 4, Residue())
        return store("store_immediate", bit(SP), 4, Residue())
    if top == 0xA:  # ADR, ADD to SP: of words
        return data(first >> 8 & 7, Residue())
    if top == 0xB:
        return _narrow_miscellaneous(first)
    if top == 0xC:
        return transfer_list(first >> 8 & 7, first & 0xFF, is_load=bool(first & 0x0800), writes_base=True)
    if top == 0xD:
        return Operation("branch_conditional") if first & 0x0F00 < 0x0E00 else None
    return Operation("branch") if first & 0xF800 == 0xE000 else None


def _narrow_shift_or_add(first: int) -> Operation:
    low, middle, high = first & 7, first >> 3 & 7, first >> 6 & 7
    if first & 0x1800 != 0x1800:
        shift = first >> 6 & 31
        return data(low, register_residue(middle, 1 << min(shift, 2)) if first & 0x1800 == 0 else None)
    sign = -1 if first & 0x0200 else 1
    base = register_residue(middle)
    if first & 0x0400:
        return data(low, base.plus_constant(sign * high))
    return data(low, base.plus(register_residue(high), sign))


def _narrow_immediate(first: int) -> Operation:
    register, value = first >> 8 & 7, first & 0xFF
    kind = first >> 11 & 3
    if kind == 1:
        return COMPARE
    if kind == 0:
        return data(register, Residue(0, value & 3))
    return data(register, register_residue(register).plus_constant(value if kind == 2 else -value))


def _narrow_register(first: int) -> Operation:
    code = first >> 6 & 15
    if code in (8, 10, 11):  # TST, CMP, CMN
        return COMPARE
    if code == 13:
        return Operation("multiply", writes=bit(first & 7), computes=True)
    return data(first & 7)


def _narrow_high(first: int) -> Operation | None:
    target, source = first >> 4 & 8 | first & 7, first >> 3 & 15
    code = first >> 8 & 3
    if code == 0:
        return data(target, register_residue(target).plus(register_residue(source)) if source != PC else None)
    if code == 1:
        return COMPARE
    if code == 2:
        return data(target, register_residue(source) if source != PC else None)
    return Operation("branch_exchange", writes=bit(LR) if first & 0x80 else 0) if first & 7 == 0 else None


def _narrow_register_offset(first: int) -> Operation:
    target, base, index = first & 7, first >> 3 & 7, first >> 6 & 7
    code = first >> 9 & 7
    size = (4, 2, 1, 1, 4, 2, 1, 2)[code]
    registers = bit(base) | bit(index)
    address = register_residue(base).plus(register_residue(index))
    return load(target, registers, size, address) if code >= 3 else store("store", registers, size, address)


def _narrow_miscellaneous(first: int) -> Operation | None:
    if first & 0xFF00 == 0xB000:  # ADD, SUB of SP
        return Operation("data", writes=bit(SP), computes=True, sums=((SP, Residue()),))
    if first & 0xF500 == 0xB100:
        return Operation("branch_conditional")
    if first & 0xFF00 == 0xB200:  # SXTH, SXTB, UXTH, UXTB
        return data(first & 7, register_residue(first >> 3 & 7))
    if first & 0xFE00 == 0xB400:
        registers = first & 0xFF | (first & 0x100) << 6
        return transfer_list(SP, registers, is_load=False, writes_base=True)
    if first & 0xFE00 == 0xBC00:
        registers = first & 0xFF | (first & 0x100) << 7
        return transfer_list(SP, registers, is_load=True, writes_base=True)
    if first & 0xFFE8 == 0xB660:
        return Operation("change_state")
    if first & 0xFF00 == 0xBA00 and first & 0xC0 != 0x80:  # REV, REV16, REVSH
        return data(first & 7)
    if first & 0xFF00 == 0xBF00:
        return Operation("it") if first & 0xF else hint(first >> 4 & 0xF)
    return None
