"""What TFLM's CMSIS-NN kernels ask of the arena where they differ from the reference kernels.

For a core with the DSP extension and without Helium (Cortex-M4, M7, M33), built with gcc or clang for speed. Wrapper
kernels are below `tensorflow/lite/micro/kernels/cmsis_nn` of tflite-micro, formulas in CMSIS-NN's `Source`, in the
`*_get_buffer_size*` functions named here. The other operators use the reference kernels, or the data of those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tinynas.graph import (
    Conv2DAttributes,
    DepthwiseConv2DAttributes,
    DType,
    Graph,
    Op,
    OpKind,
    window_padding,
)
from tinynas.memory._live_ranges import align
from tinynas.memory.tflm import _kernel_structs as structs
from tinynas.memory.tflm._kernels import REFERENCE, KernelNeeds, per_channel, weights_and_bias
from tinynas.memory.tflm._layout import Array, Scalar, Struct

_BUFFER_INDEX = {"buffer_idx": Scalar.INT32}

CONV_DATA = Struct("OpData", "kernels/cmsis_nn/conv.cc", {"reference_op_data": structs.CONV_DATA, **_BUFFER_INDEX})

POOLING_DATA = Struct(
    "OpData", "kernels/cmsis_nn/pooling.cc", {"reference_op_data": structs.POOLING_DATA, **_BUFFER_INDEX}
)

FULLY_CONNECTED_DATA = Struct(
    "OpData",
    "kernels/cmsis_nn/fully_connected.cc",
    {
        "reference_op_data": structs.FULLY_CONNECTED_DATA,
        "per_channel_output_multiplier": Scalar.POINTER,
        "per_channel_output_shift": Scalar.POINTER,
        **_BUFFER_INDEX,
        "kernel_sums": Scalar.POINTER,
        "batches, accum_depth, output_depth": Array(Scalar.INT32, 3),
    },
)

SOFTMAX_DATA = Struct(
    "CMSISNNSoftmaxParams",
    "kernels/cmsis_nn/softmax.cc",
    {"softmax_params": structs.SOFTMAX_DATA, "num_rows, row_size": Array(Scalar.INT32, 2)},
)


def _is_int8(graph: Graph, op: Op) -> bool:
    return graph.tensors[op.inputs[0]].dtype is DType.INT8


def _convolution(graph: Graph, op: Op) -> KernelNeeds:
    # conv.cc: looks at input, filter, output and bias, then `CalculateOpDataConv` at all four again.
    attributes = op.attributes
    assert isinstance(attributes, Conv2DAttributes)
    x, filter_index, y = op.inputs[0], op.inputs[1], op.outputs[0]
    inputs = weights_and_bias(op)
    looks_at = (x, filter_index, y, *inputs[1:], x, *inputs, y)
    if not _is_int8(graph, op):
        return KernelNeeds(CONV_DATA, looks_at=looks_at)
    out_channels, kernel_h, kernel_w, filter_channels = graph.tensors[filter_index].shape
    in_channels = graph.tensors[x].shape[3]
    padding = _padding_before(graph, op)
    pointwise = (
        (kernel_h, kernel_w) == (1, 1)
        and padding == (0, 0)
        and attributes.dilation == (1, 1)
        and in_channels == filter_channels
    )
    # arm_convolve_wrapper_s8_get_buffer_size_dsp: nothing for a 1x1 convolution (only armclang's fast one takes two
    # columns), else two columns of int16, each rounded up to four values (arm_convolve_s8_get_buffer_size).
    scratch = 0 if pointwise else 2 * align(kernel_h * kernel_w * in_channels, 4) * 2
    return KernelNeeds(CONV_DATA, per_channel(out_channels), (scratch,) if scratch else (), looks_at)


def _depthwise_convolution(graph: Graph, op: Op) -> KernelNeeds:
    # depthwise_conv.cc: looks at input, filter and output, then `CalculateOpDataDepthwiseConv` at all again.
    attributes = op.attributes
    assert isinstance(attributes, DepthwiseConv2DAttributes)
    x, filter_index, y = op.inputs[0], op.inputs[1], op.outputs[0]
    looks_at = (x, filter_index, y, x, *weights_and_bias(op), y)
    if not _is_int8(graph, op):
        return KernelNeeds(CONV_DATA, looks_at=looks_at)
    batch, _, _, in_channels = graph.tensors[x].shape
    _, kernel_h, kernel_w, out_channels = graph.tensors[filter_index].shape
    pad_h, pad_w = _padding_before(graph, op)
    # arm_depthwise_conv_wrapper_s8_get_buffer_size_dsp: the optimized kernels take a batch of one, one output channel
    # per input channel and no dilation; the one for 3x3 with a padding of at most one needs nothing, the other
    # one the window of every channel as int16.
    optimized = in_channels == out_channels and batch == 1 and attributes.dilation == (1, 1)
    small = (kernel_h, kernel_w) == (3, 3) and pad_h <= 1 and pad_w <= 1
    scratch = in_channels * kernel_h * kernel_w * 2 if optimized and not small else 0
    return KernelNeeds(CONV_DATA, per_channel(out_channels), (scratch,) if scratch else (), looks_at)


def _fully_connected(graph: Graph, op: Op) -> KernelNeeds:
    # fully_connected.cc: an output of more than two dimensions over a depth that is a multiple of four runs as a 1x1
    # convolution, with multipliers per channel. arm_fully_connected_s8_get_buffer_size is 0 without Helium, and
    # so is arm_convolve_1x1_s8_fast_get_buffer_size except for armclang.
    reference = REFERENCE[OpKind.FULLY_CONNECTED](graph, op)
    output, depth = graph.tensors[op.outputs[0]].shape, graph.tensors[op.inputs[1]].shape[-1]
    as_convolution = _is_int8(graph, op) and len(output) > 2 and depth % 4 == 0
    persistent = reference.persistent_bytes + (per_channel(output[-1]) if as_convolution else ())
    return replace(reference, data=FULLY_CONNECTED_DATA, persistent_bytes=persistent)


def _average_pool(graph: Graph, op: Op) -> KernelNeeds:
    # pooling.cc, AveragePrepare: looks at input and output, after `PoolingPrepare` did.
    # arm_avgpool_s8_get_buffer_size_dsp: one int32 per channel.
    channels = graph.tensors[op.inputs[0]].shape[3]
    scratch = (channels * 4,) if _is_int8(graph, op) else ()
    return KernelNeeds(POOLING_DATA, (), scratch, 2 * (op.inputs[0], op.outputs[0]))


def _with_data(kind: OpKind, data: Struct) -> Callable[[Graph, Op], KernelNeeds]:
    return lambda graph, op: replace(REFERENCE[kind](graph, op), data=data)


def _padding_before(graph: Graph, op: Op) -> tuple[int, int]:
    """Rows above and columns left of the input that a convolution reads."""
    attributes = op.attributes
    assert isinstance(attributes, Conv2DAttributes | DepthwiseConv2DAttributes)
    input_shape, kernel = graph.tensors[op.inputs[0]].shape[1:3], graph.tensors[op.inputs[1]].shape[1:3]
    before = [
        window_padding(size, k, stride, dilation, attributes.padding)[0]
        for size, k, stride, dilation in zip(input_shape, kernel, attributes.stride, attributes.dilation, strict=True)
    ]
    return before[0], before[1]


CMSIS_NN: Mapping[OpKind, Callable[[Graph, Op], KernelNeeds]] = {
    **REFERENCE,
    OpKind.CONV_2D: _convolution,
    OpKind.DEPTHWISE_CONV_2D: _depthwise_convolution,
    OpKind.FULLY_CONNECTED: _fully_connected,
    OpKind.AVERAGE_POOL_2D: _average_pool,
    OpKind.MAX_POOL_2D: _with_data(OpKind.MAX_POOL_2D, POOLING_DATA),
    OpKind.SOFTMAX: _with_data(OpKind.SOFTMAX, SOFTMAX_DATA),
}
