"""A better plan of TFLM's head, to be stored in the model file: TFLM honours it instead of its greedy one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinynas.graph import Graph
from tinynas.memory._live_ranges import LiveRange
from tinynas.memory._search_planner import plan_search
from tinynas.memory.tflm._head import ONLINE, HeadBuffer, head_buffers, head_bytes, head_lower_bound, plan_head
from tinynas.memory.tflm._model import TflmMemoryModel
from tinynas.memory.tflm._tensors import FileTensors, as_written


@dataclass(frozen=True)
class OfflinePlan:
    """Offsets for the tensors of a model file.

    Attributes:
        offsets: One per tensor of the file, in bytes; -1 for constants, which have no place in the arena.
        head_bytes: The head with this plan, with the scratch buffers where TFLM will put them.
        online_head_bytes: The head as TFLM plans it without.
        lower_bound_bytes: No plan takes less.
    """

    offsets: tuple[int, ...]
    head_bytes: int
    online_head_bytes: int
    lower_bound_bytes: int

    @property
    def saved_bytes(self) -> int:
        """What the arena shrinks by; 0 where TFLM's own plan is as good, and storing this one only costs flash."""
        return self.online_head_bytes - self.head_bytes


def offline_plan(graph: Graph, model: TflmMemoryModel | None = None, tensors: FileTensors | None = None) -> OfflinePlan:
    """Plan the head of a model as small as the search finds it, never larger than TFLM would.

    Scratch buffers cannot be planned offline: TFLM puts them, by size, into the lowest gaps that the tensors leave
    (`AllocationInfoBuilder::InitializeAllocationInfo`, micro_allocation_info.cc). So every candidate is completed by
    TFLM's own rules before it is compared. Candidates are the searched plan of tensors and scratch, the same with the
    scratch of each operator kept together, the searched plan of the tensors alone, and TFLM's own.

    Args:
        graph: The network.
        model: The kernels that will run it, whose scratch differs; None for the reference kernels.
        tensors: The tensors of its file; None for those that `write_tflite` writes.

    Raises:
        TflmUnsupportedError: TFLM refuses the network.
    """
    model = TflmMemoryModel() if model is None else model
    if tensors is None:
        graph, tensors = as_written(graph)
    buffers = head_buffers(graph, model.kernel_needs(graph), tensors)
    count = len(tensors.graph_tensors)
    bound = head_lower_bound(buffers)
    online = plan_head(buffers)
    online_head = head_bytes(buffers, online)
    best, best_head = _by_file_tensor(buffers, online, count), online_head
    for ranges in (_separate(buffers), _scratch_joined(buffers), _tensors_alone(buffers)):
        if best_head == bound:
            break
        offsets = _by_file_tensor(buffers, plan_search(ranges)[0], count)
        head = head_bytes(buffers, plan_head(buffers, offsets))
        if head < best_head:
            best, best_head = offsets, head
    return OfflinePlan(best, best_head, online_head, bound)


def _by_file_tensor(buffers: Sequence[HeadBuffer], offsets: Sequence[int], count: int) -> tuple[int, ...]:
    """Offsets of the buffers that are tensors (they come first), by their index in the file."""
    result = [ONLINE] * count
    for buffer, offset in zip(buffers, offsets, strict=False):
        if buffer.file_tensor is not None:
            result[buffer.file_tensor] = offset
    return tuple(result)


def _separate(buffers: Sequence[HeadBuffer]) -> list[LiveRange]:
    return [b.range for b in buffers]


def _tensors_alone(buffers: Sequence[HeadBuffer]) -> list[LiveRange]:
    return [b.range for b in buffers if b.op is None]


def _scratch_joined(buffers: Sequence[HeadBuffer]) -> list[LiveRange]:
    """The scratch of each operator as one range, so that the search finds one gap for all of it."""
    joined: dict[int, int] = {}
    for b in buffers:
        if b.op is not None:
            joined[b.range.start] = joined.get(b.range.start, 0) + b.range.size_bytes
    return [*_tensors_alone(buffers), *(LiveRange(t, t, size) for t, size in joined.items())]
