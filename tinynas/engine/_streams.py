"""Parameters of the kernels that read their constants as one stream, in the order in which they need them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinynas.engine._constants import Fields, StepConstants, stream_words
from tinynas.engine._weighted_parameters import output_fields, window_fields
from tinynas.graph.fixed_point import multiply_by_quantized_multiplier
from tinynas.lowering import (
    INPUTS_IN_WORDS,
    LINE_WORDS,
    PACKED_BLOCK,
    PACKED_UNROLLED,
    PAIRED_CHANNELS,
    PAIRED_UNROLLED,
    SMALLEST_WEIGHT,
    KernelCall,
    Lines,
    Plane,
    UnsupportedGraphError,
    by_output,
    column_order,
    column_pairs,
    dense_shape,
    folded_bias,
    fully_connected_lines,
    half_plane_of,
    half_row_words,
    multipliers,
    paired_lines,
    plane_of,
    plane_of_quads,
    quantization_of,
    row_words,
)

Words = npt.NDArray[np.uint32]
Int64Array = npt.NDArray[np.int64]

Layout = Callable[[KernelCall, str], tuple[Words, dict[str, str | int]]]
"""The stream of constants of a dense convolution, and the parameters that say how to read it."""

# The limits of the short requantization: firmware/include/tinynas/dsp.h, at TN_MOST_RIGHT_SHIFT.
_MOST_RIGHT_SHIFT = 22
_LARGEST_SUM = 1 << 29
_LARGEST_SUM_OF_THREE_PARTS = 1 << 20  # firmware/include/tinynas/armv6m.h
_SATURATED = 1 << 9  # saturates whatever the zero point is
_GENERAL, _WITH_DROP = 1, 2  # firmware/include/tinynas/line.h
_LARGEST_INPUT = 128  # of an int8 value, as a magnitude


def conv_1x1(call: KernelCall, name: str, layout: Layout) -> StepConstants:
    inputs = call.weights.shape[-1]  # of a fully connected layer, whose rows are pixels, too
    stream, dot = layout(call, name)
    fields: Fields = {"dot": dot, "pixels": call.input.elements // inputs, "input_channels": inputs}
    return StepConstants((stream_words(f"{name}_constants", stream),), fields, {})


def conv_2d_im2col(call: KernelCall, name: str, layout: Layout) -> StepConstants:
    stream, dot = layout(call, name)
    fields: Fields = {
        "dot": dot,
        "input_height": call.input.shape[1],
        "input_width": call.input.shape[2],
        "input_channels": call.input.shape[3],
        "output_height": call.output.shape[1],
        "output_width": call.output.shape[2],
        **_undilated_window_fields(call),
        "input_zero_point": quantization_of(call.input).zero_point,
    }
    return StepConstants((stream_words(f"{name}_constants", stream),), fields, {})


def depthwise_conv_2d_planar(call: KernelCall, name: str, *, overlapped: bool) -> StepConstants:
    plane = plane_of(call)
    by_channel = _weights_of_planes(call, plane)
    scaling = _channels(call, by_channel)
    own: Fields = {
        "general": scaling.general,
        "overlapped": int(overlapped),
        "row_words": row_words(call, overlapped),
    }
    return _planes(call, name, plane, by_channel, scaling, own)


def depthwise_conv_2d_half_planes(call: KernelCall, name: str, *, paired: bool) -> StepConstants:
    plane = half_plane_of(call, paired)
    by_channel = _weights_of_planes(call, plane)
    scaling = _channels(call, by_channel, _LARGEST_SUM_OF_THREE_PARTS)
    wide = bool((by_channel == SMALLEST_WEIGHT).any())
    own: Fields = {
        "general": int(scaling.general or wide),
        "overlapped": 0,
        "row_words": half_row_words(plane.kernel, paired),
    }
    return _planes(call, name, plane, by_channel, scaling, own)


def _weights_of_planes(call: KernelCall, plane: Plane) -> npt.NDArray[np.int8]:
    """The weights of each channel in a row, as windows lie in the plane."""
    channels = call.output.shape[3]
    windows = by_output(call).reshape(channels, *call.weights.shape[1:3])
    return (windows.transpose(0, 2, 1) if plane.transposed else windows).reshape(channels, -1).astype(np.int8)


def _planes(
    call: KernelCall, name: str, plane: Plane, by_channel: npt.NDArray[np.int8], scaling: _Channels, own: Fields
) -> StepConstants:
    """What the kernels read that gather a plane for each channel, and fields of their `own`."""
    taps = np.zeros((len(by_channel), -(-(by_channel.shape[1] + 1) // 4) * 4), np.int8)
    taps[:, : by_channel.shape[1]] = by_channel
    taps[:, by_channel.shape[1]] = ~scaling.shift
    stream = np.column_stack((scaling.bias, scaling.multiplier, taps.view("<i4"))).astype(np.int32).view(np.uint32)
    return StepConstants((stream_words(f"{name}_constants", stream),), _plane_fields(call, name, plane) | own, {})


def depthwise_conv_2d_quads(call: KernelCall, name: str) -> StepConstants:
    """Four channels at a time: their taps, then their biases and multipliers, then their shifts."""
    channels = call.output.shape[3]
    by_channel = by_output(call).reshape(channels, -1).astype(np.int8)
    scaling = _channels(call, by_channel)
    quads = channels // 4
    taps = by_channel.reshape(quads, 4, -1).transpose(0, 2, 1).reshape(quads, -1).view("<i4")
    scales = np.stack((scaling.bias, scaling.multiplier), axis=1).reshape(quads, 8)
    shifts = (~scaling.shift).astype(np.int8).reshape(quads, 4).view("<i4")
    stream = np.column_stack((taps, scales, shifts)).astype(np.int32).view(np.uint32)
    fields = _plane_fields(call, name, plane_of_quads(call)) | {"general": scaling.general}
    return StepConstants((stream_words(f"{name}_constants", stream),), fields, {})


def _plane_fields(call: KernelCall, name: str, plane: Plane) -> Fields:
    """The fields that all kernels share that gather planes."""
    channels = call.output.shape[3]
    steps = [(image.shape[2] * channels, channels) for image in (call.input, call.output)]  # down, right
    (input_row_step, input_step), (output_row_step, output_step) = (s[::-1] if plane.transposed else s for s in steps)
    return {
        "constants": f"{name}_constants",
        "input_step": input_step,
        "input_row_step": input_row_step,
        "output_step": output_step,
        "output_row_step": output_row_step,
        "channels": channels,
        "input_height": plane.inputs[0],
        "input_width": plane.inputs[1],
        "output_height": plane.outputs[0],
        "output_width": plane.outputs[1],
        "kernel_height": plane.kernel[0],
        "kernel_width": plane.kernel[1],
        "stride_height": plane.stride[0],
        "stride_width": plane.stride[1],
        "padding_top": plane.padding[0],
        "padding_left": plane.padding[1],
        "plane_height": plane.size[0],
        "plane_width": plane.size[1],
        "input_zero_point": quantization_of(call.input).zero_point,
        **output_fields(call),
    }


def dot_stream(call: KernelCall, name: str) -> tuple[Words, dict[str, str | int]]:
    """The stream and the parameters that `tn_dot_tiles` reads: firmware/include/tinynas/dot_tiles.h has the layout."""
    return _dot_stream(call, name, expanded=False)


def dot_expanded_stream(call: KernelCall, name: str) -> tuple[Words, dict[str, str | int]]:
    """The same for `tn_dot_tiles_expanded`."""
    return _dot_stream(call, name, expanded=True)


def _dot_stream(call: KernelCall, name: str, *, expanded: bool) -> tuple[Words, dict[str, str | int]]:
    """The stream and the parameters that `tn_dot_tiles` reads: firmware/include/tinynas/dot_tiles.h has the layout."""
    outputs, kernel_height, kernel_width, inputs = dense_shape(call)
    rows = by_output(call).reshape(outputs, kernel_height, kernel_width * inputs).astype(np.int8)
    order = column_order(kernel_width * inputs)
    # An element that is missing has weight zero: whatever the column holds there counts for nothing.
    padded = np.concatenate((rows, np.zeros((outputs, kernel_height, 1), np.int8)), axis=2)
    columns = padded[:, :, order].reshape(outputs, -1)
    first = np.arange(0, outputs, 2)
    first[1:] -= outputs % 2  # of an odd number of channels the second is computed twice
    pair = np.stack((first, first + 1), axis=1)
    of_tiles = columns[pair]
    if expanded:
        pairs = of_tiles.astype("<i2").reshape(len(pair), 2, -1, 2).transpose(0, 2, 1, 3)
    else:
        pairs = of_tiles.transpose(0, 2, 1)
    interleaved = pairs.reshape(len(pair), -1).view("<u4")
    scaling = _channels(call, rows.reshape(outputs, -1))
    shifts = (~scaling.shift[pair] & 0xFF) << np.array([0, 8])
    bias = scaling.bias if scaling.general else 2 * scaling.bias
    channels = np.stack((bias, scaling.multiplier), axis=1)
    stream = np.column_stack(
        (interleaved, channels[pair].reshape(len(pair), 4).view(np.uint32), shifts.sum(axis=1).astype(np.uint32))
    )
    return stream.astype(np.uint32), {
        "constants": f"{name}_constants",
        "pairs": column_pairs(call),
        "output_channels": outputs,
        **output_fields(call),
        "general": scaling.general,
    }


def packed_stream(call: KernelCall, name: str) -> tuple[Words, dict[str, str | int]]:
    """The stream and the parameters that `tn_packed_tiles` reads: firmware/include/tinynas/packed_tiles.h."""
    outputs, kernel_height, kernel_width, inputs = dense_shape(call)
    rows = by_output(call).reshape(outputs, kernel_height, kernel_width * inputs).astype(np.int8)
    # Rows of the window take whole pairs: an element that is missing has weight zero.
    pairs = np.pad(rows, ((0, 0), (0, 0), (0, rows.shape[2] % 2))).reshape(outputs, -1, 2)
    scaling = _channels(call, rows.reshape(outputs, -1))
    doubled_zero_point = 2 * (quantization_of(call.output).zero_point + 128) + 1
    shifts = doubled_zero_point << 8 | (~scaling.shift & 0xFF)
    channels = np.stack((scaling.bias, scaling.multiplier, shifts), axis=1).astype(np.int32).view(np.uint32)
    columns = pairs.reshape(outputs, -1)
    blocks = [columns[first : first + PACKED_BLOCK].T for first in range(0, outputs, PACKED_BLOCK)]
    weights = np.concatenate([block.reshape(-1) for block in blocks])
    stream = np.concatenate((np.pad(weights, (0, -len(weights) % 4)).view("<u4"), channels.reshape(-1)))
    return stream.astype(np.uint32), {
        "constants": f"{name}_constants",
        "pairs": pairs.shape[1],
        "output_channels": outputs,
        **output_fields(call),
        "general": scaling.general | int((pairs == SMALLEST_WEIGHT).all(axis=2).any()),
        "skipped": -pairs.shape[1] % PACKED_UNROLLED,
    }


def paired_stream(call: KernelCall, name: str) -> tuple[Words, dict[str, str | int]]:
    """The stream and the parameters that `tn_paired_tiles` reads: firmware/include/tinynas/paired_tiles.h."""
    outputs, kernel_height, kernel_width, inputs = dense_shape(call)
    elements = kernel_height * kernel_width * inputs
    fours = -(-outputs // PAIRED_CHANNELS)
    rows = by_output(call).reshape(outputs, elements).astype(np.int8)
    lines = paired_lines(call)
    if lines is None:
        raise UnsupportedGraphError(
            f"{call.op.kind} {call.op.name!r}: its weights and scales do not suit paired tiles; choose another kernel"
        )
    start, scales = _scales(call, lines, outputs)
    begin = start.reshape(fours, 2, 2)  # [fours, planes, lower and upper]
    head = np.concatenate((begin[..., 1], begin[..., 0] + (begin[..., 1] << 16)), axis=1)
    padded = np.pad(rows.astype(np.int64), ((0, -outputs % PAIRED_CHANNELS), (0, elements % 2)))
    lower, upper = padded.reshape(fours, 2, 2, -1, 2).transpose(2, 0, 3, 1, 4)  # [fours, pairs, planes, elements]
    weights = (lower + (upper << 16)).reshape(fours, -1)
    stream = np.concatenate((head, weights, scales.reshape(fours, -1)), axis=1)
    pairs = weights.shape[1] // 4
    return _as_words(stream), {
        "constants": f"{name}_constants",
        "pairs": pairs,
        "output_channels": outputs,
        **output_fields(call),
        "general": _WITH_DROP if lines.drop else 0,
        "skipped": -pairs % PAIRED_UNROLLED,
    }


def _scales(call: KernelCall, lines: Lines | None, outputs: int) -> tuple[Int64Array, Int64Array]:
    """What the sums of a layer begin with, and five words for each: its line, or else multiplier and shift.

    In whole fours of channels, zeros behind the last one.
    """
    if lines is None:
        multiplier, shift = multipliers(call, outputs)
        start = folded_bias(call, outputs).astype(np.int64)
        scales = np.stack((multiplier, shift, *[np.zeros(outputs)] * (LINE_WORDS - 2)), axis=1).astype(np.int64)
    else:
        start, scales = lines.start, np.stack((*lines.parts, lines.offset, lines.right), axis=1)
    missing = -outputs % PAIRED_CHANNELS
    return np.pad(start, (0, missing)), np.pad(scales, ((0, missing), (0, 0)))


def in_words_stream(call: KernelCall, name: str) -> tuple[Words, dict[str, str | int]]:
    """The stream and the parameters that `tn_fully_connected_in_words` reads: firmware/include/tinynas/kernels.h."""
    outputs, inputs = call.weights.shape[0], call.weights.shape[-1]
    rows = by_output(call).reshape(outputs, inputs)
    lines = fully_connected_lines(call)
    start, scales = _scales(call, lines, outputs)
    fours = len(start) // PAIRED_CHANNELS
    padded = np.pad(rows.astype(np.int64), ((0, len(start) - outputs), (0, -inputs % INPUTS_IN_WORDS)))
    offset = (padded + 128).astype(np.uint8).reshape(fours, PAIRED_CHANNELS, -1)
    weights = np.ascontiguousarray(offset.transpose(0, 2, 1)).reshape(fours, -1).view("<u4")
    stream = np.concatenate((start.reshape(fours, -1), weights, scales.reshape(fours, -1)), axis=1)
    return _as_words(stream), {
        "constants": f"{name}_constants",
        "pairs": padded.shape[1] // 2,
        "output_channels": outputs,
        **output_fields(call),
        "general": 0 if lines is not None else _GENERAL,
        "skipped": 0,
    }


def _as_words(values: Int64Array) -> Words:
    return (values & 0xFFFFFFFF).astype(np.uint32)


def _undilated_window_fields(call: KernelCall) -> dict[str, int]:
    return {field: value for field, value in window_fields(call).items() if not field.startswith("dilation")}


@dataclass(frozen=True)
class _Channels:
    """Requantization of a layer, as these kernels read it. Arrays have one entry for each output channel."""

    bias: npt.NDArray[np.int32]
    multiplier: npt.NDArray[np.int32]
    shift: npt.NDArray[np.int32]
    general: int


def _channels(call: KernelCall, rows: npt.NDArray[np.int8], largest_sum: int = _LARGEST_SUM) -> _Channels:
    """The biases, multipliers and shifts of a layer whose weights are `rows`, one row a channel.

    Channels that give one value whatever the input is (dead ones, as folded batch normalizations leave them) often
    have scales outside the limits of the short requantization. They are given parameters within them, with which they
    give the same value. `general` is 1 where some other channel is outside the limits (firmware/.../dsp.h), or may
    have sums of `largest_sum` in magnitude.
    """
    outputs = len(rows)
    multiplier, shift = (x.astype(np.int32) for x in multipliers(call, outputs))
    bias = folded_bias(call, outputs)
    right = -shift.astype(np.int64)
    weight_sums = np.abs(rows.astype(np.int64)).sum(axis=1)
    largest = np.abs(bias.astype(np.int64)) + _LARGEST_INPUT * weight_sums
    # Their sums are divided by so much that nothing but zero is left.
    vanishing = (multiplier == 0) | ((right >= 1) & (largest < 1 << np.clip(right - 1, 0, 62)))
    bias, multiplier, shift = (np.where(vanishing, x, y) for x, y in ((0, bias), (0, multiplier), (-1, shift)))
    # Without weights the bias alone remains: (4 * v) * 2^30 / 2^31 / 2 = v.
    constant = ~vanishing & (weight_sums == 0)
    value = multiply_by_quantized_multiplier(bias.astype(np.int64), multiplier, shift)
    value = np.clip(value, -_SATURATED, _SATURATED)
    bias = np.where(constant, 4 * value, bias)
    multiplier, shift = np.where(constant, 1 << 30, multiplier), np.where(constant, -1, shift)
    right, largest = -shift.astype(np.int64), np.where(constant, np.abs(4 * value), largest)
    exact = (right >= 1) & (right <= _MOST_RIGHT_SHIFT) & (largest < largest_sum)
    general = 0 if bool((exact | vanishing).all()) else 1
    return _Channels(bias.astype(np.int32), multiplier.astype(np.int32), shift.astype(np.int32), general)
