"""C constants as values: arrays and parameter structures, with the bytes they take in flash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WORD = 4
"""Every constant object is aligned to a word and padded to whole words, so that sizes add up in any order."""

_ELEMENT_BYTES = {"int8_t": 1, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "const int8_t *": 4}
_LINE = 112


@dataclass(frozen=True)
class ConstantArray:
    """An array in flash. It is declared with its length rounded up to whole words, the rest zero."""

    name: str
    element: str
    items: tuple[str, ...]

    @property
    def length(self) -> int:
        per_word = max(1, WORD // _ELEMENT_BYTES[self.element])
        return -(-len(self.items) // per_word) * per_word

    @property
    def size_bytes(self) -> int:
        return self.length * _ELEMENT_BYTES[self.element]

    @property
    def declaration(self) -> str:
        qualifier = "const " if self.element.endswith("*") else ""
        kind = f"{self.element}{qualifier}" if qualifier else f"const {self.element} "
        return f"{kind}{self.name}[{self.length}]"

    @property
    def lines(self) -> list[str]:
        """The items, wrapped."""
        width = max((len(item) for item in self.items), default=1) + 2
        per_line = max(1, _LINE // width)
        return [", ".join(self.items[i : i + per_line]) + "," for i in range(0, len(self.items), per_line)]


Fields = dict[str, str | int | Mapping[str, str | int]]
"""Fields of a parameter structure, name -> C initializer; nested structures as mappings."""


@dataclass(frozen=True)
class StepConstants:
    """The constants of one step.

    Attributes:
        arrays: In the order of definition.
        fields: Of the parameter structure.
        operands: Constant inputs of the step, input position -> name of the array.
    """

    arrays: tuple[ConstantArray, ...]
    fields: Fields
    operands: Mapping[int, str]


def integers(name: str, element: str, values: npt.NDArray[np.generic] | Sequence[int]) -> ConstantArray:
    """An array of integers, flattened in C order."""
    return ConstantArray(name, element, tuple(map(str, np.asarray(values).reshape(-1).tolist())))


def word_array(name: str, words: npt.NDArray[np.uint32]) -> ConstantArray:
    """An array of words that hold what a kernel reads in a packing of its own, in hexadecimal."""
    return ConstantArray(name, "uint32_t", tuple(f"0x{word:08x}u" for word in words.reshape(-1).tolist()))
