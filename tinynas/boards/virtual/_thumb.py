"""Thumb instructions, as far as the virtual board has to know them.

Lengths, which instructions need an extension that a core may lack, which ones fault on unaligned addresses although
plain loads do not, which registers stay aligned, and where IT blocks make an instruction conditional.
Encodings: Armv7-M Architecture Reference Manual (DDI 0403), chapter A5; Armv6-M Architecture Reference Manual
(DDI 0419), chapter A5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

ALWAYS = 14
_SP, _LR, _PC = 13, 14, 15


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        address: of its first halfword.
        size_bytes: 2 or 4.
        first, second: halfwords; `second` is 0 for a 16-bit instruction.
        condition: condition code of the IT block around it, or `ALWAYS`.
    """

    address: int
    size_bytes: int
    first: int
    second: int
    condition: int

    @property
    def is_call(self) -> bool:
        """BL, or BLX with a register: the next instruction is where the callee returns to."""
        if self.size_bytes == 2:
            return self.first & 0xFF87 == 0x4780
        return self.first & 0xF800 == 0xF000 and self.second & 0xD000 == 0xD000

    @property
    def is_jump(self) -> bool:
        """B without condition, or BX with a register other than LR: in straight-line code a tail call."""
        if self.size_bytes == 2:
            is_branch_exchange = self.first & 0xFF87 == 0x4700 and (self.first >> 3) & 0xF != _LR
            return is_branch_exchange or self.first & 0xF800 == 0xE000
        return self.first & 0xF800 == 0xF000 and self.second & 0xD000 == 0x9000

    @property
    def is_branch(self) -> bool:
        """A branch, conditional or not, or ADD, MOV or POP of 16 bits that writes PC."""
        if self.size_bytes == 2:
            is_conditional = self.first & 0xF000 == 0xD000 and self.first & 0x0F00 < 0x0E00
            is_compare_branch = self.first & 0xF500 == 0xB100
            writes_pc = self.first & 0xFD87 == 0x4487 or self.first & 0xFF00 == 0xBD00
            is_exchange = self.first & 0xFF07 == 0x4700
            return is_conditional or is_compare_branch or writes_pc or is_exchange or self.first & 0xF800 == 0xE000
        if self.first & 0xF800 != 0xF000 or not self.second & 0x8000:
            return False
        return bool(self.second & 0x5000) or self.first & 0x0380 != 0x0380  # not MSR, MRS and the barriers

    def keeps_alignment(self, register: int) -> bool:
        """Whether a core register is surely the same modulo 4 before and after this instruction, which is no branch.

        Not so where the register may be written, but for steps of a multiple of four: what writes back an address
        that must be aligned, loads and stores with such an offset, and ADD and SUB of such a constant.
        """
        if self.size_bytes == 2:
            return self._narrow_keeps_alignment(register)
        first, second = self.first, self.second
        base, high, low = first & 0xF, second >> 12, (second >> 8) & 0xF
        if first & 0xFE40 == 0xE800:  # LDM, STM: the base moves in words
            return not (first & 0x10 and second >> register & 1)
        if first & 0xFE40 == 0xE840:  # LDRD, STRD: so it does here; byte and halfword exclusives have a third result
            return register not in (high, low) and not (first & 0xFFE0 == 0xE8C0 and register == second & 0xF)
        if first & 0xEC00 == 0xEC00:  # coprocessors: VMOV writes one or two registers
            return self._memory_base() is not None or register not in (base, high)
        if first & 0xFE00 == 0xF800:  # other loads and stores
            writes_base = not first & 0x80 and second & 0x0900 == 0x0900
            return register != high and not (writes_base and register == base and second & 3)
        if first & 0xFBE0 in (0xF100, 0xF1A0, 0xF200, 0xF2A0):  # ADD, SUB: here of up to eight bits, to its operand
            is_step = base == low and not first & 0x0400 and second >> 12 == 0
            return register != low or (is_step and second & 3 == 0)
        return register != low and not (first & 0xFF80 == 0xFB80 and register == high)  # long products have two

    def _narrow_keeps_alignment(self, register: int) -> bool:
        first = self.first
        if first & 0xF800 == 0xC800 or first & 0xFE00 == 0xBC00:  # LDM, POP
            return not first & 0xFF & 1 << register
        if first & 0xE000 == 0x2000 and register == (first >> 8) & 7:  # MOV, CMP, ADD, SUB of eight bits
            is_compare, is_step = first & 0x1800 == 0x0800, first & 0x1000 != 0
            return is_compare or (is_step and first & 3 == 0)
        if first & 0xE000 == 0x2000 or first & 0xF800 == 0xC000 or first & 0xFF00 == 0xBF00:  # STM, IT, hints
            return True
        is_store = first & 0xF800 in (0x6000, 0x7000, 0x8000, 0x9000) or first & 0xFE00 in (0x5000, 0x5200, 0x5400)
        if is_store or first & 0xFE00 == 0xB400:  # PUSH
            return True
        if first & 0xF800 in (0x4800, 0x9800, 0xA000, 0xA800):  # LDR and ADD relative to PC and SP
            return register != (first >> 8) & 7
        if first & 0xFC00 == 0x4400:  # ADD, MOV of high registers
            return register != ((first >> 4) & 8 | first & 7)
        return register != first & 7

    @property
    def extension(self) -> str | None:
        """Return "Thumb-2", "DSP" or "FPU" where more than Armv6-M is needed, None otherwise."""
        if self.size_bytes == 2:
            is_compare_branch = self.first & 0xF500 == 0xB100
            is_it = self.first & 0xFF00 == 0xBF00 and self.first & 0xF != 0
            return "Thumb-2" if is_compare_branch or is_it else None
        if _is_fpu(self.first, self.second):
            return "FPU"
        if _is_dsp(self.first, self.second):
            return "DSP"
        return None if _is_armv6m(self.first, self.second) else "Thumb-2"

    @property
    def aligned_base(self) -> int | None:
        """Return the register whose value must be a multiple of four, or None.

        LDM, STM, LDRD, STRD, LDREX, STREX, VLDR, VSTR, VLDM and VSTM fault on unaligned addresses on every core
        (DDI 0403, A3.2.1). Their offsets are multiples of four, so the base register decides. The stack pointer is
        always aligned and PC-relative addresses are aligned by definition.
        """
        base = self._memory_base()
        return None if base in (_SP, _PC) else base

    def _memory_base(self) -> int | None:
        if self.size_bytes == 2:
            return (self.first >> 8) & 7 if self.first & 0xF000 == 0xC000 else None
        base = self.first & 0xF
        if self.first & 0xFE40 == 0xE800:  # LDM, STM
            return base
        if self.first & 0xFE40 == 0xE840:  # LDRD, STRD, exclusives, table branches
            if self.first & 0xFFE0 == 0xE8C0:  # TBB, TBH and the byte and halfword exclusives
                return None
            return base
        is_extension_transfer = self.first & 0xFE00 == 0xEC00 and self.second & 0x0E00 == 0x0A00
        is_register_pair = self.first & 0xFFE0 == 0xEC40  # VMOV between two core registers and the FPU
        return base if is_extension_transfer and not is_register_pair else None


def decode(code: bytes, address: int) -> Iterator[Instruction]:
    """Decode `code`, which lies at `address` and holds instructions only."""
    position = 0
    conditions: list[int] = []
    while position + 2 <= len(code):
        first = int.from_bytes(code[position : position + 2], "little")
        size = 4 if first >> 11 in (0b11101, 0b11110, 0b11111) else 2
        second = int.from_bytes(code[position + 2 : position + 4], "little") if size == 4 else 0
        condition = conditions.pop(0) if conditions else ALWAYS
        yield Instruction(address + position, size, first, second, condition)
        if size == 2 and first & 0xFF00 == 0xBF00 and first & 0xF:
            conditions = _it_conditions(first)
        position += size


def _it_conditions(halfword: int) -> list[int]:
    """Return the conditions of the one to four instructions that follow an IT instruction (DDI 0403, A7.7.38)."""
    first, mask = (halfword >> 4) & 0xF, halfword & 0xF
    count = 4 - ((mask & -mask).bit_length() - 1)
    low_bits = [first & 1] + [(mask >> (4 - index)) & 1 for index in range(1, count)]
    return [(first & 0xE) | bit for bit in low_bits]


def _is_fpu(first: int, second: int) -> bool:
    return first & 0xEC00 == 0xEC00 and second & 0x0E00 == 0x0A00  # coprocessors 10 and 11


def _is_armv6m(first: int, second: int) -> bool:
    """BL, MSR, MRS, DSB, DMB, ISB and UDF are the only 32-bit instructions of Armv6-M."""
    if first & 0xF800 == 0xF000 and second & 0xD000 == 0xD000:
        return True
    if first & 0xFFE0 == 0xF380 or first & 0xFFF0 == 0xF3E0:
        return second & 0xD000 == 0x8000
    if first == 0xF3BF:
        return second & 0xFF00 == 0x8F00
    return first & 0xFFF0 == 0xF7F0 and second & 0xF000 == 0xA000


def _is_dsp(first: int, second: int) -> bool:
    """The DSP extension of Armv7E-M: DDI 0403, A5.3.12 to A5.3.17 and the table of A4.4."""
    row = (first >> 4) & 7
    if first & 0xFF80 == 0xFA00 and second & 0xF080 == 0xF080:  # extend, and extend with add
        return row in (2, 3) or first & 0xF != 0xF
    if first & 0xFF80 == 0xFA80:
        if second & 0xF080 == 0xF000:  # parallel addition and subtraction
            return True
        return second & 0xF0C0 == 0xF080 and row & 3 in (0, 2)  # QADD and friends, SEL
    if first & 0xFF80 == 0xFB00:  # MUL, MLA and MLS are in row 0
        return row != 0
    if first & 0xFF80 == 0xFB80:
        operation = (second >> 4) & 0xF
        return row == 5 or (row in (4, 6) and operation != 0)
    if first & 0xFFE0 == 0xEAC0:  # PKHBT, PKHTB
        return True
    return first & 0xFFF0 in (0xF320, 0xF3A0) and second & 0xF0F0 == 0  # SSAT16, USAT16
