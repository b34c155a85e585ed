"""What `tinynas inspect` and the report say and draw about the arena."""

from __future__ import annotations

from typing import Any

from tinynas.graph import Graph, short_name
from tinynas.latency import LatencyModel
from tinynas.lowering import Buffer, Schedule, Step, Stream
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
    return Ticks(lambda schedule: latency.predict(schedule).total, latency.unit, latency.kernel_ticks)


def arena_timeline(schedule: Schedule, plan: MemoryPlan, available_bytes: int) -> str:
    """The arena over the steps of one inference, as SVG: who occupies which bytes when."""
    blocks = [block for buffer in schedule.buffers for block in _of_buffer(schedule, plan, buffer)]
    for step in schedule.steps:
        if step.stream is not None:
            blocks += _of_segment(schedule, plan, step, step.stream)
        elif step.scratch_bytes:
            name, offset = f"scratch of {step.name}", plan.scratch_offsets[step.index]
            blocks.append(_figures.Block(name, step.index, step.index, offset, step.scratch_bytes, scratch=True))
    return _figures.memory_timeline(
        blocks, plan.arena_bytes, available_bytes, [short_name(step.name) for step in schedule.steps]
    )


def _of_buffer(schedule: Schedule, plan: MemoryPlan, buffer: Buffer) -> list[_figures.Block]:
    """A buffer over time. The output of a streamed segment grows elsewhere, and is then moved to its place."""
    name, first = schedule.graph.tensor(buffer.tensors[0]).name, buffer.first_step
    blocks = []
    growing = next((s for s in schedule.steps if s.stream is not None and s.output_buffer == buffer.index), None)
    if growing is not None and growing.index in plan.streamed_offsets:  # else it grows in its place
        offset = plan.streamed_offsets[growing.index]
        blocks.append(_figures.Block(name, growing.index, growing.index, offset, buffer.size_bytes))
        first = growing.index + 1
    if first <= buffer.last_step:
        blocks.append(_figures.Block(name, first, buffer.last_step, plan.offsets[buffer.index], buffer.size_bytes))
    return blocks


def _of_segment(schedule: Schedule, plan: MemoryPlan, step: Step, stream: Stream) -> list[_figures.Block]:
    """The windows of a streamed segment, and what its kernels have beside them."""
    start = plan.scratch_offsets[step.index]
    windows = [(layer.step.output, layer.window_rows, layer.window_offset) for layer in stream.layers[:-1]]
    if stream.input_window_rows:
        windows.append((step.inputs[0], stream.input_window_rows, 0))
    blocks = []
    for t, rows, offset in windows:
        tensor = schedule.graph.tensor(t)
        size = rows * tensor.shape[2] * tensor.shape[3]
        blocks.append(_figures.Block(f"{rows} rows of {tensor.name}", step.index, step.index, start + offset, size))
    summing = stream.layers[-1]
    if summing.sums_offset is not None:
        offset, size = start + summing.sums_offset, stream.states_offset - summing.sums_offset
        name = f"sums of {schedule.graph.tensor(summing.step.output).name}"
        blocks.append(_figures.Block(name, step.index, step.index, offset, size, scratch=True))
    rest = step.scratch_bytes - stream.states_offset
    name = f"state and scratch of {step.name}"
    blocks.append(_figures.Block(name, step.index, step.index, start + stream.states_offset, rest, scratch=True))
    return blocks
