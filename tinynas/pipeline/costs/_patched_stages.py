"""Patches of a network's first blocks, with costs that combine with those of the other blocks.

`lower(graph, PatchPlan(...))` replaces the steps of the first layers and leaves all others as they are. Where the
patches end at a block's end, what they make is a single tensor, a cut like any other, so the first blocks lowered alone
with the same patches have the steps, and one segment of the arena, that they have inside the network. The costs of the
network are then the costs of this stage combined with those of the blocks behind it, exactly, and a stage is
lowered once for all networks that begin with the same blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace

from tinynas.graph import DType
from tinynas.lowering import Lowering, PatchError, PatchPlan, Schedule
from tinynas.memory import MOST_STEPS, BlockCost, NativeMemoryModel, combine
from tinynas.spaces import Architecture, Block, build_graph
from tinynas.targets import Reserve

MOST_BLOCKS = 3
"""How many blocks a stage may have: the rows that patches share grow with every layer, and the images shrink."""

PATCHES = (2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Numbers of patches that are tried."""


@dataclass(frozen=True)
class PatchedStage:
    """The first blocks of a network, in patches.

    Attributes:
        key: equal for equal stages: caches go by it.
        blocks: the blocks that it holds.
        plan: lowers the whole network, or the stage alone, with these patches.
        cost: of the stage alone; its MACs count what is computed twice.
    """

    key: Hashable
    blocks: tuple[Block, ...]
    plan: PatchPlan
    cost: BlockCost


class PatchedStages:
    """Finds the patches of a network of which nothing but the arena is too large without them.

    Of all stages of at most `MOST_BLOCKS` blocks, each in the fewest of `PATCHES` with which the network fits, the one
    with the fewest multiply-accumulates is taken; of equal ones the shorter. The choice depends on nothing but the
    network, the memory model and the reserve.

    Args:
        lowering: how a graph becomes a schedule.
        plain: the plain schedule of a block, cached.
        memory: what our engine takes of the board.
        reserve: what the user keeps for herself.
    """

    def __init__(
        self, lowering: Lowering, plain: Callable[[Block], Schedule], memory: NativeMemoryModel, reserve: Reserve
    ) -> None:
        self._lowering = lowering
        self._plain = plain
        self._memory = memory
        self._reserve = reserve
        self._arena_bytes = memory.largest_arena(reserve)
        self._known: dict[Hashable, PatchedStage | None] = {}

    def find(self, architecture: Architecture, costs: Sequence[BlockCost]) -> PatchedStage | None:
        """The stage with which `architecture`, of blocks that cost `costs`, fits; None where there is none."""
        best: PatchedStage | None = None
        elsewhere = replace(combine(costs), arena_bytes=0)
        if self._memory.verdict((elsewhere,), self._reserve).fits is not True:
            return None  # patches only add to flash
        for blocks in range(1, min(MOST_BLOCKS, len(costs) - 1) + 1):
            rest = costs[blocks:]
            if max(cost.arena_bytes for cost in rest) > self._arena_bytes:
                continue
            stage = next(self._fitting(architecture, blocks, rest), None)
            if stage is not None and (best is None or _macs(stage, costs) < _macs(best, costs)):
                best = stage
        return best

    def stage(self, architecture: Architecture, blocks: int, patches: int) -> PatchedStage | None:
        """The first `blocks` blocks in so many patches; None where that cannot be done."""
        first = architecture.blocks[:blocks]
        key = (tuple(block.signature for block in first), patches)
        if key not in self._known:
            self._known[key] = self._lower(key, first, patches)
        return self._known[key]

    def schedule(self, stage: PatchedStage) -> Schedule:
        """The steps of a stage. They are not kept: there are many stages, and costs are all that most are asked for."""
        return self._scheduled(stage.blocks, stage.plan)

    def _scheduled(self, blocks: tuple[Block, ...], plan: PatchPlan) -> Schedule:
        return self._lowering(build_graph(Architecture(blocks, blocks[0].input_shape), DType.INT8), plan)

    def _fitting(self, architecture: Architecture, blocks: int, rest: Sequence[BlockCost]) -> Iterator[PatchedStage]:
        for patches in PATCHES:
            stage = self.stage(architecture, blocks, patches)
            if stage is None:
                return  # more patches cannot be done for the same reason, or have too few rows or too many steps
            if stage.cost.arena_bytes > self._arena_bytes:
                continue
            whole = combine((stage.cost, *rest))
            if sum(whole.steps.values()) > MOST_STEPS:
                return
            if self._memory.verdict((whole,), self._reserve).fits is True:
                yield stage

    def _lower(self, key: Hashable, first: tuple[Block, ...], patches: int) -> PatchedStage | None:
        plan = PatchPlan(sum(len(self._plain(block).steps) for block in first), patches)
        if plan.layers * patches > MOST_STEPS:
            return None
        try:
            schedule = self._scheduled(first, plan)
        except PatchError:
            return None
        return PatchedStage(key, first, plan, self._memory.block_cost(schedule))


def _macs(stage: PatchedStage, costs: Sequence[BlockCost]) -> int:
    """Multiply-accumulates of the network with the stage."""
    return combine((stage.cost, *costs[len(stage.blocks) :])).macs
