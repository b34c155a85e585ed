"""Sizes of C++ structures under a target's ABI: the natural alignment that compilers give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from tinynas.memory._live_ranges import align


class Scalar(StrEnum):
    """The scalar types that TFLM's structures are made of."""

    POINTER = "pointer"
    SIZE = "size_t"
    ENUM = "enum"
    INT8 = "int8_t"
    BOOL = "bool"
    INT16 = "int16_t"
    INT32 = "int32_t"
    FLOAT = "float"
    DOUBLE = "double"


@dataclass(frozen=True)
class Abi:
    """What a compiler's ABI decides about a structure.

    Attributes:
        pointer_bytes: Of pointers and of `size_t`.
        enum_bytes: Of an enumeration without a fixed underlying type and with few values. 4 on a 64-bit host; 1 for
            bare-metal Arm, whose compilers take the smallest type that holds the values (AAPCS32, "Enumerated types";
            `-fshort-enums` is the default of arm-none-eabi).
    """

    pointer_bytes: int
    enum_bytes: int

    def scalar_bytes(self, scalar: Scalar) -> int:
        """Size of a scalar, which is also its alignment (System V AMD64 ABI, AAPCS32)."""
        return {
            Scalar.POINTER: self.pointer_bytes,
            Scalar.SIZE: self.pointer_bytes,
            Scalar.ENUM: self.enum_bytes,
            Scalar.INT8: 1,
            Scalar.BOOL: 1,
            Scalar.INT16: 2,
            Scalar.INT32: 4,
            Scalar.FLOAT: 4,
            Scalar.DOUBLE: 8,
        }[scalar]


HOST64 = Abi(pointer_bytes=8, enum_bytes=4)
ARM32 = Abi(pointer_bytes=4, enum_bytes=1)


@dataclass(frozen=True)
class Array:
    """`count` values of one type in a row."""

    of: Scalar
    count: int


@dataclass(frozen=True, eq=False)
class Struct:
    """A structure of TFLM's sources. Equal only to itself.

    Attributes:
        name: As in the source.
        source: The file that declares it, below `tensorflow/lite/micro`.
        members: In order of declaration. The table of virtual functions counts as the first pointer.
        with_compression: Members that follow when TFLM is built with `USE_TFLM_COMPRESSION`.
    """

    name: str
    source: str
    members: Mapping[str, Member]
    with_compression: Mapping[str, Member] = field(default_factory=dict)

    def layout(self, abi: Abi, compression: bool = False) -> tuple[int, int]:
        """Return (size, alignment) in bytes: each member at the next multiple of its alignment, the whole padded."""
        return _struct_layout(self, abi, compression)


Member = Scalar | Array | Struct


@lru_cache(maxsize=256)
def _struct_layout(struct: Struct, abi: Abi, compression: bool) -> tuple[int, int]:
    end, alignment = 0, 1
    for member in (*struct.members.values(), *(struct.with_compression.values() if compression else ())):
        size, needed = _layout_of(member, abi, compression)
        end = align(end, needed) + size
        alignment = max(alignment, needed)
    return align(end, alignment), alignment


def _layout_of(member: Member, abi: Abi, compression: bool) -> tuple[int, int]:
    if isinstance(member, Struct):
        return member.layout(abi, compression)
    if isinstance(member, Array):
        one = abi.scalar_bytes(member.of)
        return one * member.count, one
    size = abi.scalar_bytes(member)
    return size, size
