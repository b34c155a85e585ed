"""What a network costs on a board, from the costs of its blocks: computed once per signature, then combined.

Blocks meet in single tensors, so the arena of a chain is the maximum over its blocks, constants and latencies add up,
and code is a union over kernel variants (`tinynas.memory`). A network is then a few dozen dictionary lookups, which is
what lets the space optimizer look at a hundred thousand of them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from tinynas.graph import DType
from tinynas.latency import LatencyModel
from tinynas.lowering import Lowering, PatchPlan, Schedule
from tinynas.memory import BlockCost, NativeMemoryModel, RegionUsage, Verdict, combine
from tinynas.pipeline._config import ConfigError, LimitsConfig
from tinynas.pipeline._patched_stages import PatchedStage, PatchedStages
from tinynas.spaces import Architecture, ArchitectureCost, Block, build_block_graph, cached_by_signature
from tinynas.targets import Board, Reserve


@dataclass(frozen=True)
class LatencyLimit:
    """The most that one inference may take, in ticks of the latency model."""

    ticks: float
    unit: str


@dataclass(frozen=True)
class NetworkCost:
    """Predicted costs of one network on the board.

    Attributes:
        macs: multiply-accumulates of the network; rows that patches compute twice count once.
        sram_bytes: what the linker places in SRAM: arena, .data, .bss and buffers, without the stack.
        stack_bytes: upper bound on the stack.
        flash_bytes: as linked.
        latency: ticks of the latency model (instructions or cycles); None where it is not known.
        regions: what each memory region holds and may hold.
        violations: the hard constraints it violates, one line each; where the model cannot tell, it does violate.
        excess: the largest overshoot of a budget relative to the budget; 0 if it fits.
        patches: what to lower the network with for these costs; None for the plain schedule.
    """

    macs: int
    sram_bytes: int
    stack_bytes: int
    flash_bytes: int
    latency: float | None
    regions: tuple[RegionUsage, ...]
    violations: tuple[str, ...]
    excess: float
    patches: PatchPlan | None = None

    def as_json(self) -> dict[str, Any]:
        """The figures that an artefact keeps."""
        return {
            "macs": self.macs,
            "sram_bytes": self.sram_bytes,
            "stack_bytes": self.stack_bytes,
            "flash_bytes": self.flash_bytes,
            "latency": self.latency,
        }


@dataclass(frozen=True)
class _BlockLatency:
    """Ticks of the steps of a block (None: a kernel was never measured), and their number."""

    ticks: float | None
    steps: int


class BlockSchedules:
    """Schedules and memory costs of blocks, by signature; shared by the cost models of a run."""

    def __init__(self, lowering: Lowering) -> None:
        self.lowering = lowering
        self.schedule = cached_by_signature(lambda block: lowering(build_block_graph(block, DType.INT8)))

    def memory(self, model: NativeMemoryModel) -> Any:
        """The memory cost of a block under `model`, cached."""
        return cached_by_signature(lambda block: model.block_cost(self.schedule(block)))


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
    ) -> None:
        self.board = board
        self.memory = memory
        self.reserve = reserve
        self.latency = latency
        self.limit = limit
        self.schedules = schedules if schedules is not None else BlockSchedules(Lowering.for_core(board.core))
        self._block_memory = self.schedules.memory(memory)
        self._stages = (
            PatchedStages(self.schedules.lowering, self.schedules.schedule, memory, reserve) if patches else None
        )
        self._block_latency = cached_by_signature(self._predict_block)
        self._stage_latency: dict[Hashable, _BlockLatency] = {}

    def with_latency(self, latency: LatencyModel) -> CostModel:
        """The same costs under another latency model, without lowering anything again."""
        return self._with(latency, self.limit)

    def with_limit(self, limit: LatencyLimit | None) -> CostModel:
        """The same costs under another latency limit."""
        return self._with(self.latency, limit)

    def _with(self, latency: LatencyModel | None, limit: LatencyLimit | None) -> CostModel:
        patches = self._stages is not None
        return CostModel(self.board, self.memory, self.reserve, latency, limit, self.schedules, patches)

    def of(self, architecture: Architecture) -> NetworkCost:
        """All costs of a network."""
        macs, combined, verdict, stage = self._in_memory(architecture)
        latency = self._predict(architecture, stage)
        slow, overshoot = self._too_slow(latency)
        sram = self.memory.sram_of(combined, self.reserve)
        return NetworkCost(
            macs=macs,
            sram_bytes=sram.static_bytes,
            stack_bytes=sram.stack_bytes,
            flash_bytes=self.memory.flash_of(combined, self.reserve).total_bytes,
            latency=latency,
            regions=verdict.regions,
            violations=(*verdict.reasons, *slow),
            excess=max(_excess(verdict.regions), overshoot),
            patches=None if stage is None else stage.plan,
        )

    def fits(self, architecture: Architecture) -> ArchitectureCost:
        """What the space optimizer asks, as fast as possible."""
        macs, _, verdict, stage = self._in_memory(architecture)
        if self.limit is None:
            return ArchitectureCost(macs, verdict.fits is True, _excess(verdict.regions))
        slow, overshoot = self._too_slow(self._predict(architecture, stage))
        excess = max(_excess(verdict.regions), overshoot)
        return ArchitectureCost(macs, verdict.fits is True and not slow, excess)

    def patches_of(self, architecture: Architecture) -> PatchPlan | None:
        """What to lower the network with for these costs; None for the plain schedule. Latency does not decide it."""
        stage = self._in_memory(architecture)[3]
        return None if stage is None else stage.plan

    def _in_memory(self, architecture: Architecture) -> tuple[int, BlockCost, Verdict, PatchedStage | None]:
        """The network's own MACs, its combined cost, whether that fits, and the patches it takes, if any."""
        blocks: list[BlockCost] = [self._block_memory(block) for block in architecture.blocks]
        combined = combine(blocks)
        verdict = self.memory.verdict((combined,), self.reserve)
        if self._stages is None or verdict.fits is True:
            return combined.macs, combined, verdict, None
        stage = self._stages.find(architecture, blocks)
        if stage is None:
            return combined.macs, combined, verdict, None
        patched = combine((stage.cost, *blocks[len(stage.blocks) :]))
        return combined.macs, patched, self.memory.verdict((patched,), self.reserve), stage

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

    def _predict(self, architecture: Architecture, stage: PatchedStage | None) -> float | None:
        if self.latency is None:
            return None
        total, steps = 0.0, 0
        parts: list[_BlockLatency] = [] if stage is None else [self._predict_stage(stage)]
        parts += [
            self._block_latency(block) for block in architecture.blocks[0 if stage is None else len(stage.blocks) :]
        ]
        for predicted in parts:
            if predicted.ticks is None:
                return None
            total += predicted.ticks
            steps += predicted.steps
        overhead = self.latency.overhead
        return total + overhead.per_inference + overhead.per_step * steps

    def _predict_block(self, block: Block) -> _BlockLatency:
        return self._predict_schedule(self.schedules.schedule(block))

    def _predict_stage(self, stage: PatchedStage) -> _BlockLatency:
        assert self._stages is not None
        if stage.key not in self._stage_latency:
            self._stage_latency[stage.key] = self._predict_schedule(self._stages.schedule(stage))
        return self._stage_latency[stage.key]

    def _predict_schedule(self, schedule: Schedule) -> _BlockLatency:
        assert self.latency is not None
        values = [step.value for step in self.latency.predict(schedule).steps]
        known = [value for value in values if value is not None]
        return _BlockLatency(sum(known) if len(known) == len(values) else None, len(values))


def latency_limit(limits: LimitsConfig, board: Board, unit: str, *, clock_hz: int | None = None) -> LatencyLimit | None:
    """The configured limit in ticks of `unit`.

    Milliseconds become cycles by the clock, `clock_hz` where the device has reported it, else the board file's; on
    the virtual board, where ticks are instructions, also by the cycles per instruction that the board file declares.

    Raises:
        ConfigError: milliseconds are asked of a board whose cycles per instruction are unknown, or instructions of a
            board that counts cycles.
    """
    if limits.instructions is not None:
        if unit != "instructions":
            raise ConfigError(f"limits.instructions: {board.name} measures {unit}; give limits.latency_ms instead")
        return LatencyLimit(float(limits.instructions), unit)
    if limits.latency_ms is None:
        return None
    cycles = limits.latency_ms * 1e-3 * (board.clock_hz if clock_hz is None else clock_hz)
    if unit == "cycles":
        return LatencyLimit(cycles, unit)
    if board.cycles_per_instruction is None:
        raise ConfigError(
            f"limits.latency_ms: the virtual {board.name} counts instructions and its board file declares no cycles "
            "per instruction; give limits.instructions instead"
        )
    return LatencyLimit(cycles / board.cycles_per_instruction.value, unit)


def _excess(regions: tuple[RegionUsage, ...]) -> float:
    return max((max(0.0, r.used_bytes / max(1, r.available_bytes) - 1.0) for r in regions), default=0.0)
