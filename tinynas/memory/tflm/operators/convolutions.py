"""CONV_2D and DEPTHWISE_CONV_2D."""

from __future__ import annotations

from tinynas.graph import Graph, Op, Window, sliding_window
from tinynas.memory._live_ranges import align
from tinynas.memory.tflm._layout import Array, Struct
from tinynas.memory.tflm.operators._needs import (
    CMSIS_BUFFER_INDEX,
    ENUM,
    INT32,
    PADDING_VALUES,
    PARAMETERS_SOURCE,
    POINTER,
    KernelNeeds,
    TflmOperator,
    is_int8,
    per_channel,
    weights_and_bias,
)

CONV_PARAMETERS = Struct(
    "TfLiteConvParams",
    PARAMETERS_SOURCE,
    {
        "padding": ENUM,
        "stride": Array(INT32, 2),
        "activation": ENUM,
        "dilation": Array(INT32, 2),
        "quantized_bias_type": ENUM,
    },
)

_DEPTHWISE_PARAMETERS = Struct(
    "TfLiteDepthwiseConvParams",
    PARAMETERS_SOURCE,
    {
        "padding": ENUM,
        "stride": Array(INT32, 2),
        "depth_multiplier": INT32,
        "activation": ENUM,
        "dilation": Array(INT32, 2),
    },
)

CONV_DATA = Struct(
    "OpDataConv",
    "kernels/conv.h",
    {
        "padding": PADDING_VALUES,
        "zero points of input, filter and output": Array(INT32, 3),
        "output_multiplier": INT32,
        "output_shift": INT32,
        "per_channel_output_multiplier": POINTER,
        "per_channel_output_shift": POINTER,
        "output_activation_min and _max": Array(INT32, 2),
        "filter_buffer_index": INT32,
    },
    with_compression={"weights_scratch_index": INT32, "bias_scratch_index": INT32},
)

_CMSIS_CONV_DATA = Struct("OpData", "kernels/cmsis_nn/conv.cc", {"reference_op_data": CONV_DATA, **CMSIS_BUFFER_INDEX})


def _reference(graph: Graph, op: Op) -> KernelNeeds:
    # conv_common.cc and depthwise_conv_common.cc: `Prepare` looks at output, input and filter, and then calls
    # `CalculateOpData*`, which looks at all of them again.
    x, y = op.inputs[0], op.outputs[0]
    looks_at = (y, x, op.inputs[1], x, *weights_and_bias(op), y)
    return KernelNeeds(CONV_DATA, per_channel(graph.tensors[y].shape[3]), (), looks_at)


def _cmsis_conv_2d(graph: Graph, op: Op) -> KernelNeeds:
    # conv.cc: looks at input, filter, output and bias, then `CalculateOpDataConv` at all four again.
    x, filter_index, y = op.inputs[0], op.inputs[1], op.outputs[0]
    inputs = weights_and_bias(op)
    looks_at = (x, filter_index, y, *inputs[1:], x, *inputs, y)
    if not is_int8(graph, op):
        return KernelNeeds(_CMSIS_CONV_DATA, looks_at=looks_at)
    out_channels, kernel_h, kernel_w, filter_channels = graph.tensors[filter_index].shape
    window, padding = _window_and_padding(graph, op)
    in_channels = graph.tensors[x].shape[3]
    pointwise = (
        (kernel_h, kernel_w) == (1, 1)
        and padding == (0, 0)
        and window.dilation == (1, 1)
        and in_channels == filter_channels
    )
    # arm_convolve_wrapper_s8_get_buffer_size_dsp: nothing for a 1x1 convolution (only armclang's fast one takes two
    # columns), else two columns of int16, each rounded up to four values (arm_convolve_s8_get_buffer_size).
    scratch = 0 if pointwise else 2 * align(kernel_h * kernel_w * in_channels, 4) * 2
    return KernelNeeds(_CMSIS_CONV_DATA, per_channel(out_channels), (scratch,) if scratch else (), looks_at)


def _cmsis_depthwise_conv_2d(graph: Graph, op: Op) -> KernelNeeds:
    # depthwise_conv.cc: looks at input, filter and output, then `CalculateOpDataDepthwiseConv` at all again.
    x, filter_index, y = op.inputs[0], op.inputs[1], op.outputs[0]
    looks_at = (x, filter_index, y, x, *weights_and_bias(op), y)
    if not is_int8(graph, op):
        return KernelNeeds(_CMSIS_CONV_DATA, looks_at=looks_at)
    batch, _, _, in_channels = graph.tensors[x].shape
    _, kernel_h, kernel_w, out_channels = graph.tensors[filter_index].shape
    window, (pad_h, pad_w) = _window_and_padding(graph, op)
    # arm_depthwise_conv_wrapper_s8_get_buffer_size_dsp: the optimized kernels take a batch of one, one output channel
    # per input channel and no dilation; the one for 3x3 with a padding of at most one needs nothing, the other
    # one the window of every channel as int16.
    optimized = in_channels == out_channels and batch == 1 and window.dilation == (1, 1)
    small = (kernel_h, kernel_w) == (3, 3) and pad_h <= 1 and pad_w <= 1
    scratch = in_channels * kernel_h * kernel_w * 2 if optimized and not small else 0
    return KernelNeeds(_CMSIS_CONV_DATA, per_channel(out_channels), (scratch,) if scratch else (), looks_at)


def _window_and_padding(graph: Graph, op: Op) -> tuple[Window, tuple[int, int]]:
    """The window, and the rows above and columns left of the input that it reads."""
    window = sliding_window(graph, op)
    assert window is not None
    (top, _), (left, _) = window.margins(graph.tensors[op.inputs[0]].shape)
    return window, (top, left)


OPERATORS = (
    TflmOperator("CONV_2D", _reference, _cmsis_conv_2d, CONV_PARAMETERS),
    TflmOperator("DEPTHWISE_CONV_2D", _reference, _cmsis_depthwise_conv_2d, _DEPTHWISE_PARAMETERS),
)
