"""Cycles of instructions in their order, by the timings of a core's manual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinynas.targets import Cost, Timing

from .._errors import UnknownTimingError
from ._operation import Access, Operation
from ._operations import encoding
from ._thumb import ALWAYS, Instruction

BRANCHES = frozenset(
    {
        *("branch", "branch_conditional", "branch_link", "branch_exchange", "table_branch", "write_pc"),
        *("load_pc", "load_multiple_pc"),
    }
)
_LOADS = frozenset({"load", "load_exclusive", "store_exclusive"})  # STREX counts as a load: manuals of M3 and M4, 3.3.2
_PIPELINED = _LOADS | {"store", "store_immediate"}
_SKIPPED = 1


@dataclass(frozen=True, slots=True)
class Step:
    """An instruction and what it does."""

    instruction: Instruction
    operation: Operation

    @property
    def is_conditional(self) -> bool:
        """Whether an IT block may skip it."""
        return self.instruction.condition != ALWAYS

    @property
    def is_branch(self) -> bool:
        return self.operation.kind in BRANCHES

    @property
    def end(self) -> int:
        return self.instruction.address + self.instruction.size_bytes


class CycleModel:
    """What instructions take, one behind another.

    What an instruction takes depends on itself and on the one right before it. Where the one before may have been
    skipped, or the pipeline was refilled, it is None.

    Raises:
        ValueError: it is open which multiplier the part has (`Timing.with_multiplier`).
    """

    def __init__(self, timing: Timing) -> None:
        if any(isinstance(cost, Cost) and cost.multiplies for _, cost in timing.cycles):
            raise ValueError(f"{timing.core}: it is open which multiplier the part has")
        self._timing = timing
        self._pipeline = timing.pipeline

    def cycles(self, step: Step, previous: Step | None) -> int:
        """Cycles of an instruction that is executed, where accesses are aligned, a quotient is zero, and a branch
        whose condition is its own is not taken.

        Raises:
            UnknownTimingError: the core's manual has no such instruction.
        """
        operation = step.operation
        if operation.kind == "it" and self._pipeline.it_folds and previous and previous.instruction.size_bytes == 2:
            return 0
        total = self._alone(step)
        if previous is None:
            return total
        before = previous.operation
        if self._are_pipelined(before, operation):
            total = max(1, total - 1)
        if before.computes and before.writes & operation.address:
            total += self._pipeline.address_stall
        if before.fpu_writes & operation.fpu_reads:
            total += self._pipeline.fpu_result_stall
        return total

    def more_if_taken(self, step: Step, previous: Step | None) -> int:
        """Cycles that a branch takes on top where its condition holds."""
        if step.is_conditional:
            return self.cycles(step, previous) - _SKIPPED
        return self._pipeline.refill if step.operation.kind == "branch_conditional" else 0

    def in_sequence(self, steps: Sequence[Step], previous: Step | None) -> int:
        """Cycles of instructions that follow each other, where IT blocks skip theirs."""
        total = 0
        for step in steps:
            executed = self.cycles(step, previous)  # which has to be known of what is skipped, too
            total += _SKIPPED if step.is_conditional else executed
            previous = None if step.is_conditional else step
        return total

    def more_if_executed(self, step: Step, previous: Step | None, following: Step | None) -> int:
        """Cycles that an instruction of an IT block takes on top where it is not skipped, and its neighbour with it."""
        same = previous if previous is not None and _share_condition(previous, step) else None
        total = self.cycles(step, same) - _SKIPPED
        if following is not None and not following.is_conditional:
            total += self.cycles(following, step) - self.cycles(following, None)
        return total

    def penalty(self, access: Access, residue: int) -> int:
        """Cycles that an access takes on top at an address that leaves `residue` modulo 4."""
        if access.size_bytes == 2:
            return self._pipeline.unaligned_halfword if residue & 1 else 0
        penalties = (0, self._pipeline.unaligned_word_at_byte, self._pipeline.unaligned_word_at_halfword)
        return penalties[2 if residue == 2 else residue & 1]

    def _are_pipelined(self, before: Operation, operation: Operation) -> bool:
        if not self._pipeline.loads_pipeline or before.kind not in _LOADS or operation.kind not in _PIPELINED:
            return False
        updates = before.updates_base or (operation.kind in _LOADS and operation.updates_base)
        return not before.loads & operation.address and (self._pipeline.base_updates_pipeline or not updates)

    def _alone(self, step: Step) -> int:
        kind = step.operation.kind
        if kind == "divide":
            divide = self._timing.divide
            if divide is None:
                raise self._unknown(step)
            return divide.least
        cost: Cost | None = getattr(self._timing.cycles, kind)
        if cost is None:
            raise self._unknown(step)
        refill = self._pipeline.refill if cost.refills and kind != "branch_conditional" else 0
        return cost.cycles + cost.per_register * step.operation.transfers + refill

    def _unknown(self, step: Step) -> UnknownTimingError:
        return UnknownTimingError(
            f"the manual of the {self._timing.core} gives no timing of the instruction {encoding(step.instruction)}"
        )


def _share_condition(first: Step, second: Step) -> bool:
    return first.is_conditional and first.instruction.condition == second.instruction.condition
