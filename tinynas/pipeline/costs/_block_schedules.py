"""Blocks lowered once per signature, for all that asks what they cost."""

from __future__ import annotations

from typing import Any

from tinynas.graph import DType
from tinynas.lowering import Lowering
from tinynas.memory import NativeMemoryModel
from tinynas.spaces import build_block_graph, cached_by_signature


class BlockSchedules:
    """Schedules and memory costs of blocks, by signature; shared by the cost models of a run."""

    def __init__(self, lowering: Lowering) -> None:
        self.lowering = lowering
        self.schedule = cached_by_signature(lambda block: lowering(build_block_graph(block, DType.INT8)))
        self._within: dict[int, BlockSchedules] = {}

    def within(self, arena_bytes: int) -> BlockSchedules:
        """The same for an arena of so many bytes: with less scratch where a block takes more."""
        if arena_bytes not in self._within:
            self._within[arena_bytes] = BlockSchedules(self.lowering.within(arena_bytes))
        return self._within[arena_bytes]

    def memory(self, model: NativeMemoryModel) -> Any:
        """The memory cost of a block under `model`, cached."""
        return cached_by_signature(lambda block: model.block_cost(self.schedule(block)))
