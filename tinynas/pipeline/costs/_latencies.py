"""Predicted latencies of what networks consist of, each looked at once: blocks, stages in patches, parts row by row."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import partial

from tinynas.latency import LatencyModel
from tinynas.lowering import Schedule
from tinynas.pipeline.costs._block_schedules import BlockSchedules
from tinynas.pipeline.costs._patched_stages import PatchedStage, PatchedStages
from tinynas.pipeline.costs._streamed_blocks import StreamedBlocks, StreamedPart
from tinynas.spaces import Block, cached_by_signature


@dataclass(frozen=True)
class Latency:
    """Ticks of some steps (None: a kernel was never measured), and their number."""

    ticks: float | None
    steps: int


class Latencies:
    """Latencies under one model, which add up.

    Args:
        model: predicts ticks.
    """

    def __init__(self, model: LatencyModel) -> None:
        self._model = model
        self._blocks: dict[BlockSchedules, Callable[[Block], Latency]] = {}
        self._others: dict[Hashable, Latency] = {}

    def total(self, parts: Iterable[Latency]) -> float | None:
        """Ticks of an inference that consists of these parts."""
        total, steps = 0.0, 0
        for part in parts:
            if part.ticks is None:
                return None
            total += part.ticks
            steps += part.steps
        overhead = self._model.overhead
        return total + overhead.per_inference + overhead.per_step * steps

    def of_block(self, blocks: BlockSchedules, block: Block) -> Latency:
        """Of a block as a whole."""
        if blocks not in self._blocks:
            self._blocks[blocks] = cached_by_signature(partial(self._of_block, blocks))
        return self._blocks[blocks](block)

    def of_stage(self, blocks: BlockSchedules, stages: PatchedStages, stage: PatchedStage) -> Latency:
        """Of the first blocks in patches."""
        return self._once((blocks, stage.key), lambda: stages.schedule(stage))

    def of_part(self, streamed: StreamedBlocks, part: StreamedPart) -> Latency:
        """Of blocks of which parts run row by row."""
        return self._once((streamed, part.key), lambda: streamed.schedule(part))

    def _once(self, key: Hashable, schedule: Callable[[], Schedule]) -> Latency:
        if key not in self._others:
            self._others[key] = self._of(schedule())
        return self._others[key]

    def _of_block(self, blocks: BlockSchedules, block: Block) -> Latency:
        return self._of(blocks.schedule(block))

    def _of(self, schedule: Schedule) -> Latency:
        values = [step.value for step in self._model.predict(schedule).steps]
        known = [value for value in values if value is not None]
        return Latency(sum(known) if len(known) == len(values) else None, len(values))
