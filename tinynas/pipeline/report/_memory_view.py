"""What `tinynas inspect` and the report say and draw about the arena."""

from __future__ import annotations

from typing import Any

from tinynas.graph import Graph, short_name
from tinynas.latency import LatencyModel
from tinynas.lowering import Schedule
from tinynas.memory import MemoryPlan, Ticks, advise
from tinynas.pipeline.report import _figures


def memory_advice(graph: Graph, schedule: Schedule, latency: LatencyModel | None) -> dict[str, Any]:
    """The step where the arena of our engine peaks, and what lowers or would lower it, largest gain first."""
    advice = advise(graph, schedule) if latency is None else advise(graph, schedule, ticks=_ticks(latency))
    options = [
        {
            "kind": option.kind,
            "applied": option.applied,
            "arena_bytes": option.arena_bytes,
            "saved_bytes": option.saved_bytes,
            "extra_macs": option.extra_macs,
            "extra_ticks": option.extra_ticks,
            "how": option.how,
        }
        for option in sorted(advice.options, key=lambda option: -option.saved_bytes)
    ]
    peak = {"index": advice.peak_step, "name": advice.peak_name, "live_bytes": advice.peak_bytes}
    return {"peak": peak, "options": options}


def _ticks(latency: LatencyModel) -> Ticks:
    return Ticks(lambda schedule: latency.predict(schedule).total, latency.unit)


def arena_timeline(schedule: Schedule, plan: MemoryPlan, available_bytes: int) -> str:
    """The arena over the steps of one inference, as SVG: who occupies which bytes when."""
    blocks = [
        _figures.Block(
            schedule.graph.tensor(buffer.tensors[0]).name,
            buffer.first_step,
            buffer.last_step,
            plan.offsets[buffer.index],
            buffer.size_bytes,
        )
        for buffer in schedule.buffers
    ]
    blocks += [
        _figures.Block(
            f"scratch of {step.name}",
            step.index,
            step.index,
            plan.scratch_offsets[step.index],
            step.scratch_bytes,
            scratch=True,
        )
        for step in schedule.steps
        if step.scratch_bytes
    ]
    return _figures.memory_timeline(
        blocks, plan.arena_bytes, available_bytes, [short_name(step.name) for step in schedule.steps]
    )
