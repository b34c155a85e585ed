"""The memory model of TensorFlow Lite Micro: what a graph takes of its arena, to the byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tinynas.graph import Graph, Op
from tinynas.memory._greedy import TFLM_ALIGNMENT
from tinynas.memory._live_ranges import bytes_per_step
from tinynas.memory.tflm import _structs as runtime
from tinynas.memory.tflm._arena import Arena, TailItem
from tinynas.memory.tflm._head import (
    ONLINE,
    HeadBuffer,
    head_buffers,
    head_bytes,
    head_lower_bound,
    plan_head,
    time_of,
)
from tinynas.memory.tflm._layout import ARM32, HOST64, Abi, Struct
from tinynas.memory.tflm._tensors import FileTensors, as_written
from tinynas.memory.tflm.operators import OPERATOR_CONSTANT, KernelNeeds, TflmUnsupportedError, tflm_operator

Kernels = Literal["reference", "cmsis-nn"]

CODE_UNKNOWN = "the code of TFLM and its kernels depends on its version, compiler and the operators linked"


@dataclass(frozen=True)
class TflmSram:
    """What a model takes of TFLM's arena.

    Attributes:
        head_bytes: Activations and scratch, as planned.
        tail_bytes: Persistent structures. Head and tail together are what `arena_used_bytes()` reports.
        minimum_arena_bytes: The smallest `tensor_arena` with which `AllocateTensors()` succeeds, start and end aligned
            to 16 bytes. Larger than head and tail together where preparing or planning the model takes more
            for a moment than running it, as in very small networks.
        head_lower_bound_bytes: The most bytes of activations and scratch alive at any time.
        items: The tail, allocation by allocation, each with the operator that causes it.
        live_bytes: Bytes of activations and scratch alive during each operator.
        scratch_bytes: Bytes of scratch of each operator.
    """

    head_bytes: int
    tail_bytes: int
    minimum_arena_bytes: int
    head_lower_bound_bytes: int
    items: tuple[TailItem, ...]
    live_bytes: tuple[int, ...]
    scratch_bytes: tuple[int, ...]

    @property
    def total_bytes(self) -> int:
        return self.head_bytes + self.tail_bytes


@dataclass(frozen=True)
class TflmPlan:
    """Where everything lies in the head. An operator may have several scratch buffers.

    Attributes:
        offsets: Tensor of the graph -> byte offset.
        scratch_offsets: Operator -> byte offsets of its scratch buffers, in the order of its requests.
        head_bytes: What the plan takes.
        lower_bound_bytes: No plan takes less.
    """

    offsets: Mapping[int, int]
    scratch_offsets: Mapping[int, tuple[int, ...]]
    head_bytes: int
    lower_bound_bytes: int


@dataclass(frozen=True)
class TflmFlash:
    """What a model takes of flash.

    Attributes:
        weights_bytes: Of the constants that operators read.
        file_bytes: The whole model file, which TFLM reads in place; None where no file was given.
        code_bytes: None: not modelled.
        reason: Why it is not.
    """

    weights_bytes: int
    file_bytes: int | None
    code_bytes: None = None
    reason: str = CODE_UNKNOWN


class TflmMemoryModel:
    """TFLM's memory, as a function of the `Graph`: TFLM has no schedule, it runs the operators of the file in order.

    With 8-byte pointers this is TFLM as the `tflite-micro` wheel builds it: with its recording allocator, which is
    larger, and with support for compressed tensors. With 4-byte pointers it is TFLM as a firmware builds it
    for bare-metal Arm: the plain `MicroInterpreter(model, resolver, arena, size)`, no compression, short enumerations.

    Args:
        pointer_bytes: 8 for the wheel on a 64-bit host, 4 for 32-bit Arm.
        kernels: "reference", or "cmsis-nn" on a core with the DSP extension and without Helium.
    """

    def __init__(self, pointer_bytes: Literal[4, 8] = 4, kernels: Kernels = "reference") -> None:
        if pointer_bytes not in (4, 8):
            raise ValueError(f"pointers have 4 or 8 bytes, not {pointer_bytes}")
        if kernels not in ("reference", "cmsis-nn"):
            raise ValueError(f"kernels are 'reference' or 'cmsis-nn', not {kernels!r}")
        self.pointer_bytes = pointer_bytes
        self.kernels = kernels
        self._abi: Abi = HOST64 if pointer_bytes == 8 else ARM32
        self._is_wheel = pointer_bytes == 8

    def sram(self, graph: Graph, tensors: FileTensors | None = None, offline: Sequence[int] | None = None) -> TflmSram:
        """The arena of a model.

        Args:
            graph: The network; weights and quantization parameters may be absent.
            tensors: The tensors of its file; None for those that `write_tflite` writes.
            offline: The offline plan in the file, one offset or -1 per tensor of the file; None for none.

        Raises:
            TflmUnsupportedError: TFLM refuses the network or the offline plan.
        """
        if tensors is None:
            graph, tensors = as_written(graph)
        _check_offline(offline, tensors)
        needs = self.kernel_needs(graph)
        buffers = head_buffers(graph, needs, tensors)
        head = head_bytes(buffers, plan_head(buffers, offline))
        arena = self._replay(graph, needs, tensors, buffers, head)
        alive = bytes_per_step([b.range for b in buffers])
        return TflmSram(
            head_bytes=head,
            tail_bytes=arena.tail_bytes,
            minimum_arena_bytes=arena.required_bytes,
            head_lower_bound_bytes=head_lower_bound(buffers),
            items=tuple(arena.items),
            live_bytes=tuple(alive[time_of(op)] for op in range(len(graph.ops))),
            scratch_bytes=tuple(sum(kernel.scratch_bytes) for kernel in needs),
        )

    def plan(self, graph: Graph, tensors: FileTensors | None = None, offline: Sequence[int] | None = None) -> TflmPlan:
        """Where TFLM puts activations and scratch. Arguments and errors are those of `sram`."""
        if tensors is None:
            graph, tensors = as_written(graph)
        _check_offline(offline, tensors)
        buffers = head_buffers(graph, self.kernel_needs(graph), tensors)
        offsets = plan_head(buffers, offline)
        scratch: dict[int, tuple[int, ...]] = {}
        for buffer, offset in zip(buffers, offsets, strict=True):
            if buffer.op is not None:
                scratch[buffer.op] = (*scratch.get(buffer.op, ()), offset)
        return TflmPlan(
            {b.tensor: offset for b, offset in zip(buffers, offsets, strict=True) if b.tensor is not None},
            scratch,
            head_bytes(buffers, offsets),
            head_lower_bound(buffers),
        )

    def flash(self, graph: Graph, file_bytes: int | None = None) -> TflmFlash:
        """The flash of a model, code aside. `file_bytes` is the size of its file, where there is one."""
        return TflmFlash(sum(t.size_bytes for _, t in graph.constants()), file_bytes)

    def kernel_needs(self, graph: Graph) -> list[KernelNeeds]:
        """What the kernel of each operator asks of the arena."""
        return [self._kernel_needs(graph, op) for op in graph.ops]

    def _kernel_needs(self, graph: Graph, op: Op) -> KernelNeeds:
        operator = tflm_operator(op)
        if self.kernels == "cmsis-nn" and operator.cmsis_nn is not None:
            return operator.cmsis_nn(graph, op)
        return operator.reference(graph, op)

    def _replay(
        self,
        graph: Graph,
        needs: Sequence[KernelNeeds],
        tensors: FileTensors,
        buffers: Sequence[HeadBuffer],
        head: int,
    ) -> Arena:
        """`MicroAllocator::Create` and `MicroInterpreter::AllocateTensors`, allocation by allocation."""
        arena = Arena()
        self._start(arena, graph, tensors)
        for i, op in enumerate(graph.ops):
            if (parameters := tflm_operator(op).parameters) is not None:
                self._persist(arena, parameters, op=i)
        for i, kernel in enumerate(needs):
            if kernel.data is not None:
                arena.persist(kernel.data.name, self._layout(kernel.data)[0], TFLM_ALIGNMENT, i)
        self._prepare(arena, graph, needs, tensors)
        self._plan_in_arena(arena, tensors, buffers)
        arena.resize_head(head)
        self._interface(arena, graph, tensors)
        return arena

    def _start(self, arena: Arena, graph: Graph, tensors: FileTensors) -> None:
        self._persist(arena, runtime.RECORDING_BUFFER_ALLOCATOR if self._is_wheel else runtime.BUFFER_ALLOCATOR)
        self._persist(arena, runtime.GREEDY_PLANNER)
        self._persist(arena, runtime.RECORDING_MICRO_ALLOCATOR if self._is_wheel else runtime.MICRO_ALLOCATOR)
        self._persist(arena, runtime.BUILTIN_DATA_ALLOCATOR)
        arena.resize_head(self._request_bytes(0))
        self._persist(arena, runtime.SUBGRAPH_ALLOCATIONS)
        self._persist(arena, runtime.EVAL_TENSOR, count=len(tensors.graph_tensors))
        self._persist(arena, runtime.NODE_AND_REGISTRATION, count=len(graph.ops))

    def _prepare(self, arena: Arena, graph: Graph, needs: Sequence[KernelNeeds], tensors: FileTensors) -> None:
        scales = {t: n for t, n in zip(tensors.graph_tensors, tensors.scales, strict=True) if t is not None}
        scales[OPERATOR_CONSTANT] = 0
        requests = 0
        for i, kernel in enumerate(needs):
            for what, size in kernel.persistent_bytes:
                arena.persist(what, size, TFLM_ALIGNMENT, i)
            for tensor in kernel.looks_at:
                arena.allocate_temporary(*self._layout(runtime.TENSOR))
                if scales[tensor]:
                    arena.allocate_temporary(*self._layout(runtime.AFFINE_QUANTIZATION))
                    arena.allocate_temporary(*_int_array(scales[tensor]))
            arena.drop_temporaries()
            requests += len(kernel.scratch_bytes)
            arena.resize_head(self._request_bytes(requests))
        if requests:
            self._persist(arena, runtime.SCRATCH_HANDLE, count=requests)

    def _plan_in_arena(self, arena: Arena, tensors: FileTensors, buffers: Sequence[HeadBuffer]) -> None:
        """`CommitStaticMemoryPlan`: the planner works in what is left of the arena."""
        scratch = sum(b.op is not None for b in buffers)
        arena.allocate_temporary(self._abi.pointer_bytes, self._abi.pointer_bytes)  # offset of the one subgraph
        size, alignment = self._layout(runtime.ALLOCATION_INFO)
        arena.allocate_temporary(size * (len(tensors.graph_tensors) + scratch), alignment)
        arena.allocate_planner(runtime.PLANNER_BYTES_PER_BUFFER * len(buffers))

    def _interface(self, arena: Arena, graph: Graph, tensors: FileTensors) -> None:
        scales = {t: n for t, n in zip(tensors.graph_tensors, tensors.scales, strict=True) if t is not None}
        for what, interface in (("inputs", graph.inputs), ("outputs", graph.outputs)):
            arena.persist(f"pointers to the {what}", self._abi.pointer_bytes * len(interface), TFLM_ALIGNMENT)
            for tensor in interface:
                self._persist(arena, runtime.TENSOR)
                if scales[tensor]:
                    self._persist(arena, runtime.AFFINE_QUANTIZATION)
                    size, alignment = _int_array(scales[tensor])
                    arena.persist("zero points", size, alignment)

    def _persist(self, arena: Arena, struct: Struct, count: int = 1, op: int | None = None) -> None:
        size, alignment = self._layout(struct)
        arena.persist(struct.name, size * count, alignment, op)

    def _layout(self, struct: Struct) -> tuple[int, int]:
        return struct.layout(self._abi, compression=self._is_wheel)

    def _request_bytes(self, requests: int) -> int:
        return self._layout(runtime.SCRATCH_REQUEST)[0] * (requests + runtime.SCRATCH_REQUESTS_PER_OP)


def _check_offline(offline: Sequence[int] | None, tensors: FileTensors) -> None:
    """TFLM refuses a plan for another number of tensors; a negative offset would lie in front of the arena."""
    if offline is None:
        return
    if len(offline) != len(tensors.graph_tensors):
        raise TflmUnsupportedError(
            f"the offline plan has {len(offline)} offsets and the file {len(tensors.graph_tensors)} tensors: "
            "plan the file again"
        )
    if min(offline, default=ONLINE) < ONLINE:
        raise TflmUnsupportedError(f"the offline plan has the offset {min(offline)}: plan the file again")


def _int_array(count: int) -> tuple[int, int]:
    """Size and alignment of a TfLiteIntArray (c/common.h): its length and its values."""
    return 4 * (1 + count), 4
