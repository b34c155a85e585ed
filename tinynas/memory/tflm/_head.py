"""The head of TFLM's arena: activations and scratch, with TFLM's live ranges and its greedy planner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinynas.graph import Graph
from tinynas.memory._greedy import TFLM_ALIGNMENT, extent, first_fit
from tinynas.memory._live_ranges import LiveRange, align, lower_bound
from tinynas.memory.tflm._tensors import FileTensors
from tinynas.memory.tflm.operators import KernelNeeds

ONLINE = -1
"""`kOnlinePlannedBuffer`: TFLM finds a place itself."""


@dataclass(frozen=True)
class HeadBuffer:
    """A buffer of the head: a tensor, or scratch of an operator.

    Attributes:
        range: When it is alive, and its bytes rounded up to 16. Time 0 is before the network (tensors that nothing
            uses), 1 the start (the network's inputs), operator i runs at i + 2. TFLM counts from -1.
        file_tensor: Index of the tensor in the file, or None for scratch.
        tensor: Index of the tensor in the graph, or None for scratch and for a tensor that the graph does not hold.
        op: Index of the operator that requested the scratch, or None for a tensor.
    """

    range: LiveRange
    file_tensor: int | None
    tensor: int | None
    op: int | None


def time_of(op: int) -> int:
    """When an operator runs, on the time scale of `HeadBuffer.range`."""
    return op + 2


def head_buffers(graph: Graph, needs: Sequence[KernelNeeds], tensors: FileTensors) -> list[HeadBuffer]:
    """The buffers that TFLM plans, in its order: tensors by index, then scratch in the order of requests.

    The rules are those of `AllocationInfoBuilder::MarkAllocationLifetimes` (micro_allocation_info.cc): a tensor lives
    from the operator that writes it (an input from the start) to the last one that reads it, an output to the end of
    the network, scratch during its operator.
    """
    end = time_of(len(graph.ops) - 1)
    last_read = {t: time_of(readers[-1]) for t, readers in graph.consumers.items()}
    outputs = set(graph.outputs)
    buffers = []
    for file_tensor, (t, idle_bytes) in enumerate(zip(tensors.graph_tensors, tensors.idle_bytes, strict=True)):
        if t is None:
            if idle_bytes:
                buffers.append(HeadBuffer(LiveRange(0, 0, _aligned(idle_bytes)), file_tensor, None, None))
        elif not graph.tensors[t].constant:
            start = time_of(graph.producers[t]) if t in graph.producers else 1
            last = end if t in outputs else max(start, last_read.get(t, start))
            size = _aligned(graph.tensors[t].size_bytes)
            buffers.append(HeadBuffer(LiveRange(start, last, size), file_tensor, t, None))
    for op, kernel in enumerate(needs):
        for size in kernel.scratch_bytes:
            buffers.append(HeadBuffer(LiveRange(time_of(op), time_of(op), _aligned(size)), None, None, op))
    return buffers


def plan_head(buffers: Sequence[HeadBuffer], offline: Sequence[int] | None = None) -> list[int]:
    """Plan as TFLM does: `GreedyMemoryPlanner::CalculateOffsetsIfNeeded` (memory_planner/greedy_memory_planner.cc).

    Buffers with an offline offset come first and stay there. The others follow by size, descending, and of equal
    sizes the one that was added last comes first, because they are collected from the back before a stable sort. Each
    goes to the lowest gap among those that are alive together with it.

    Args:
        buffers: What to place, in TFLM's order.
        offline: An offset or `ONLINE` per tensor of the file; None for none.

    Returns:
        The byte offset of each buffer.
    """
    offsets = [ONLINE if offline is None or b.file_tensor is None else offline[b.file_tensor] for b in buffers]
    placed = [i for i, offset in enumerate(offsets) if offset != ONLINE]
    online = [i for i, offset in enumerate(offsets) if offset == ONLINE]
    for i in sorted(online, key=lambda i: (-buffers[i].range.size_bytes, -i)):
        beside = [
            (offsets[j], buffers[j].range.size_bytes) for j in placed if buffers[j].range.overlaps(buffers[i].range)
        ]
        offsets[i] = first_fit(beside, buffers[i].range.size_bytes)
        placed.append(i)
    return offsets


def head_bytes(buffers: Sequence[HeadBuffer], offsets: Sequence[int]) -> int:
    """What a plan takes."""
    return extent([b.range for b in buffers], offsets)


def head_lower_bound(buffers: Sequence[HeadBuffer]) -> int:
    """The most bytes alive at any time: no plan takes less."""
    return lower_bound([b.range for b in buffers])


def _aligned(size_bytes: int) -> int:
    return align(size_bytes, TFLM_ALIGNMENT)
