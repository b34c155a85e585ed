"""What a network costs on a board, from the costs of its blocks: computed once per signature, then combined.

Blocks meet in single tensors, so the arena of a chain is the maximum over its blocks, constants and latencies add up,
and code is a union over kernel variants (`tinynas.memory`). A network is then a few dozen dictionary lookups, which is
what lets the space optimizer look at a hundred thousand of them.

Where the arena is what is too large, blocks that do not fit run row by row (`_streamed_blocks`). Where that is not
allowed, or takes more flash than there is, blocks give up scratch: those that do not fit are lowered once more, within
the arena that the board has room for. A block that fits gives up nothing, so all others keep their costs, and the whole
network lowered within that arena has the kernels of its blocks.

Where flash is what is too small, kernels may be left out (`_unlinked_kernels`): lowered without them, the network has
the kernels of its blocks, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinynas.engine import Execution
from tinynas.graph import Graph
from tinynas.latency import LatencyModel
from tinynas.lowering import Lowering, StreamPlan
from tinynas.memory import BlockCost, NativeMemoryModel, RegionUsage, Verdict, combine
from tinynas.pipeline.costs._block_schedules import BlockSchedules
from tinynas.pipeline.costs._latencies import Latencies, Latency
from tinynas.pipeline.costs._network_cost import LatencyLimit, NetworkCost
from tinynas.pipeline.costs._patched_stages import PatchedStage, PatchedStages
from tinynas.pipeline.costs._streamed_blocks import StreamedBlocks, StreamedNetwork
from tinynas.pipeline.costs._unlinked_kernels import UnlinkedKernels
from tinynas.spaces import Architecture, ArchitectureCost, Block, cached_by_signature
from tinynas.targets import Board, Reserve


@dataclass(frozen=True)
class _InMemory:
    """How a network is executed as far as memory decides it.

    Attributes:
        macs: its own multiply-accumulates.
        cost: of the whole, combined.
        verdict: whether that fits.
        blocks: where the blocks' schedules are from: all scratch and kernels, or what fits.
        stage: the first blocks in patches; None for none.
        streamed: the network where parts of it run row by row; else None.
    """

    macs: int
    cost: BlockCost
    verdict: Verdict
    blocks: BlockSchedules
    stage: PatchedStage | None = None
    streamed: StreamedNetwork | None = None

    @property
    def streams(self) -> tuple[StreamPlan, ...]:
        return () if self.streamed is None else self.streamed.streams


class CostModel:
    """Costs of architectures under a board's memory model, a reserve, and a latency model with its limit.

    Args:
        board: the board.
        memory: what our engine takes of it.
        reserve: what the user keeps for herself.
        latency: predicts ticks; None before anything was measured.
        limit: of one inference, in ticks of `latency`; it cannot be checked before there is a latency model.
        schedules: shared cache of lowered blocks.
        patches: whether the first blocks run in patches where a network does not fit otherwise.
        unlinking: whether kernels are left out where flash is too small: more networks fit then, some times slower.
        streams: whether parts of a network run row by row where it does not fit otherwise.
        stream_input: whether every network takes its input row by row.
    """

    def __init__(
        self,
        board: Board,
        memory: NativeMemoryModel,
        reserve: Reserve,
        latency: LatencyModel | None = None,
        limit: LatencyLimit | None = None,
        schedules: BlockSchedules | None = None,
        patches: bool = False,
        unlinking: bool = False,
        streams: bool = False,
        stream_input: bool = False,
    ) -> None:
        self.board = board
        self.memory = memory
        self.reserve = reserve
        self.latency = latency
        self.limit = limit
        self.schedules = schedules if schedules is not None else BlockSchedules(Lowering.for_core(board.core))
        self.patches = patches
        self.unlinking = unlinking
        self.streams = streams
        self.stream_input = stream_input
        self._arena_bytes = memory.largest_arena(reserve)
        self._relieved = self.schedules.within(self._arena_bytes)
        self._block_memory = {
            self.schedules: self.schedules.memory(memory),
            self._relieved: cached_by_signature(self._relieved_cost),
        }
        self._unlinked = UnlinkedKernels(self._relieved, self._block_memory[self._relieved], memory, reserve)
        self._latencies = None if latency is None else Latencies(latency)
        self._stages = {
            blocks: PatchedStages(blocks.lowering, blocks.schedule, memory, reserve) for blocks in self._block_memory
        }
        self._streamed = StreamedBlocks(self.schedules, memory, reserve)

    def with_latency(self, latency: LatencyModel) -> CostModel:
        """The same costs under another latency model, without lowering anything again."""
        return self._with(latency, self.limit)

    def with_limit(self, limit: LatencyLimit | None) -> CostModel:
        """The same costs under another latency limit."""
        return self._with(self.latency, limit)

    def with_patches(self) -> CostModel:
        """The same costs where the first blocks may run in patches."""
        return self._with(self.latency, self.limit, patches=True)

    def with_unlinking(self) -> CostModel:
        """The same costs where kernels may be left out."""
        return self._with(self.latency, self.limit, unlinking=True)

    def with_streams(self) -> CostModel:
        """The same costs where parts of a network may run row by row."""
        return self._with(self.latency, self.limit, streams=True)

    def _with(self, latency: LatencyModel | None, limit: LatencyLimit | None, **more: bool) -> CostModel:
        names = ("patches", "unlinking", "streams", "stream_input")
        ways = {name: getattr(self, name) or more.get(name, False) for name in names}
        return CostModel(self.board, self.memory, self.reserve, latency, limit, self.schedules, **ways)

    def of(self, architecture: Architecture) -> NetworkCost:
        """All costs of a network."""
        found = self._nearest(architecture)
        latency = self._predict(architecture, found)
        slow, overshoot = self._too_slow(latency)
        sram = self.memory.sram_of(found.cost, self.reserve)
        return NetworkCost(
            macs=found.macs,
            sram_bytes=sram.static_bytes,
            stack_bytes=sram.stack_bytes,
            flash_bytes=self.memory.flash_of(found.cost, self.reserve).total_bytes,
            latency=latency,
            regions=found.verdict.regions,
            violations=(*found.verdict.reasons, *slow, *self._rows_not_tried(architecture, found)),
            excess=max(self._excess(found), overshoot),
            lowering=found.blocks.lowering,
            patches=None if found.stage is None else found.stage.plan,
            streams=found.streams,
        )

    def _rows_not_tried(self, architecture: Architecture, found: _InMemory) -> list[str]:
        """Says so where the arena is too large, and flash would be as well with parts row by row."""
        short = found.verdict.fits is False and found.cost.arena_bytes > self._arena_bytes
        if not self.streams or not short or self._streamed.could_help(architecture):
            return []
        return ["row by row it would take less SRAM, and no less flash"]

    def meets_all(self, architecture: Architecture) -> bool:
        """Whether a network meets every constraint."""
        return not self.of(architecture).violations

    def fits(self, architecture: Architecture) -> ArchitectureCost:
        """What the space optimizer asks, as fast as possible: no kernels are left out to save flash.

        It compares distributions of a hundred thousand networks, of which a few more would fit with slower kernels.
        """
        found = self._in_memory(architecture, unlinking=False)
        excess, fits = self._excess(found), found.verdict.fits is True
        if self.limit is None:
            return ArchitectureCost(found.macs, fits, excess, found.cost.arena_bytes)
        slow, overshoot = self._too_slow(self._predict(architecture, found))
        return ArchitectureCost(found.macs, fits and not slow, max(excess, overshoot), found.cost.arena_bytes)

    def execution(self, architecture: Architecture, graph: Graph) -> Execution:
        """How `graph`, which is this network, is executed for these costs. Latency does not decide it."""
        found = self._in_memory(architecture)
        patches = None if found.stage is None else found.stage.plan
        return Execution(graph, found.blocks.lowering, patches, streams=found.streams)

    def block_macs(self, block: Block) -> int:
        """Multiply-accumulates of a block."""
        cost: BlockCost = self._block_memory[self.schedules](block)
        return cost.macs

    def block_latency(self, block: Block) -> float | None:
        """Ticks that a block adds to an inference, with all scratch and all kernels; None where they are not known.

        Those of all blocks and `latency.overhead.per_inference` are the latency of a network that gives nothing up.
        """
        assert self.latency is not None
        assert self._latencies is not None
        predicted = self._latencies.of_block(self.schedules, block)
        return None if predicted.ticks is None else predicted.ticks + self.latency.overhead.per_step * predicted.steps

    def _in_memory(self, architecture: Architecture, *, unlinking: bool = True) -> _InMemory:
        """All scratch if that fits; else row by row; else less scratch; else without some kernels; else in patches.

        Row by row, without kernels and in patches only where that is allowed.

        Where nothing fits, all scratch: `_nearest` says what misses by less.
        """
        plain = self._combined(self.schedules, self._costs(self.schedules, architecture))
        if self.stream_input:
            return self._with_input_by_rows(architecture, plain)
        if plain.verdict.fits is True:
            return plain
        short = plain.cost.arena_bytes > self._arena_bytes
        streamed = self._streamed.find(architecture) if short and self.streams else None
        if streamed is not None:
            return self._streamed_network(plain, streamed)
        if short and self._gives_up_enough(architecture):
            relieved = self._combined(self._relieved, self._costs(self._relieved, architecture))
            if relieved.verdict.fits is True:
                return relieved
        without = self._unlinked.find(architecture) if unlinking and self.unlinking else None
        if without is not None:
            return self._combined(without, list(map(without.memory(self.memory), architecture.blocks)))
        if short and self.patches:
            for blocks in (self.schedules, self._relieved):
                costs = self._costs(blocks, architecture)
                stage = self._stages[blocks].find(architecture, costs)
                if stage is not None:
                    cost = combine((stage.cost, *costs[len(stage.blocks) :]))
                    return _InMemory(plain.macs, cost, self.memory.verdict((cost,), self.reserve), blocks, stage)
        return plain

    def _with_input_by_rows(self, architecture: Architecture, plain: _InMemory) -> _InMemory:
        streamed = self._streamed.find(architecture, pushed=True)
        if streamed is not None:
            return self._streamed_network(plain, streamed)
        reasons = (*plain.verdict.reasons, "its input cannot come row by row in the memory that there is")
        return replace(plain, verdict=replace(plain.verdict, fits=False, reasons=reasons))

    def _streamed_network(self, plain: _InMemory, streamed: StreamedNetwork) -> _InMemory:
        verdict = self.memory.verdict((streamed.cost,), self.reserve)
        return _InMemory(plain.macs, streamed.cost, verdict, self.schedules, streamed=streamed)

    def _nearest(self, architecture: Architecture) -> _InMemory:
        """As `_in_memory`, and where nothing fits, with the scratch given up that does not."""
        found = self._in_memory(architecture)
        if self.stream_input or found.verdict.fits is not False or found.cost.arena_bytes <= self._arena_bytes:
            return found
        relieved = self._combined(self._relieved, self._costs(self._relieved, architecture))
        return relieved if relieved.cost.arena_bytes < found.cost.arena_bytes else found

    def _costs(self, blocks: BlockSchedules, architecture: Architecture) -> list[BlockCost]:
        return [self._block_memory[blocks](block) for block in architecture.blocks]

    def _gives_up_enough(self, architecture: Architecture) -> bool:
        """Whether every block fits the arena with less scratch; most that do not fit do not then."""
        plain, relieved = (self._block_memory[blocks] for blocks in (self.schedules, self._relieved))
        return all(
            relieved(block).arena_bytes <= self._arena_bytes
            for block in architecture.blocks
            if plain(block).arena_bytes > self._arena_bytes
        )

    def _relieved_cost(self, block: Block) -> BlockCost:
        cost: BlockCost = self._block_memory[self.schedules](block)
        if cost.arena_bytes <= self._arena_bytes:
            return cost  # it gives nothing up
        return self.memory.block_cost(self._relieved.schedule(block))

    def _combined(self, blocks: BlockSchedules, costs: Sequence[BlockCost]) -> _InMemory:
        combined = combine(costs)
        return _InMemory(combined.macs, combined, self.memory.verdict((combined,), self.reserve), blocks)

    def _excess(self, found: _InMemory) -> float:
        """The largest overshoot of a region; infinite where the input cannot come row by row."""
        return math.inf if self.stream_input and found.streamed is None else _excess(found.verdict.regions)

    def _too_slow(self, latency: float | None) -> tuple[tuple[str, ...], float]:
        """The violation of the latency limit, if there is one, and the overshoot relative to the limit."""
        if self.limit is None or self.latency is None:
            return (), 0.0
        if latency is None:
            return ("its latency is unknown: a kernel of it was never measured on this board",), math.inf
        if latency <= self.limit.ticks:
            return (), 0.0
        text = f"one inference takes about {latency:,.0f} {self.limit.unit}, the limit is {self.limit.ticks:,.0f}"
        return (text,), latency / self.limit.ticks - 1

    def _predict(self, architecture: Architecture, found: _InMemory) -> float | None:
        if self._latencies is None:
            return None
        first: list[Latency] = []
        behind = architecture.blocks
        if found.streamed is not None:
            first = [self._latencies.of_part(self._streamed, part) for part in found.streamed.parts]
            behind = ()
        elif found.stage is not None:
            first = [self._latencies.of_stage(found.blocks, self._stages[found.blocks], found.stage)]
            behind = behind[len(found.stage.blocks) :]
        return self._latencies.total([*first, *(self._latencies.of_block(found.blocks, block) for block in behind)])


def _excess(regions: tuple[RegionUsage, ...]) -> float:
    return max((max(0.0, r.used_bytes / max(1, r.available_bytes) - 1.0) for r in regions), default=0.0)
