"""Row by row, with costs that combine: blocks alone where that is enough, else the first few of them together.

Blocks meet in single tensors, so a network is a chain of cells, those of its blocks (`tinynas.memory`), and what runs
row by row within a block costs what it costs in the block alone. Where blocks that fit their own tensors in the arena
do not exist, as with the large images at the beginning of a network, the first few blocks run row by row together: a
stage, lowered once for all networks that begin with the same blocks.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from tinynas.graph import DType
from tinynas.kernels.streaming import BEGUN_BYTES
from tinynas.lowering import Schedule, StreamPlan
from tinynas.memory import MOST_STEPS, BlockCost, Cell, NativeMemoryModel, cells_of, combine, stream_choices
from tinynas.pipeline.costs._block_schedules import BlockSchedules
from tinynas.spaces import Architecture, Block, build_block_graph, build_graph, cached_by_signature
from tinynas.targets import Reserve

MOST_BLOCKS = 4
"""How many blocks a stage may have: its windows add up."""


@dataclass(frozen=True)
class StreamedPart:
    """Some blocks in a row of which parts run row by row, and that fit.

    Attributes:
        key: equal for equal parts: caches go by it.
        blocks: the blocks.
        steps: kernel calls of them as a whole.
        streams: counted from their first kernel call; empty where they run as a whole.
        cost: of these blocks.
    """

    key: Hashable
    blocks: tuple[Block, ...]
    steps: int
    streams: tuple[StreamPlan, ...]
    cost: BlockCost


@dataclass(frozen=True)
class StreamedNetwork:
    """A network of which parts run row by row."""

    parts: tuple[StreamedPart, ...]

    @property
    def cost(self) -> BlockCost:
        """Of the whole network."""
        return combine(part.cost for part in self.parts)

    @property
    def streams(self) -> tuple[StreamPlan, ...]:
        """What to lower the whole network with."""
        found: list[StreamPlan] = []
        first = 0
        for part in self.parts:
            found += [replace(plan, first=plan.first + first) for plan in part.streams]
            first += part.steps
        return tuple(found)


class StreamedBlocks:
    """Finds what runs row by row in a network of which nothing but the arena is too large as a whole.

    What fits as a whole runs so. Of what remains, the fewest calls of kernels that fit the arena are taken, so that the
    choice depends on nothing but the network, the memory model and the reserve.

    Args:
        blocks: plain schedules of blocks, cached.
        memory: what our engine takes of the board.
        reserve: what the user keeps for herself.
    """

    def __init__(self, blocks: BlockSchedules, memory: NativeMemoryModel, reserve: Reserve) -> None:
        self._blocks = blocks
        self._memory = memory
        self._reserve = reserve
        # A pushed input keeps a word beside all else: what fits without it may fit a word less.
        self._arena_bytes = memory.largest_arena(reserve) - BEGUN_BYTES
        self._plain = blocks.memory(memory)
        self._cells = cached_by_signature(self._cells_of)
        self._alone = cached_by_signature(self._part_of)
        self._stages: dict[Hashable, StreamedPart | None] = {}

    def find(self, architecture: Architecture, *, pushed: bool = False) -> StreamedNetwork | None:
        """The way of fewest blocks in its stage with which a network fits; None where there is none.

        Args:
            architecture: the network.
            pushed: its input comes row by row: its first block runs so as well, whether it fits as a whole or not.
        """
        blocks = architecture.blocks
        if not self.could_help(architecture):
            return None
        alone = [self._alone(block) for block in blocks]
        too_large = [index for index, part in enumerate(alone) if part is None]
        for stage in range(too_large[-1] + 1 if too_large else 0, min(MOST_BLOCKS, len(blocks)) + 1):
            if stage == (0 if pushed else 1):
                continue  # without a pushed input, alone already
            head = [self._stage(blocks[:stage], pushed)] if stage else []
            parts = [*head, *alone[stage:]]
            known = tuple(part for part in parts if part is not None)
            if len(known) < len(parts):
                continue
            found = StreamedNetwork(known)
            if sum(found.cost.steps.values()) <= MOST_STEPS and self._fits(found):
                return found
        return None

    def could_help(self, architecture: Architecture) -> bool:
        """Whether nothing but the arena is too large: rows only add to flash."""
        elsewhere = replace(combine(map(self._plain, architecture.blocks)), arena_bytes=0)
        return self._memory.verdict((elsewhere,), self._reserve).fits is True

    def schedule(self, part: StreamedPart) -> Schedule:
        """The steps of a part."""
        return self._lowered(part.blocks, part.streams)

    def _fits(self, network: StreamedNetwork) -> bool:
        return self._memory.verdict((network.cost,), self._reserve).fits is True

    def _cells_of(self, block: Block) -> tuple[Cell, ...]:
        return cells_of(self._blocks.schedule(block), self._blocks.lowering)

    def _part_of(self, block: Block) -> StreamedPart | None:
        cost: BlockCost = self._plain(block)
        steps = len(self._blocks.schedule(block).steps)
        if cost.arena_bytes <= self._arena_bytes:
            return StreamedPart((block.signature, ()), (block,), steps, (), cost)
        return self._row_by_row((block,), steps, pushed=False)

    def _stage(self, blocks: tuple[Block, ...], pushed: bool) -> StreamedPart | None:
        key = (pushed, *(block.signature for block in blocks))
        if key not in self._stages:
            steps = sum(len(self._blocks.schedule(block).steps) for block in blocks)
            self._stages[key] = self._row_by_row(blocks, steps, pushed=pushed)
        return self._stages[key]

    def _row_by_row(self, blocks: tuple[Block, ...], steps: int, *, pushed: bool) -> StreamedPart | None:
        cells: Sequence[Cell] = [cell for block in blocks for cell in self._cells(block)]
        choices = stream_choices(cells, most_bytes=self._arena_bytes, pushed=pushed)
        if not choices:
            return None
        streams = choices[-1].streams
        key = (tuple(block.signature for block in blocks), streams)
        return StreamedPart(key, blocks, steps, streams, self._memory.block_cost(self._lowered(blocks, streams)))

    def _lowered(self, blocks: tuple[Block, ...], streams: tuple[StreamPlan, ...]) -> Schedule:
        graph = (
            build_block_graph(blocks[0], DType.INT8)
            if len(blocks) == 1
            else build_graph(Architecture(blocks, blocks[0].input_shape), DType.INT8)
        )
        return self._blocks.lowering(graph, streams=streams)
