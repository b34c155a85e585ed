"""Kernels that a network does without so that its flash suffices: their layers run on others that it links anyway."""

from __future__ import annotations

from collections import Counter

from tinynas.lowering import CATALOGUE, WEIGHTED, Schedule, by_rule
from tinynas.memory import BlockCost, NativeMemoryModel, combine
from tinynas.pipeline.costs._block_schedules import BlockSchedules
from tinynas.spaces import Architecture, cached_by_signature
from tinynas.targets import Reserve

_GENERAL = frozenset(
    {[v.name for v in CATALOGUE.values() if kind in v.kinds][-1] for v in CATALOGUE.values() for kind in v.kinds}
)
"""The last of each kind of operator, which executes what no other does."""

_DISPENSABLE = frozenset(v.name for v in CATALOGUE.values() if not v.for_speed) - _GENERAL


class UnlinkedKernels:
    """Finds which kernels to leave out of a network of which flash is too small otherwise.

    One kernel after the other is left out, first those that execute the fewest multiply-accumulates for each byte of
    flash that they take, until the network fits; then those come back, the most multiply-accumulates first, with which
    it fits as well. The choice depends on nothing but the network, the memory model and the reserve,
    and costs stay sums over blocks, because a block lowers alone as it does in the network.

    Args:
        schedules: of blocks, within the arena of the board.
        memory: what our engine takes of the board.
        reserve: what the user keeps for herself.
    """

    def __init__(self, schedules: BlockSchedules, memory: NativeMemoryModel, reserve: Reserve) -> None:
        self._schedules = schedules
        self._memory = memory
        self._reserve = reserve
        # Of the others a block knows nothing, so that it need not be lowered anew for every set of kernels.
        self._candidates_of = cached_by_signature(lambda block: _candidates(schedules.schedule(block)))
        self._weights_of = cached_by_signature(lambda block: _weight_bytes(schedules.schedule(block)))
        self._macs_of = cached_by_signature(lambda block: _macs_by_kernel(schedules.schedule(block)))

    def find(self, architecture: Architecture, cost: BlockCost) -> BlockSchedules | None:
        """The schedules of blocks with which `architecture`, which costs `cost` without this, fits; None for none."""
        if not self._short_of_flash(cost) or not self._may_fit(architecture, cost):
            return None
        if self._short_of_flash(self._cost(architecture, _DISPENSABLE)):
            return None
        macs: Counter[str] = Counter()
        for block in architecture.blocks:
            macs.update(self._macs_of(block))
        unlinked: frozenset[str] = frozenset()
        while not self._fits(cost):
            before, flash = unlinked, self._flash(cost)
            present = sorted(_DISPENSABLE & cost.steps.keys())
            saved = {v: flash - self._flash(self._cost(architecture, unlinked | {v})) for v in present}
            for variant in sorted((v for v in present if saved[v] > 0), key=lambda v: (macs[v] / saved[v], v)):
                without = self._cost(architecture, unlinked | {variant})
                if self._flash(without) < self._flash(cost):
                    unlinked, cost = unlinked | {variant}, without
                if self._fits(cost):
                    break
            if unlinked == before:
                return None
        for variant in sorted(unlinked, key=lambda v: (-macs[v], v)):
            if self._fits(self._cost(architecture, unlinked - {variant})):
                unlinked -= {variant}
        return self._schedules.unlinking(unlinked)

    def _may_fit(self, architecture: Architecture, cost: BlockCost) -> bool:
        """Whether weights and biases fit without any code; most networks that flash is too small for fail this."""
        room = self._memory.room_for_constants(frozenset(), sum(cost.steps.values()), self._reserve)
        return sum(map(self._weights_of, architecture.blocks)) <= room

    def _cost(self, architecture: Architecture, unlinked: frozenset[str]) -> BlockCost:
        return combine(
            self._schedules.unlinking(unlinked & self._candidates_of(block)).memory(self._memory)(block)
            for block in architecture.blocks
        )

    def _fits(self, cost: BlockCost) -> bool:
        return self._memory.verdict((cost,), self._reserve).fits is True

    def _flash(self, cost: BlockCost) -> int:
        return self._memory.flash_of(cost).total_bytes

    def _short_of_flash(self, cost: BlockCost) -> bool:
        margin = self._memory.flash_margin_bytes
        regions = self._memory.verdict((cost,), self._reserve).regions
        return any(r.used_bytes + margin > r.available_bytes for r in regions if r.kind == "flash")


def _candidates(schedule: Schedule) -> frozenset[str]:
    return _DISPENSABLE & {variant.name for step in schedule.steps for variant in by_rule(schedule.call(step))}


def _weight_bytes(schedule: Schedule) -> int:
    """Bytes of weights and biases, which every kernel stores in some form."""
    tensors = schedule.graph.tensors
    calls = [schedule.call(step).op for step in schedule.steps]
    return sum(tensors[t].size_bytes for op in calls if op.kind in WEIGHTED for t in op.inputs[1:] if t >= 0)


def _macs_by_kernel(schedule: Schedule) -> Counter[str]:
    found: Counter[str] = Counter()
    for step in schedule.steps:
        found[step.variant] += step.macs
    return found
