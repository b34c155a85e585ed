"""Sums of registers modulo four: whether an address is aligned follows from registers that were there before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_LOW = 0x33333333
_HIGH = 0xCCCCCCCC
_SP, _PC = 13, 15


@dataclass(frozen=True, slots=True)
class Residue:
    """A sum of registers and a constant, modulo 4.

    Attributes:
        coefficients: of the registers, two bits each, that of R0 lowest.
        constant: what is added.
    """

    coefficients: int = 0
    constant: int = 0

    def plus(self, other: Residue, factor: int = 1) -> Residue:
        """Add `factor` times another one."""
        total = self.coefficients
        for _ in range(factor & 3):
            added = other.coefficients
            total = ((total & _LOW) + (added & _LOW) & _LOW) | ((total & _HIGH) + (added & _HIGH) & _HIGH)
        return Residue(total, (self.constant + factor * other.constant) & 3)

    def plus_constant(self, value: int) -> Residue:
        return Residue(self.coefficients, (self.constant + value) & 3)

    def within(self, values: Sequence[Residue | None]) -> Residue | None:
        """This sum of registers that are sums themselves; None where one that counts is not known."""
        total = Residue(0, self.constant)
        left, register = self.coefficients, 0
        while left:
            if left & 3:
                value = values[register]
                if value is None:
                    return None
                total = total.plus(value, left & 3)
            left, register = left >> 2, register + 1
        return total


def register_residue(register: int, factor: int = 1) -> Residue:
    """A register times `factor`. SP, and PC where instructions read it as an address, are multiples of four."""
    return _REGISTERS[factor & 3][register]


_REGISTERS = tuple(
    tuple(Residue(0 if register in (_SP, _PC) else factor << 2 * register) for register in range(16))
    for factor in range(4)
)


def entry_residues() -> list[Residue | None]:
    """The registers themselves."""
    return list(_REGISTERS[1])
