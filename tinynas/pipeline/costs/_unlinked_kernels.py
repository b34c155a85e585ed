"""Kernels that a network does without so that its flash suffices: their layers run on others that it links anyway."""

from __future__ import annotations

from collections.abc import Iterator

from tinynas.lowering import CATALOGUE
from tinynas.memory import BlockCost, NativeMemoryModel, Verdict, combine
from tinynas.pipeline.costs._block_schedules import BlockSchedules
from tinynas.spaces import Architecture
from tinynas.targets import Reserve

_GENERAL = frozenset(
    {[v.name for v in CATALOGUE.values() if kind in v.kinds][-1] for v in CATALOGUE.values() for kind in v.kinds}
)
"""The last of each kind of operator, which executes what no other does."""

_DISPENSABLE = frozenset(v.name for v in CATALOGUE.values() if not v.for_speed) - _GENERAL

_MOST_CONSTANTS_SAVED = 1 / 16
"""Kernels differ in how they pack constants, by less than this share of them."""


class UnlinkedKernels:
    """Finds which kernels to leave out of a network of which flash is too small otherwise.

    One kernel after the other is left out, each time the one without which flash is smallest, until the network fits:
    of those with which it does, the one that the fewest steps had. The choice depends on nothing but the network, the
    memory model and the reserve, and costs stay sums over blocks, because a block lowers alone as it does in the
    network. A network that only two kernels less, but neither of them alone, make smaller is not found to fit.

    Args:
        schedules: of blocks, within the arena of the board.
        memory: what our engine takes of the board.
        reserve: what the user keeps for herself.
    """

    def __init__(self, schedules: BlockSchedules, memory: NativeMemoryModel, reserve: Reserve) -> None:
        self._schedules = schedules
        self._memory = memory
        self._reserve = reserve

    def find(self, architecture: Architecture, cost: BlockCost) -> BlockSchedules | None:
        """The schedules of blocks with which `architecture`, which costs `cost` without this, fits; None for none."""
        if not self._short_of_flash(cost) or not self._may_fit(cost):
            return None
        if self._short_of_flash(self._cost(architecture, _DISPENSABLE)):
            return None
        unlinked: frozenset[str] = frozenset()
        while True:
            found = [
                (without, self._cost(architecture, without), cost.steps[variant])
                for variant, without in self._next(unlinked, cost)
            ]
            fitting = [entry for entry in found if self._verdict(entry[1]).fits is True]
            if fitting:
                unlinked, _, _ = min(fitting, key=lambda entry: (entry[2], sorted(entry[0])))
                return self._schedules.unlinking(unlinked)
            smaller = [entry for entry in found if self._flash(entry[1]) < self._flash(cost)]
            if not smaller:
                return None
            unlinked, cost, _ = min(smaller, key=lambda entry: (self._flash(entry[1]), sorted(entry[0])))

    @staticmethod
    def _next(unlinked: frozenset[str], cost: BlockCost) -> Iterator[tuple[str, frozenset[str]]]:
        """Each kernel that may be left out besides, and all that are out then."""
        return ((v, unlinked | {v}) for v in sorted(cost.steps) if v in _DISPENSABLE)

    def _may_fit(self, cost: BlockCost) -> bool:
        """Whether the constants fit without any code; most networks that flash is too small for fail this."""
        room = self._memory.room_for_constants(frozenset(), sum(cost.steps.values()), self._reserve)
        return cost.constant_bytes * (1 - _MOST_CONSTANTS_SAVED) <= room

    def _cost(self, architecture: Architecture, unlinked: frozenset[str]) -> BlockCost:
        of_block = self._schedules.unlinking(unlinked).memory(self._memory)
        return combine(map(of_block, architecture.blocks))

    def _verdict(self, cost: BlockCost) -> Verdict:
        return self._memory.verdict((cost,), self._reserve)

    def _flash(self, cost: BlockCost) -> int:
        return self._memory.flash_of(cost).total_bytes

    def _short_of_flash(self, cost: BlockCost) -> bool:
        margin = self._memory.flash_margin_bytes
        return any(r.used_bytes + margin > r.available_bytes for r in self._verdict(cost).regions if r.kind == "flash")
