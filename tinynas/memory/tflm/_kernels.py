"""What each of TFLM's reference kernels asks of the arena: a function of the operator and its tensors.

A kernel's `Init` allocates its data, its `Prepare` allocates more persistent buffers, requests scratch buffers, and
looks at tensors, each for as long as `Prepare` runs. Paths are below `tensorflow/lite/micro/kernels` of tflite-micro.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tinynas.errors import ModelError
from tinynas.graph import ConcatenationAttributes, DType, Graph, MeanAttributes, Op, OpKind
from tinynas.memory.tflm import _kernel_structs as structs
from tinynas.memory.tflm._layout import Struct

INDEX_BYTES = 4
"""Of the `int` and `int32_t` that kernels count and accumulate with."""

OPERATOR_CONSTANT = -2
"""Stands for the tensor that holds an operator's constant (paddings, axes, size, permutation): not in the graph."""


class TflmUnsupportedError(ModelError):
    """A network that TFLM refuses to prepare."""


@dataclass(frozen=True)
class KernelNeeds:
    """What one kernel takes of the arena.

    Attributes:
        data: The structure that `Init` allocates in the tail, or None.
        persistent_bytes: Buffers that `Prepare` allocates in the tail, in order, each with what it holds.
        scratch_bytes: Scratch buffers that `Prepare` requests in the head, in order.
        looks_at: Tensors that `Prepare` looks at, in order. Each takes a TfLiteTensor with its quantization in the
            head until the kernel is prepared.
    """

    data: Struct | None
    persistent_bytes: tuple[tuple[str, int], ...] = ()
    scratch_bytes: tuple[int, ...] = ()
    looks_at: tuple[int, ...] = ()


def per_channel(channels: int) -> tuple[tuple[str, int], ...]:
    """The multiplier and shift of each output channel (`PopulateConvolutionQuantizationParams`)."""
    return (
        ("per-channel multipliers", channels * INDEX_BYTES),
        ("per-channel shifts", channels * INDEX_BYTES),
    )


def weights_and_bias(op: Op) -> tuple[int, ...]:
    """The weights and, if there is one, the bias of an operator that has them."""
    return tuple(t for t in op.inputs[1:] if t >= 0)


def _convolution(graph: Graph, op: Op) -> KernelNeeds:
    # conv_common.cc and depthwise_conv_common.cc: `Prepare` looks at output, input and filter, and then calls
    # `CalculateOpData*`, which looks at all of them again. The channels are the filter's first dimension, or its last.
    x, y, filter_shape = op.inputs[0], op.outputs[0], graph.tensors[op.inputs[1]].shape
    channels = filter_shape[0 if op.kind is OpKind.CONV_2D else 3]
    looks_at = (y, x, op.inputs[1], x, *weights_and_bias(op), y)
    return KernelNeeds(structs.CONV_DATA, per_channel(channels), (), looks_at)


def _fully_connected(graph: Graph, op: Op) -> KernelNeeds:
    # fully_connected_common.cc: multipliers per channel only where the weights have several scales.
    quantization = graph.tensors[op.inputs[1]].quantization
    channels = len(quantization.scales) if quantization is not None and quantization.per_channel else 0
    looks_at = (op.inputs[0], *weights_and_bias(op), op.outputs[0])
    return KernelNeeds(structs.FULLY_CONNECTED_DATA, per_channel(channels) if channels else (), (), looks_at)


def _mean(graph: Graph, op: Op) -> KernelNeeds:
    # reduce_common.cc, PrepareMeanOrSumHelper and PrepareSimple: sums (of integers only), a counter per dimension,
    # and the resolved axes.
    x, y = op.inputs[0], op.outputs[0]
    assert isinstance(op.attributes, MeanAttributes)
    sums = (graph.tensors[y].elements * INDEX_BYTES,) if graph.tensors[x].dtype is DType.INT8 else ()
    counters = len(graph.tensors[x].shape) * INDEX_BYTES
    axes = len(op.attributes.axes) * INDEX_BYTES
    looks_at = (x, y, OPERATOR_CONSTANT, x, OPERATOR_CONSTANT, y)
    return KernelNeeds(structs.REDUCE_DATA, (), (*sums, counters, axes), looks_at)


def _concatenation(graph: Graph, op: Op) -> KernelNeeds:
    # concatenation.cc: looks at the first input and the output, then at every input.
    assert isinstance(op.attributes, ConcatenationAttributes)
    if len(op.inputs) > structs.CONCATENATION_MAX_INPUTS:
        raise TflmUnsupportedError(
            f"CONCATENATION {op.name!r} has {len(op.inputs)} inputs, TFLM takes at most "
            f"{structs.CONCATENATION_MAX_INPUTS}; concatenate in two steps"
        )
    return KernelNeeds(structs.CONCATENATION_DATA, looks_at=(op.inputs[0], op.outputs[0], *op.inputs))


def _simple(data: Struct | None, constants: int = 0) -> Callable[[Graph, Op], KernelNeeds]:
    """A kernel that only looks at its inputs (`constants`: more of them, not in the graph) and its output."""

    def needs(graph: Graph, op: Op) -> KernelNeeds:
        inputs = (*op.inputs, *(OPERATOR_CONSTANT,) * constants)
        return KernelNeeds(data, looks_at=(*inputs, op.outputs[0]))

    return needs


REFERENCE: Mapping[OpKind, Callable[[Graph, Op], KernelNeeds]] = {
    OpKind.CONV_2D: _convolution,
    OpKind.DEPTHWISE_CONV_2D: _convolution,
    OpKind.FULLY_CONNECTED: _fully_connected,
    OpKind.AVERAGE_POOL_2D: _simple(structs.POOLING_DATA),
    OpKind.MAX_POOL_2D: _simple(structs.POOLING_DATA),
    OpKind.ADD: _simple(structs.ADD_DATA),
    OpKind.MUL: _simple(structs.MUL_DATA),
    OpKind.CONCATENATION: _concatenation,
    OpKind.PAD: _simple(structs.PAD_DATA, constants=1),
    OpKind.MEAN: _mean,
    OpKind.SOFTMAX: _simple(structs.SOFTMAX_DATA),
    # RESHAPE never looks at its second input, RESIZE_NEAREST_NEIGHBOR and TRANSPOSE do; none of them keeps data.
    OpKind.RESHAPE: _simple(None),
    OpKind.QUANTIZE: _simple(structs.QUANTIZE_DATA),
    OpKind.DEQUANTIZE: _simple(structs.DEQUANTIZE_DATA),
    OpKind.RESIZE_NEAREST_NEIGHBOR: _simple(None, constants=1),
    OpKind.TRANSPOSE: _simple(None, constants=1),
    OpKind.EXPAND_DIMS: _simple(None, constants=1),
    OpKind.SQUEEZE: _simple(None),
    OpKind.SHAPE: lambda graph, op: KernelNeeds(None),
    OpKind.STRIDED_SLICE: _simple(structs.STRIDED_SLICE_DATA, constants=3),
    OpKind.PACK: _simple(None),
}
