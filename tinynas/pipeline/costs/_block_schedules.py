"""Blocks lowered once per signature, for all that asks what they cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tinynas.graph import DType
from tinynas.kernels import by_rule
from tinynas.lowering import Lowering, Schedule
from tinynas.memory import BlockCost, NativeMemoryModel
from tinynas.spaces import Block, build_block_graph, cached_by_signature


class BlockSchedules:
    """Schedules and memory costs of blocks, by signature; shared by the cost models of a run.

    Without some kernels, a block is lowered anew only for those that it could have: of the others it knows nothing.

    Args:
        lowering: how blocks are lowered.
        linked: the same with all kernels linked, where `lowering` leaves some out.
    """

    def __init__(self, lowering: Lowering, linked: BlockSchedules | None = None) -> None:
        self.lowering = lowering
        self._linked = linked
        self.schedule = cached_by_signature(self._scheduled)
        self.candidates = cached_by_signature(self._candidates)
        self._others: dict[Lowering, BlockSchedules] = {}
        self._costs: dict[NativeMemoryModel, Callable[[Block], BlockCost]] = {}

    def within(self, arena_bytes: int) -> BlockSchedules:
        """The same for an arena of so many bytes: with less scratch where a block takes more."""
        lowering = self.lowering.within(arena_bytes)
        if lowering not in self._others:
            self._others[lowering] = BlockSchedules(lowering)
        return self._others[lowering]

    def unlinking(self, kernels: frozenset[str]) -> BlockSchedules:
        """The same without the code of some kernels, where there are others."""
        if not kernels:
            return self
        lowering = replace(self.lowering, unlinked=kernels)
        if lowering not in self._others:
            self._others[lowering] = BlockSchedules(lowering, self)
        return self._others[lowering]

    def memory(self, model: NativeMemoryModel) -> Callable[[Block], BlockCost]:
        """The memory cost of a block under `model`, cached."""
        if model not in self._costs:
            self._costs[model] = cached_by_signature(partial(self._cost, model))
        return self._costs[model]

    def _of(self, block: Block) -> BlockSchedules:
        """Those with the same schedule of a block that leave out no kernel without need."""
        if self._linked is None:
            return self
        return self._linked.unlinking(self.lowering.unlinked & self._linked.candidates(block))

    def _scheduled(self, block: Block) -> Schedule:
        others = self._of(block)
        return self.lowering(build_block_graph(block, DType.INT8)) if others is self else others.schedule(block)

    def _cost(self, model: NativeMemoryModel, block: Block) -> BlockCost:
        others = self._of(block)
        return model.block_cost(self.schedule(block)) if others is self else others.memory(model)(block)

    def _candidates(self, block: Block) -> frozenset[str]:
        schedule = self.schedule(block)
        return frozenset(variant.name for step in schedule.steps for variant in by_rule(schedule.call(step)))
