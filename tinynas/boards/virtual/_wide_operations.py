"""Operations of 32-bit Thumb instructions: DDI 0403, A5.3."""

from __future__ import annotations

from ._fpu_operations import fpu_operation
from ._operation import COMPARE, LR, PC, Operation, bit, data, hint, load, store, transfer_list
from ._residues import Residue, register_residue


def wide_operation(first: int, second: int) -> Operation | None:
    """Classify; None where the encoding is not known."""
    if first & 0xFE40 == 0xE800:
        return _multiple(first, second)
    if first & 0xFE40 == 0xE840:
        return _dual_or_exclusive(first, second)
    if first & 0xFE00 == 0xEA00:
        return _shifted_register(first, second)
    if first & 0xEC00 == 0xEC00:
        return fpu_operation(first, second)
    if first & 0xF800 == 0xF000:
        return _control(first, second) if second & 0x8000 else _immediate(first, second)
    if first & 0xFE00 == 0xF800:
        return _single(first, second)
    if first & 0xFF00 == 0xFA00:
        return _register(first, second)
    return _multiplication(first, second)


def _wide_data(register: int, value: Residue | None = None) -> Operation | None:
    """The same of 32 bits, which cannot write PC: it is unpredictable (DDI 0403, A7.7)."""
    return None if register == PC else data(register, value)


def _multiple(first: int, second: int) -> Operation | None:
    if first & 0x0180 not in (0x0080, 0x0100) or first & 15 == PC:  # increment after, decrement before
        return None
    return transfer_list(first & 15, second, is_load=bool(first & 0x10), writes_base=bool(first & 0x20))


def _dual_or_exclusive(first: int, second: int) -> Operation | None:
    base, high, low = first & 15, second >> 12, second >> 8 & 15
    if first & 0xFFF0 == 0xE840:
        return None if high == PC else Operation("store_exclusive", writes=bit(low), address=bit(base))
    if first & 0xFFF0 == 0xE850:
        if low != 15:
            return None
        return Operation("load_exclusive", writes=bit(high), loads=bit(high), address=bit(base))
    code = second >> 4 & 15
    if first & 0xFFF0 == 0xE8C0:
        if code not in (4, 5) or low != 15:
            return None
        return Operation("store_exclusive", writes=bit(second & 15), address=bit(base))
    if first & 0xFFF0 == 0xE8D0:
        if code in (0, 1) and second & 0xFF00 == 0xF000:
            return Operation("table_branch", writes=bit(PC), address=bit(base) | bit(second & 15))
        if code not in (4, 5) or second & 0x0F0F != 0x0F0F:
            return None
        return Operation("load_exclusive", writes=bit(high), loads=bit(high), address=bit(base))
    kept = ((base, register_residue(base)),) if first & 0x20 else ()
    written = bit(base) if kept else 0
    if first & 0x10:
        return Operation(
            "load_multiple", transfers=2, writes=written | bit(high) | bit(low), address=bit(base), sums=kept
        )
    return Operation("store_multiple", transfers=2, writes=written, address=bit(base), sums=kept)


def _shifted_register(first: int, second: int) -> Operation | None:
    code, base, target, source = first >> 5 & 15, first & 15, second >> 8 & 15, second & 15
    if code not in (0, 1, 2, 3, 4, 6, 8, 10, 11, 13, 14) or second & 0x8000:
        return None
    if target == PC:  # TST, TEQ, CMN, CMP; MOV into PC has 16 bits
        return COMPARE if code in (0, 4, 8, 13) and first & 0x10 else None
    amount = second >> 10 & 0x1C | second >> 6 & 3
    is_left = second & 0x30 == 0
    moved = register_residue(source, 1 << min(amount, 2)) if is_left else None
    if moved is None:
        return _wide_data(target)
    if code == 2 and base == PC:  # MOV, LSL
        return _wide_data(target, moved)
    if code in (8, 13):
        return _wide_data(target, register_residue(base).plus(moved, 1 if code == 8 else -1))
    return _wide_data(target)


def _immediate(first: int, second: int) -> Operation | None:
    """Data processing with a constant. Its two low bits are those of the encoding unless it is rotated."""
    base, target = first & 15, second >> 8 & 15
    if first & 0x0200:
        return _plain_immediate(first, second)
    code = first >> 5 & 15
    if code not in (0, 1, 2, 3, 4, 8, 10, 11, 13, 14):
        return None
    if target == PC:
        return COMPARE if code in (0, 4, 8, 13) and first & 0x10 else None
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
        return _wide_data(target, Residue(0, low))
    if code in (8, 13):
        return _wide_data(target, register_residue(base).plus_constant(low if code == 8 else -low))
    if (code == 0 and low == 0) or (code == 1 and low == 3):  # AND, BIC that clear both low bits
        return _wide_data(target, Residue())
    return _wide_data(target)


def _plain_immediate(first: int, second: int) -> Operation | None:
    code, base, target = first >> 4 & 31, first & 15, second >> 8 & 15
    if code not in (0, 4, 10, 12, 16, 18, 20, 22, 24, 26, 28) or (code >= 16 and first & 0x0400):
        return None
    low = second & 3
    if code in (0, 10):  # ADDW and SUBW, ADR
        return _wide_data(target, register_residue(base).plus_constant(low if code == 0 else -low))
    if code == 4:  # MOVW
        return _wide_data(target, Residue(0, low))
    if code == 12:  # MOVT keeps the lower half
        return _wide_data(target, register_residue(target))
    return _wide_data(target)  # SSAT, SBFX, BFI, USAT, UBFX and their like


def _control(first: int, second: int) -> Operation | None:
    if second & 0xD000 == 0xD000:
        return Operation("branch_link", writes=bit(LR))
    if second & 0xD000 == 0x9000:
        return Operation("branch")
    if second & 0xD000 != 0x8000:
        return None
    if first & 0x0380 != 0x0380:
        return Operation("branch_conditional")
    if first & 0xFFF0 == 0xF380 and second & 0x0300 == 0:
        return Operation("special_register")
    if first == 0xF3AF and second & 0xFFF0 == 0x8000:
        return hint(second & 0xF)
    if first == 0xF3EF:
        return Operation("special_register", writes=bit(second >> 8 & 15))
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
    registers, value = bit(base), register_residue(base)
    if is_load and base == PC:
        return load(target, registers, size, Residue(0, second & 3 if first & 0x80 else -second & 3))
    if base == PC:
        return None
    if first & 0x80:
        offset = second & 0xFFF
    elif second & 0x0800:
        return _indexed(second, base, target, size, is_load=is_load)
    elif second & 0x0FC0 == 0:
        index = second & 15
        address = value.plus(register_residue(index, 1 << min(second >> 4 & 3, 2)))
        registers |= bit(index)
        return load(target, registers, size, address) if is_load else store("store", registers, size, address)
    else:
        return None
    address = value.plus_constant(offset)
    return load(target, registers, size, address) if is_load else store("store_immediate", registers, size, address)


def _indexed(second: int, base: int, target: int, size: int, *, is_load: bool) -> Operation | None:
    """An offset of eight bits: added before or after, or for a user's access (LDRT), or subtracted."""
    is_before, writes_base = bool(second & 0x400), bool(second & 0x100)
    if not is_before and not writes_base:
        return None
    offset = second & 0xFF if second & 0x200 else -(second & 0xFF)
    moved = register_residue(base).plus_constant(offset)
    address = moved if is_before else register_residue(base)
    extra = bit(base) if writes_base else 0
    found = (
        load(target, bit(base), size, address, extra) if is_load else store("store_immediate", bit(base), size, address)
    )
    if not writes_base:
        return found
    return Operation(
        found.kind,
        writes=found.writes | extra,
        loads=found.loads,
        updates_base=True,
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
            return _wide_data(target, register_residue(source) if is_plain else None)
        return _wide_data(target) if second & 0xF0 == 0 else None
    kind = second >> 4 & 15
    if kind < 8:  # parallel addition and subtraction, by signedness and halving
        is_known = code in (8, 9, 10, 12, 13, 14) and kind in (0, 1, 2, 4, 5, 6)
        return _wide_data(target) if is_known else None
    if kind < 12:
        return _wide_data(target) if code in (8, 9) or (code, kind) in ((10, 8), (11, 8)) else None
    return None


def _multiplication(first: int, second: int) -> Operation | None:
    code, kind = first >> 4 & 15, second >> 4 & 15
    high, low = second >> 12, second >> 8 & 15
    if low == PC:
        return None
    if code == 0:
        if kind == 0:
            name = "multiply" if high == PC else "multiply_accumulate"
            return Operation(name, writes=bit(low), computes=True)
        return Operation("multiply_accumulate", writes=bit(low), computes=True) if kind == 1 else None
    if code < 8:
        most = {1: 3, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 0}[code]
        return Operation("dsp_multiply", writes=bit(low), computes=True) if kind <= most else None
    if code in (9, 11):
        if kind != 15 or high != PC:
            return None
        return Operation("divide", writes=bit(low), computes=True, operands=(first & 15, second & 15))
    names = {
        (8, 0): "multiply_long",
        (10, 0): "multiply_long",
        (12, 0): "multiply_long_accumulate",
        (14, 0): "multiply_long_accumulate",
        (14, 6): "dsp_multiply",
        **{(12, halves): "dsp_multiply" for halves in (8, 9, 10, 11, 12, 13)},
        **{(13, halves): "dsp_multiply" for halves in (12, 13)},
    }
    if (code, kind) not in names or high == PC:
        return None
    return Operation(names[code, kind], writes=bit(low) | bit(high), computes=True)
