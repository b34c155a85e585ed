"""Counting the instructions and the cycles of an inference, step by step and function by function."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tinynas.errors import TinyNASError, UsageError
from tinynas.targets import Timing

from .._elf import Image, Symbol
from ._blocks import Blocks, FunctionCount
from ._emulator import CORE_REGISTERS, FLAGS, Emulator, library_function
from ._native import STEP_LIMIT, Block, Counter, FindBlock
from ._thumb import Instruction, decode


class TooManyStepsError(UsageError):
    """A model makes more kernel calls than the counter has room for."""


@dataclass(frozen=True)
class InferenceCount:
    """Instructions and cycles of `model_invoke`, from its entry to its return, over `inferences` calls of it.

    Where the input comes row by row, they are those of all calls of `model_push_row`, also of an image that is not
    complete; `inferences` are complete ones, and the first step has the pushes.

    `steps` has one entry per kernel call; their sum is the total. An instruction counts when it is issued, also where
    the condition of an IT block keeps it from having an effect.

    Cycles are those of the core's timing (`Timing`), a model: `cycles` has one entry per kernel call, too, and is None
    where the core has no timing. `functions` has both by function, without what each calls.
    """

    inferences: int
    steps: tuple[int, ...]
    cycles: tuple[int, ...] | None = None
    functions: Mapping[str, FunctionCount] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.steps)

    @property
    def total_cycles(self) -> int | None:
        return None if self.cycles is None else sum(self.cycles)


class ExecutionCounter:
    """Counts instructions and cycles, all, and those of an inference separated where the kernels' calls return to.

    The calls are in `model_invoke`. Where the input comes row by row, the first step is all of `model_push_row` but its
    call of `model_finish`, which has the calls of the others and is not linked where there are none.

    A step reaches from where the call before it returned to where its own call returns, so that the glue between
    calls belongs to the step it prepares. What comes after the last call belongs to the last step. Where the last
    call is a jump (a tail call), that span is a step of its own.
    """

    def __init__(self, emulator: Emulator, image: Image, code_address: int, code: bytes, timing: Timing | None) -> None:
        push = image.symbols.get("model_push_row")
        invoke = push or image.symbols.get("model_invoke")
        calls = image.symbols.get("model_finish") if push else invoke
        self._counter = counter = Counter()
        self._by_rows = push is not None
        self._calls = 0
        self._ends_in_tail_call = False
        self._has_timing = timing is not None
        self._error: BaseException | None = None
        self._find = FindBlock(self._find_block)  # the native counter keeps a bare pointer to it
        code_end = max((end for _, end in image.code_ranges), default=code_address)
        self._table = (ctypes.c_void_p * ((code_end - code_address) // 2))()
        counter.reg_read, counter.stop = library_function("uc_reg_read"), library_function("uc_emu_stop")
        counter.find, counter.blocks = self._find, self._table
        counter.code_address, counter.code_bytes = code_address, code_end - code_address
        counter.registers[:], counter.flags, counter.by_rows = CORE_REGISTERS, FLAGS, self._by_rows
        if invoke is not None:
            counter.invoke_address, counter.invoke_end = invoke.address, invoke.address + invoke.size_bytes
        if calls is not None:
            boundaries = bytearray(calls.size_bytes // 2 + 1)
            for instruction in _instructions(image, calls, code_address, code):
                if instruction.is_call:
                    boundaries[(instruction.address + instruction.size_bytes - calls.address) // 2] = 1
                    self._calls += 1
                    self._ends_in_tail_call = False
                self._ends_in_tail_call |= instruction.is_jump
            if self._calls >= STEP_LIMIT:
                raise TooManyStepsError(
                    f"{calls.name} makes {self._calls} calls; fewer than {STEP_LIMIT} can be counted"
                )
            counter.calls_address, counter.calls_end = calls.address, calls.address + calls.size_bytes
            counter.boundaries = bytes(boundaries)
        self._blocks = Blocks(emulator, image, code_address, code, timing, counter)
        emulator.hook_blocks("tn_count_block", counter)

    @property
    def instructions(self) -> int:
        """All instructions since reset."""
        return int(self._counter.instructions)

    @property
    def cycles(self) -> int | None:
        """All cycles since reset, None where the core has no timing."""
        return int(self._counter.cycles) if self._has_timing else None

    def leave(self, address: int) -> None:
        """Note that execution ended by going to `address`, which was not executed."""
        if self._counter.last:
            last = Block.from_address(self._counter.last)
            self._counter.cycles += last.taken if address != last.address + last.size else 0
            self._counter.last = None

    @property
    def failure(self) -> TinyNASError | None:
        """Why it was stopped where the core raises no fault: what is no code, or an instruction without a timing."""
        return self._blocks.failure

    def raise_error(self) -> None:
        """Raise what was raised while a block was described: exceptions do not pass through the emulator."""
        if self._error is not None:
            raise self._error
        if self._counter.unknown and self.failure is None:
            # Python handles signals where a function begins: then it was raised before `_find_block` could catch it.
            raise KeyboardInterrupt

    def allow(self, instructions: int) -> None:
        """Stop the emulator when so many more have been executed."""
        self._counter.last = None
        self._counter.limit_reached = 0
        self._counter.limit = self._counter.instructions + instructions

    @property
    def limit_reached(self) -> bool:
        return bool(self._counter.limit_reached)

    def clear(self) -> None:
        """Forget the inferences counted so far."""
        self._counter.inferences = 0
        for each in (Counter.steps, Counter.cycles_of_steps):
            ctypes.memset(ctypes.addressof(self._counter) + each.offset, 0, each.size)
        self._blocks.clear()

    def read(self) -> InferenceCount:
        """Return the inferences completed since `clear` and what they took, added up."""
        cycles = self._by_step(self._counter.cycles_of_steps) if self._has_timing else None
        steps = self._by_step(self._counter.steps)
        return InferenceCount(int(self._counter.inferences), steps, cycles, self._blocks.functions())

    def _by_step(self, counts: ctypes.Array[ctypes.c_uint64]) -> tuple[int, ...]:
        spans = [int(counts[index]) for index in range(self._by_rows + self._calls + 1)]
        if len(spans) > 1 and not self._ends_in_tail_call:
            epilogue = spans.pop()
            spans[-1] += epilogue
        return tuple(spans)

    def _find_block(self, address: int, size: int) -> int | None:
        try:
            found = self._blocks.find(address, size)
        except BaseException as error:  # C would go on with an undefined pointer
            self._error = error
            return None
        self._counter.unknown = int(self._blocks.failure is not None)
        return found


def _instructions(image: Image, function: Symbol, code_address: int, code: bytes) -> Iterator[Instruction]:
    """Decode a function without its literal pools: their words could look like calls."""
    for start, end in image.code_ranges:
        first, last = max(start, function.address), min(end, function.address + function.size_bytes)
        if first < last:
            yield from decode(code[first - code_address : last - code_address], first)
