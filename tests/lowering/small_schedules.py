"""What the tests of lowering build small networks with, and see of their schedules."""

from __future__ import annotations

from tinynas.graph import DType, GraphBuilder
from tinynas.lowering import Schedule


def builder() -> GraphBuilder:
    return GraphBuilder("network", DType.INT8)


def sharing(schedule: Schedule) -> list[set[str]]:
    """Names of the tensors of each buffer that holds more than one."""
    tensors = schedule.graph.tensors
    return [{tensors[t].name for t in buffer.tensors} for buffer in schedule.buffers if len(buffer.tensors) > 1]


def variants(schedule: Schedule) -> list[str]:
    return [step.variant for step in schedule.steps]
