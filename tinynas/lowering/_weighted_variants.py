"""The kernels with weights: convolutions and the fully connected layer."""

from __future__ import annotations

import math

from tinynas.graph import DepthwiseConv2DAttributes, OpKind
from tinynas.lowering._geometry import valid_taps, window_of
from tinynas.lowering._variants import NO_PADDING, STRUCTURE_BYTES, WORD, KernelCall, KernelVariant, always, words


def _pairs(count: int) -> int:
    """Kernels compute two outputs at a time; the last of an odd number is computed twice."""
    return (count + 1) // 2


def groups_of(call: KernelCall) -> int:
    """Groups of a call of `conv_2d`: of a grouped convolution, or the channels of a depthwise one."""
    if call.op.kind is OpKind.DEPTHWISE_CONV_2D:
        return call.input.shape[3]
    return call.input.shape[3] // call.weights.shape[3]


def _channel_tables(channels: int) -> int:
    return 2 * words(4 * channels) + words(channels)  # int32 bias and multiplier, int8 shift


def _is_pointwise(call: KernelCall) -> bool:
    """A 1x1 convolution of several pixels. `conv_2d` takes single ones, which the tiles here would compute twice."""
    if call.op.kind is not OpKind.CONV_2D or call.padding != NO_PADDING or groups_of(call) != 1:
        return False
    filter_size, stride, _ = window_of(call.graph, call.op)
    return filter_size == (1, 1) and stride == (1, 1) and call.input.shape[1:3] != (1, 1)


def _dense_rows(call: KernelCall) -> int:
    return call.input.elements // call.weights.shape[-1]


def _scales(call: KernelCall) -> int:
    """Multipliers of a fully connected call: one, as TFLite's converter writes it, or one per output."""
    quantization = call.weights.quantization
    return call.weights.shape[0] if quantization is not None and quantization.per_channel else 1


def _dense_constants(call: KernelCall) -> int:
    outputs = call.weights.shape[0]
    scales = _scales(call)
    return (
        words(call.weights.elements)
        + words(4 * outputs)
        + words(4 * scales)
        + words(scales)
        + STRUCTURE_BYTES["tn_fully_connected_params"]
    )


def _dense_features(call: KernelCall) -> dict[str, float]:
    rows = _dense_rows(call)
    tiles = rows * _pairs(call.weights.shape[0])
    return {"calls": 1, "rows": rows, "tiles": tiles, "steps": tiles * call.weights.shape[-1]}


def _conv_1x1_constants(call: KernelCall) -> int:
    outputs = call.weights.shape[0]
    return words(call.weights.elements) + _channel_tables(outputs) + STRUCTURE_BYTES["tn_conv_1x1_params"]


def _conv_1x1_features(call: KernelCall) -> dict[str, float]:
    outputs, _, _, inputs = call.weights.shape
    pixel_pairs = _pairs(call.input.elements // inputs)
    tiles = pixel_pairs * _pairs(outputs)
    return {"calls": 1, "pixel_pairs": pixel_pairs, "tiles": tiles, "steps": tiles * inputs}


def _conv_2d_constants(call: KernelCall) -> int:
    return words(call.weights.elements) + _channel_tables(call.output.shape[3]) + STRUCTURE_BYTES["tn_conv_2d_params"]


def _window_counts(call: KernelCall) -> tuple[tuple[int, int], tuple[int, int]]:
    """Vertical and horizontal `valid_taps` of a call with a window."""
    filter_size, stride, dilation = window_of(call.graph, call.op)
    vertical, horizontal = (
        valid_taps(
            call.input.shape[1 + i],
            call.output.shape[1 + i],
            filter_size[i],
            stride[i],
            dilation[i],
            call.padding[2 * i],
        )
        for i in range(2)
    )
    return vertical, horizontal


def _conv_2d_features(call: KernelCall) -> dict[str, float]:
    _, height, width, outputs = call.output.shape
    groups = groups_of(call)
    inputs = call.input.shape[3] // groups
    (tap_rows, _), (tap_columns, positions) = _window_counts(call)
    _, _, dilation = window_of(call.graph, call.op)
    pixels = height * width
    tiles = groups * _pairs(outputs // groups)
    dense = groups == 1 and dilation[1] == 1
    runs = tap_rows * (positions if dense else tap_columns) * tiles
    return {
        "calls": 1,
        "rows": height,
        "pixels": pixels,
        "groups": pixels * groups,
        "tiles": pixels * tiles,
        "tap_rows": tap_rows * width * tiles,
        "runs": runs,
        "steps": tap_rows * tap_columns * inputs * tiles,
    }


def _is_depthwise(call: KernelCall) -> bool:
    attributes = call.op.attributes
    return (
        isinstance(attributes, DepthwiseConv2DAttributes)
        and attributes.depth_multiplier == 1
        and call.input.shape[3] >= _CHANNEL_TILE
    )


def _depthwise_constants(call: KernelCall) -> int:
    return (
        words(call.weights.elements)
        + _channel_tables(call.output.shape[3])
        + STRUCTURE_BYTES["tn_depthwise_conv_2d_params"]
    )


def _depthwise_features(call: KernelCall) -> dict[str, float]:
    _, height, width, channels = call.output.shape
    (tap_rows, _), (tap_columns, _) = _window_counts(call)
    tiles = math.ceil(channels / _CHANNEL_TILE)
    return {
        "calls": 1,
        "rows": height,
        "pixels": height * width,
        "tiles": height * width * tiles,
        "tap_rows": tap_rows * width * tiles,
        "taps": tap_rows * tap_columns * tiles,
    }


def _plane_bytes(call: KernelCall) -> int:
    """One padded plane of the input of a depthwise convolution."""
    filter_size, stride, dilation = window_of(call.graph, call.op)
    height, width = (
        max(
            call.padding[2 * i] + call.input.shape[1 + i],
            (call.output.shape[1 + i] - 1) * stride[i] + (filter_size[i] - 1) * dilation[i] + 1,
        )
        for i in range(2)
    )
    return height * width


def _saves_a_buffer(call: KernelCall) -> bool:
    """Whether the input and a plane of scratch take less than input and output.

    That is so wherever the input dies at the call, whatever else is alive then. A smaller output takes the place of
    one end of its input. It must lie there by itself (the planner keeps to the ends of the arena), in whole words, so
    that its pixels are pixels of the input.
    """
    attributes = call.op.attributes
    if not isinstance(attributes, DepthwiseConv2DAttributes) or attributes.depth_multiplier != 1:
        return False
    before, after = call.input.size_bytes, call.output.size_bytes
    shrinks = call.input_alone and after < before and before % WORD == after % WORD == 0
    return (shrinks or (call.input_dies and call.input.shape == call.output.shape)) and words(
        _plane_bytes(call)
    ) < words(after)


def _planar_features(call: KernelCall) -> dict[str, float]:
    _, height, width, channels = call.output.shape
    (kernel_height, kernel_width), _, _ = window_of(call.graph, call.op)
    pairs = channels * height * -(-width // 2)
    return {
        "calls": 1,
        "filled": _plane_bytes(call),
        "planes": channels,
        "gathered_rows": channels * call.input.shape[1],
        "gathered": call.input.elements,
        "weights": channels * kernel_height * kernel_width,
        "rows": channels * height,
        "pairs": pairs,
        "tap_rows": pairs * kernel_height,
        "taps": pairs * kernel_height * kernel_width,
    }


_CHANNEL_TILE = 4  # depthwise_conv_2d.c computes four channels at a time

FULLY_CONNECTED = KernelVariant(
    name="fully_connected",
    kinds=(OpKind.FULLY_CONNECTED,),
    source="fully_connected.c",
    symbol="tn_fully_connected",
    parameters="tn_fully_connected_params",
    applies=always,
    constant_bytes=_dense_constants,
    features=_dense_features,
    loops={
        "rows": "input rows",
        "tiles": "pairs of outputs, over all rows",
        "steps": "inputs of each tile: two MACs each",
    },
)

CONV_1X1 = KernelVariant(
    name="conv_1x1",
    kinds=(OpKind.CONV_2D,),
    source="conv_1x1.c",
    symbol="tn_conv_1x1",
    parameters="tn_conv_1x1_params",
    applies=_is_pointwise,
    constant_bytes=_conv_1x1_constants,
    features=_conv_1x1_features,
    loops={
        "pixel_pairs": "pairs of pixels",
        "tiles": "tiles of two pixels by two output channels",
        "steps": "input channels of each tile: four MACs each",
    },
)

DEPTHWISE_CONV_2D = KernelVariant(
    name="depthwise_conv_2d",
    kinds=(OpKind.DEPTHWISE_CONV_2D,),
    source="depthwise_conv_2d.c",
    symbol="tn_depthwise_conv_2d",
    parameters="tn_depthwise_conv_2d_params",
    applies=_is_depthwise,
    constant_bytes=_depthwise_constants,
    features=_depthwise_features,
    loops={
        "rows": "output rows",
        "pixels": "output pixels",
        "tiles": "groups of four channels, over all pixels",
        "tap_rows": "rows of the window inside the input, over all tiles",
        "taps": "taps of the window inside the input, over all tiles: four MACs each",
    },
)

DEPTHWISE_CONV_2D_PLANAR = KernelVariant(
    name="depthwise_conv_2d_planar",
    kinds=(OpKind.DEPTHWISE_CONV_2D,),
    source="depthwise_conv_2d_planar.c",
    symbol="tn_depthwise_conv_2d_planar",
    parameters="tn_depthwise_conv_2d_params",
    applies=_saves_a_buffer,
    constant_bytes=_depthwise_constants,
    features=_planar_features,
    loops={
        "filled": "bytes of a padded plane",
        "planes": "channels",
        "gathered_rows": "input rows, over all channels",
        "gathered": "input elements",
        "weights": "weights, summed once",
        "rows": "output rows, over all channels",
        "pairs": "pairs of neighbours in an output row, over all channels",
        "tap_rows": "rows of the window, over all pairs",
        "taps": "taps of the window, over all pairs: two MACs each",
    },
    in_place=True,
    shrinks=True,
    scratch_bytes=_plane_bytes,
)

CONV_2D = KernelVariant(
    name="conv_2d",
    kinds=(OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D),
    source="conv_2d.c",
    symbol="tn_conv_2d",
    parameters="tn_conv_2d_params",
    applies=always,
    constant_bytes=_conv_2d_constants,
    features=_conv_2d_features,
    loops={
        "rows": "output rows",
        "pixels": "output pixels",
        "groups": "groups of channels, over all pixels",
        "tiles": "pairs of output channels, over all pixels",
        "tap_rows": "rows of the window inside the input, over all tiles",
        "runs": "contiguous runs of input within those rows",
        "steps": "elements of those runs: two MACs each",
    },
)
