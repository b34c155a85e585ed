"""The instructions of an image in their order, and what is known of the registers between them."""

from __future__ import annotations

import bisect

from .._elf import Image
from .._errors import UnknownTimingError
from ._cycle_model import Step
from ._operation import Operation
from ._operations import operation
from ._residues import Residue, entry_residues
from ._thumb import Instruction, decode


class Code:
    """The instructions of an image, without its literal pools."""

    def __init__(self, image: Image, code_address: int, code: bytes) -> None:
        self._instructions: list[Instruction] = []
        for start, end in image.code_ranges:
            self._instructions += decode(code[start - code_address : end - code_address], start)
        self._addresses = [instruction.address for instruction in self._instructions]
        self._steps: list[Step | None] = [None] * len(self._instructions)

    def __len__(self) -> int:
        return len(self._instructions)

    def index(self, address: int) -> int:
        """Position of the instruction at an address, or of the next one."""
        return bisect.bisect_left(self._addresses, address)

    def __getitem__(self, index: int) -> Instruction:
        return self._instructions[index]

    def step(self, index: int) -> Step:
        """The instruction and what it does. Raises `UnknownTimingError`."""
        step = self._steps[index]
        if step is None:
            instruction = self._instructions[index]
            step = self._steps[index] = Step(instruction, operation(instruction))
        return step

    def neighbour(self, index: int, offset: int) -> Step | None:
        """The instruction right before (-1) or behind (1), None where there is none or its encoding is not known."""
        other = index + offset
        if not 0 <= other < len(self):
            return None
        first, second = sorted((index, other))
        if self[first].address + self[first].size_bytes != self[second].address:
            return None
        try:
            return self.step(other)
        except UnknownTimingError:
            return None


class Registers:
    """Registers modulo four, as sums of those at a place before: None where that says nothing."""

    def __init__(self) -> None:
        self._values = entry_residues()

    def address(self, operation: Operation) -> Residue | None:
        """Where an access goes."""
        return None if operation.access is None else operation.access.address.within(self._values)

    def execute(self, step: Step) -> None:
        """Go on behind an instruction. One that may be skipped leaves nothing known of what it writes."""
        known = () if step.is_conditional else step.operation.sums
        after = [(register, value.within(self._values)) for register, value in known]
        written, register = step.operation.writes, 0
        while written:
            if written & 1:
                self._values[register] = None
            written, register = written >> 1, register + 1
        for register, value in after:
            self._values[register] = value

    def forget(self) -> None:
        """Begin again: what comes is reached from elsewhere, too."""
        self._values = entry_residues()
