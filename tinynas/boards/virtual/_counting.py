"""Counting the instructions of an inference, step by step."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

from tinynas.errors import UsageError

from .._elf import Image, Symbol
from ._emulator import LR, R0, Emulator, library_function
from ._native import STEP_LIMIT, Counter
from ._thumb import Instruction, decode


class TooManyStepsError(UsageError):
    """A model makes more kernel calls than the counter has room for."""


@dataclass(frozen=True)
class InferenceCount:
    """Instructions of `model_invoke`, from its entry to its return, over `inferences` calls of it.

    Where the input comes row by row, they are those of all calls of `model_push_row`, also of an image that is not
    complete; `inferences` are complete ones, and the first step has the pushes.

    `steps` has one entry per kernel call; their sum is the total. An instruction counts when it is issued, also where
    the condition of an IT block keeps it from having an effect.
    """

    inferences: int
    steps: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.steps)


class InstructionCounter:
    """Counts every instruction, and those of an inference separated at the places where the kernels' calls return to.

    The calls are in `model_invoke`. Where the input comes row by row, the first step is all of `model_push_row` but its
    call of `model_finish`, which has the calls of the others and is not linked where there are none.

    A step reaches from where the call before it returned to where its own call returns, so that the glue between
    calls belongs to the step it prepares. What comes after the last call belongs to the last step. Where the last
    call is a jump (a tail call), that span is a step of its own.
    """

    def __init__(self, emulator: Emulator, image: Image, code_address: int, code: bytes) -> None:
        push = image.symbols.get("model_push_row")
        invoke = push or image.symbols.get("model_invoke")
        calls = image.symbols.get("model_finish") if push else invoke
        self._counter = counter = Counter()
        self._by_rows = push is not None
        self._calls = 0
        self._ends_in_tail_call = False
        counter.reg_read, counter.stop = library_function("uc_reg_read"), library_function("uc_emu_stop")
        counter.code, counter.code_address, counter.code_bytes = code, code_address, len(code)
        counter.lr, counter.r0, counter.by_rows = LR, R0, self._by_rows
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
        emulator.hook_blocks("tn_count_block", counter)

    @property
    def instructions(self) -> int:
        """All instructions since reset."""
        return int(self._counter.instructions)

    def allow(self, instructions: int) -> None:
        """Stop the emulator when so many more have been executed."""
        self._counter.limit_reached = 0
        self._counter.limit = self._counter.instructions + instructions

    @property
    def limit_reached(self) -> bool:
        return bool(self._counter.limit_reached)

    def clear(self) -> None:
        """Forget the inferences counted so far."""
        self._counter.inferences = 0
        ctypes.memset(ctypes.addressof(self._counter) + Counter.steps.offset, 0, Counter.steps.size)

    def read(self) -> InferenceCount:
        """Return the inferences completed since `clear` and their instructions, added up."""
        spans = [int(self._counter.steps[index]) for index in range(self._by_rows + self._calls + 1)]
        if len(spans) > 1 and not self._ends_in_tail_call:
            epilogue = spans.pop()
            spans[-1] += epilogue
        return InferenceCount(int(self._counter.inferences), tuple(spans))


def _instructions(image: Image, function: Symbol, code_address: int, code: bytes) -> Iterator[Instruction]:
    """Decode a function without its literal pools: their words could look like calls."""
    for start, end in image.code_ranges:
        first, last = max(start, function.address), min(end, function.address + function.size_bytes)
        if first < last:
            yield from decode(code[first - code_address : last - code_address], first)
