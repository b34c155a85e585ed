"""Blocks lowered once per signature, for all that asks what they cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tinynas.graph import DType
from tinynas.lowering import Lowering
from tinynas.memory import BlockCost, NativeMemoryModel
from tinynas.spaces import Block, build_block_graph, cached_by_signature


class BlockSchedules:
    """Schedules and memory costs of blocks, by signature; shared by the cost models of a run."""

    def __init__(self, lowering: Lowering) -> None:
        self.lowering = lowering
        self.schedule = cached_by_signature(lambda block: lowering(build_block_graph(block, DType.INT8)))
        self._others: dict[Lowering, BlockSchedules] = {}
        self._costs: dict[NativeMemoryModel, Callable[[Block], BlockCost]] = {}

    def within(self, arena_bytes: int) -> BlockSchedules:
        """The same for an arena of so many bytes: with less scratch where a block takes more."""
        return self._other(self.lowering.within(arena_bytes))

    def unlinking(self, kernels: frozenset[str]) -> BlockSchedules:
        """The same without the code of some kernels, where there are others."""
        return self._other(replace(self.lowering, unlinked=kernels))

    def _other(self, lowering: Lowering) -> BlockSchedules:
        if lowering not in self._others:
            self._others[lowering] = BlockSchedules(lowering)
        return self._others[lowering]

    def memory(self, model: NativeMemoryModel) -> Callable[[Block], BlockCost]:
        """The memory cost of a block under `model`, cached."""
        if model not in self._costs:
            self._costs[model] = cached_by_signature(lambda block: model.block_cost(self.schedule(block)))
        return self._costs[model]
