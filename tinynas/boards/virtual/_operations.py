"""What Thumb instructions do, as far as their timing depends on it.

Encodings: Armv7-M Architecture Reference Manual (DDI 0403), chapter A5, and chapter A6 for the FPU. An encoding that is
not known is an error, never a guess.
"""

from __future__ import annotations

import functools

from .._errors import UnknownTimingError
from ._narrow_operations import narrow_operation
from ._operation import Operation
from ._thumb import Instruction
from ._wide_operations import wide_operation


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
    return narrow_operation(first) if size_bytes == 2 else wide_operation(first, second)


def encoding(instruction: Instruction) -> str:
    """The halfwords and the address, for messages."""
    words = f"{instruction.first:04x}" + (f" {instruction.second:04x}" if instruction.size_bytes == 4 else "")
    return f"{words} at 0x{instruction.address:08x}"
