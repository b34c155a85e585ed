"""Kernels that a network does without so that its flash suffices: their layers run on others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from tinynas.kernels import CATALOGUE
from tinynas.lowering import Schedule
from tinynas.memory import BlockCost, NativeMemoryModel, combine
from tinynas.pipeline.costs._block_schedules import BlockSchedules
from tinynas.spaces import Architecture, Block, cached_by_signature
from tinynas.targets import Reserve

_LAST = {kind: variant.name for variant in CATALOGUE.values() for kind in variant.kinds}
_DISPENSABLE = frozenset(
    variant.name
    for variant in CATALOGUE.values()
    if not variant.for_speed and any(_LAST[kind] != variant.name for kind in variant.kinds)
)
"""Kernels that another one follows in the order of the local rule, for some kind of operator."""


class UnlinkedKernels:
    """Finds which kernels to leave out of a network of which flash is too small otherwise.

    One kernel after the other is left out, first those that execute the fewest multiply-accumulates for each byte of
    flash that they take, until the network fits; then those come back, the most multiply-accumulates first, with which
    it fits as well. Where that ends in nothing, because a kernel was left out that works in place or a larger one came
    in, all are left out that can be, or those alone that keep within the arena. The choice depends on nothing but the
    network, the memory model and the reserve, and costs stay sums over blocks, because a block lowers alone as it does
    in the network.

    Args:
        schedules: of blocks, within the arena of the board.
        cost_of: what a block costs so.
        memory: what our engine takes of the board.
        reserve: what the user keeps for herself.
    """

    def __init__(
        self,
        schedules: BlockSchedules,
        cost_of: Callable[[Block], BlockCost],
        memory: NativeMemoryModel,
        reserve: Reserve,
    ) -> None:
        self._schedules = schedules
        self._cost_of = cost_of
        self._memory = memory
        self._reserve = reserve
        self._arena_bytes = memory.largest_arena(reserve)
        self._weights_of = cached_by_signature(lambda block: _weight_bytes(schedules.schedule(block)))
        self._macs_of = cached_by_signature(lambda block: _macs_by_kernel(schedules.schedule(block)))

    def find(self, architecture: Architecture) -> BlockSchedules | None:
        """The schedules of blocks with which `architecture` fits; None where there are none, or flash is not short."""
        cost = self._cost(architecture, frozenset())
        if not self._short_of_flash(cost) or not self._may_fit(architecture, cost):
            return None
        macs: Counter[str] = Counter()
        for block in architecture.blocks:
            macs.update(self._macs_of(block))
        unlinked = self._by_flash(architecture, cost, macs)
        if unlinked is None:
            unlinked = self._within_arena(architecture, cost, macs)
        if unlinked is None:
            return None
        for variant in sorted(unlinked, key=lambda v: (-macs[v], v)):
            if self._fits(self._cost(architecture, unlinked - {variant})):
                unlinked -= {variant}
        return self._schedules.unlinking(unlinked)

    def _by_flash(self, architecture: Architecture, cost: BlockCost, macs: Mapping[str, int]) -> frozenset[str] | None:
        """What to leave out so that it fits: the fewest multiply-accumulates for a byte of flash first."""
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
        return unlinked

    def _within_arena(
        self, architecture: Architecture, cost: BlockCost, macs: Mapping[str, int]
    ) -> frozenset[str] | None:
        """The same: all that can be, or, the fewest multiply-accumulates first, what enlarges no memory."""
        candidates = _DISPENSABLE & frozenset().union(*map(self._schedules.candidates, architecture.blocks))
        if self._fits(self._cost(architecture, candidates)):
            return candidates
        unlinked: frozenset[str] = frozenset()
        for variant in sorted(candidates, key=lambda v: (macs[v], v)):
            without = self._cost(architecture, unlinked | {variant})
            arena_bytes = max(cost.arena_bytes, self._arena_bytes)
            if self._flash(without) <= self._flash(cost) and without.arena_bytes <= arena_bytes:
                unlinked, cost = unlinked | {variant}, without
            if self._fits(cost):
                return unlinked
        return None

    def _may_fit(self, architecture: Architecture, cost: BlockCost) -> bool:
        """Whether weights and biases fit without any code; most networks that flash is too small for fail this."""
        room = self._memory.room_for_constants(frozenset(), sum(cost.steps.values()), self._reserve)
        return sum(map(self._weights_of, architecture.blocks)) <= room

    def _cost(self, architecture: Architecture, unlinked: frozenset[str]) -> BlockCost:
        cost_of = self._schedules.unlinking(unlinked).memory(self._memory) if unlinked else self._cost_of
        return combine(map(cost_of, architecture.blocks))

    def _fits(self, cost: BlockCost) -> bool:
        return self._memory.verdict((cost,), self._reserve).fits is True

    def _flash(self, cost: BlockCost) -> int:
        return self._memory.flash_of(cost).total_bytes

    def _short_of_flash(self, cost: BlockCost) -> bool:
        margin = self._memory.flash_margin_bytes
        regions = self._memory.verdict((cost,), self._reserve).regions
        return any(r.used_bytes + margin > r.available_bytes for r in regions if r.kind == "flash")


def _weight_bytes(schedule: Schedule) -> int:
    """Bytes of weights and biases, which every kernel stores in some form."""
    tensors = schedule.graph.tensors
    calls = [schedule.call(step).op for step in schedule.steps]
    return sum(tensors[t].size_bytes for op in calls if op.weights is not None for t in op.inputs[1:] if t >= 0)


def _macs_by_kernel(schedule: Schedule) -> Counter[str]:
    found: Counter[str] = Counter()
    for step in schedule.steps:
        found[step.variant] += step.macs
    return found
