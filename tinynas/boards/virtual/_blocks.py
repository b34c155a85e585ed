"""What each block of the emulator takes: instructions, and cycles by the timing of the core."""

from __future__ import annotations

import ctypes
from collections import Counter as Multiset
from dataclasses import dataclass

from tinynas.errors import TinyNASError
from tinynas.targets import Timing

from .._elf import Image
from .._errors import MachineFault, UnknownTimingError
from ._code import Code, Registers
from ._cycle_model import CycleModel, Step
from ._emulator import Emulator
from ._native import Access, Block, Counter, TimedInstruction
from ._operation import Access as SingleAccess
from ._residues import Residue
from ._thumb import ALWAYS


@dataclass(frozen=True)
class FunctionCount:
    """Instructions and cycles of a function, without what it calls; cycles are None where the core has no timing."""

    instructions: int
    cycles: int | None


class Blocks:
    """Describes blocks to the native counter, each when it is first executed.

    What a block takes is added up once. What depends on flags, operands or an address that the registers at its entry
    do not tell is hooked before the instruction itself; these are few. Alignment is modulo four, so a load whose base
    register moved by a constant within the block is known at its entry.

    Args:
        emulator: the hooks are added to it.
        image: where the code lies.
        code_address: of the first byte of `code`.
        code: of the image.
        timing: None: instructions only.
        counter: the native one.
    """

    def __init__(
        self, emulator: Emulator, image: Image, code_address: int, code: bytes, timing: Timing | None, counter: Counter
    ) -> None:
        self._image = image
        self._code = Code(image, code_address, code)
        self._model = None if timing is None else CycleModel(timing)
        self._blocks: list[Block] = []
        self._held: list[object] = []  # the native counter keeps bare pointers to these
        self._hooked: set[int] = set()
        self.failure: TinyNASError | None = None
        if self._model is not None and timing is not None:
            self._hook(emulator, self._model, timing, counter)

    def find(self, address: int, size: int) -> int | None:
        """The address of the description of a block.

        None, with `failure`, where it is no code (a literal pool, say, through a wild branch) or a timing is not known.
        """
        first, end = self._code.index(address), self._code.index(address + size)
        if first == end or self._code[first].address != address:
            reason = "execution of constants (no mapping symbol says that code is there)"
            self.failure = MachineFault(reason, address, self._image.symbol_at(address))
            return None
        block = Block(address=address, size=size, instructions=end - first)
        if self._model is not None:
            try:
                self._add_cycles(block, self._model, first, end)
            except UnknownTimingError as error:
                self.failure = error
                return None
        self._blocks.append(block)
        return ctypes.addressof(block)

    def clear(self) -> None:
        """Forget how often blocks were executed."""
        for block in self._blocks:
            block.executions = block.more_cycles = 0

    def functions(self) -> dict[str, FunctionCount]:
        """Instructions and cycles by function, those of inferences since `clear`, most instructions first."""
        instructions, cycles = Multiset[str](), Multiset[str]()
        for block in self._blocks:
            if block.executions:
                name = self._name(block.address)
                instructions[name] += block.instructions * block.executions
                cycles[name] += block.cycles * block.executions + block.more_cycles
        return {
            name: FunctionCount(count, None if self._model is None else cycles[name])
            for name, count in instructions.most_common()
        }

    def _name(self, address: int) -> str:
        function = self._image.function_at(address)
        if function is None:
            return "no function"
        return f"{function.name} ({function.file})" if function.file else function.name

    def _hook(self, emulator: Emulator, model: CycleModel, timing: Timing, counter: Counter) -> None:
        """Hook the instructions that no block can know."""
        registers = Registers()
        following = 0
        for index in range(len(self._code)):
            instruction = self._code[index]
            if instruction.address != following:
                registers.forget()
            following = instruction.address + instruction.size_bytes
            try:
                step = self._code.step(index)
                timed = self._timed(model, timing, index, step, registers)
            except UnknownTimingError:  # of no concern unless it is executed: then `find` says so
                registers.forget()
                continue
            if timed is not None:
                timed.counter = ctypes.pointer(counter)
                self._hooked.add(instruction.address)
                emulator.hook_instruction(instruction.address, "tn_time_instruction", timed)
            if step.is_branch:
                registers.forget()
            else:
                registers.execute(step)

    def _timed(
        self, model: CycleModel, timing: Timing, index: int, step: Step, registers: Registers
    ) -> TimedInstruction | None:
        """What there is to know about an instruction when it is executed, None if a block knows it all."""
        operation = step.operation
        access = operation.access
        timed = TimedInstruction(condition=ALWAYS, dividend=-1, divisor=-1)
        is_needed = False
        if access is not None and (step.is_conditional or registers.address(operation) is None):
            timed.access = _native_access(model, {SingleAccess(access.size_bytes, Residue()): 1}, access.address)
            is_needed = any(timed.access.penalties)
        if operation.operands is not None:
            if timing.divide is None:
                raise UnknownTimingError(f"a {timing.core} does not divide")
            timed.dividend, timed.divisor = operation.operands
            timed.is_signed = int(step.instruction.first & 0xFFF0 == 0xFB90)
            timed.most = timing.divide.most - timing.divide.least
            is_needed = True
        if step.is_conditional and not step.is_branch:
            previous, following = self._code.neighbour(index, -1), self._code.neighbour(index, 1)
            timed.condition = step.instruction.condition
            timed.executed = model.more_if_executed(step, previous, following)
            is_needed = is_needed or timed.executed != 0
        return timed if is_needed else None

    def _add_cycles(self, block: Block, model: CycleModel, first: int, end: int) -> None:
        steps = [self._code.step(index) for index in range(first, end)]
        before = self._code.neighbour(first, -1)
        if before is not None and (before.is_branch or before.is_conditional):
            before = None
        block.cycles = model.in_sequence(steps, None)
        block.joined = model.in_sequence(steps[:1], before) - model.in_sequence(steps[:1], None)
        block.ends_with_branch = int(steps[-1].is_branch)
        if steps[-1].is_branch:
            block.taken = model.more_if_taken(steps[-1], steps[-2] if len(steps) > 1 else before)
        accesses = self._accesses(model, steps)
        block.access_count = len(accesses)
        if accesses:
            array = (Access * len(accesses))(*accesses)
            self._held.append(array)
            block.accesses = array

    def _accesses(self, model: CycleModel, steps: list[Step]) -> list[Access]:
        """The accesses whose alignment depends on the registers at the entry to a block, equal ones together."""
        registers = Registers()
        found: dict[Residue, Multiset[SingleAccess]] = {}
        for step in steps:
            access, address = step.operation.access, registers.address(step.operation)
            is_hooked = step.instruction.address in self._hooked or step.is_conditional
            if access is not None and address is not None and not is_hooked:
                found.setdefault(address, Multiset())[SingleAccess(access.size_bytes, Residue())] += 1
            registers.execute(step)
        natives = (_native_access(model, counts, address) for address, counts in found.items())
        return [native for native in natives if any(native.penalties)]


def _native_access(model: CycleModel, counts: dict[SingleAccess, int], address: Residue) -> Access:
    """Penalties of several accesses to one address, modulo four."""
    penalties = [sum(count * model.penalty(access, low) for access, count in counts.items()) for low in range(4)]
    if not address.coefficients:
        penalties = [penalties[low] if low == address.constant else 0 for low in range(4)]
    return Access(address.coefficients, address.constant, (ctypes.c_uint32 * 4)(*penalties))
