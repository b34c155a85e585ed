"""Parameters of the kernels that read their constants as one stream, in the order in which they need them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tinynas.engine._constants import Fields, StepConstants, stream_words
from tinynas.engine._weighted_parameters import output_fields, window_fields
from tinynas.lowering import (
    INPUTS_IN_WORDS,
    LINE_WORDS,
    PACKED_BLOCK,
    PACKED_UNROLLED,
    PAIRED_CHANNELS,
    PAIRED_UNROLLED,
    ChannelScales,
    KernelCall,
    Lines,
    Plane,
    UnsupportedGraphError,
    by_output,
    channel_scales,
    column_order,
    column_pairs,
    dense_shape,
    folded_bias,
    fully_connected_lines,
    half_plane_of,
    half_row_words,
    is_general_in_half_planes,
    is_general_when_packed,
    multipliers,
    packed_pairs,
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

_GENERAL, _WITH_DROP = 1, 2  # firmware/kernels/arithmetic/line.h


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
    scaling = channel_scales(call)
    own: Fields = {
        "general": int(scaling.general),
        "overlapped": int(overlapped),
        "row_words": row_words(call, overlapped),
    }
    return _planes(call, name, plane, by_channel, scaling, own)


def depthwise_conv_2d_half_planes(call: KernelCall, name: str, *, paired: bool) -> StepConstants:
    plane = half_plane_of(call, paired)
    by_channel = _weights_of_planes(call, plane)
    own: Fields = {
        "general": int(is_general_in_half_planes(call)),
        "overlapped": 0,
        "row_words": half_row_words(plane.kernel, paired),
    }
    return _planes(call, name, plane, by_channel, channel_scales(call), own)


def _weights_of_planes(call: KernelCall, plane: Plane) -> npt.NDArray[np.int8]:
    """The weights of each channel in a row, as windows lie in the plane."""
    channels = call.output.shape[3]
    windows = by_output(call).reshape(channels, *call.weights.shape[1:3])
    return (windows.transpose(0, 2, 1) if plane.transposed else windows).reshape(channels, -1).astype(np.int8)


def _planes(
    call: KernelCall, name: str, plane: Plane, by_channel: npt.NDArray[np.int8], scaling: ChannelScales, own: Fields
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
    scaling = channel_scales(call)
    quads = channels // 4
    taps = by_channel.reshape(quads, 4, -1).transpose(0, 2, 1).reshape(quads, -1).view("<i4")
    scales = np.stack((scaling.bias, scaling.multiplier), axis=1).reshape(quads, 8)
    shifts = (~scaling.shift).astype(np.int8).reshape(quads, 4).view("<i4")
    stream = np.column_stack((taps, scales, shifts)).astype(np.int32).view(np.uint32)
    fields = _plane_fields(call, name, plane_of_quads(call)) | {"general": int(scaling.general)}
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
    """The stream and the parameters that `tn_dot_tiles` reads: firmware/kernels/conv_2d/dot_tiles.h has the layout."""
    return _dot_stream(call, name, expanded=False)


def dot_expanded_stream(call: KernelCall, name: str) -> tuple[Words, dict[str, str | int]]:
    """The same for `tn_dot_tiles_expanded`."""
    return _dot_stream(call, name, expanded=True)


def _dot_stream(call: KernelCall, name: str, *, expanded: bool) -> tuple[Words, dict[str, str | int]]:
    """The stream and the parameters that `tn_dot_tiles` reads: firmware/kernels/conv_2d/dot_tiles.h has the layout."""
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
    scaling = channel_scales(call)
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
        "general": int(scaling.general),
    }


def packed_stream(call: KernelCall, name: str) -> tuple[Words, dict[str, str | int]]:
    """The stream and the parameters that `tn_packed_tiles` reads: firmware/kernels/conv_2d/packed_tiles.h."""
    pairs = packed_pairs(call)
    outputs = len(pairs)
    scaling = channel_scales(call)
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
        "general": int(is_general_when_packed(call)),
        "skipped": -pairs.shape[1] % PACKED_UNROLLED,
    }


def paired_stream(call: KernelCall, name: str) -> tuple[Words, dict[str, str | int]]:
    """The stream and the parameters that `tn_paired_tiles` reads: firmware/kernels/conv_2d/paired_tiles.h."""
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
    """The stream and the parameters that `tn_fully_connected_in_words` reads.

    Its layout is in `firmware/kernels/fully_connected/fully_connected.h`.
    """
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
