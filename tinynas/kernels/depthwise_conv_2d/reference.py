"""The depthwise convolution that computes all channels at once, four by four, dilated or not."""

from __future__ import annotations

import math

from tinynas.graph import DepthwiseConv2DAttributes, OpKind
from tinynas.kernels._constants import StepConstants
from tinynas.kernels._fields import output_fields, window_fields, with_tables
from tinynas.kernels._geometry import window_counts
from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure, channel_tables, words
from tinynas.kernels._weights import bias_of, multipliers, quantization_of, weights_of

_CHANNEL_TILE = 4  # depthwise_conv_2d.c computes four channels at a time

_PARAMETERS = ParameterStructure("tn_depthwise_conv_2d_params", 48)


def _is_depthwise(call: KernelCall) -> bool:
    attributes = call.op.attributes
    return (
        isinstance(attributes, DepthwiseConv2DAttributes)
        and attributes.depth_multiplier == 1
        and call.input.shape[3] >= _CHANNEL_TILE
    )


def _depthwise_constants(call: KernelCall) -> int:
    return words(call.weights.elements) + channel_tables(call.output.shape[3]) + _PARAMETERS.size_bytes


def _depthwise_features(call: KernelCall) -> dict[str, float]:
    _, height, width, channels = call.output.shape
    (tap_rows, _), (tap_columns, _) = window_counts(call)
    tiles = math.ceil(channels / _CHANNEL_TILE)
    return {
        "calls": 1,
        "rows": height,
        "pixels": height * width,
        "tiles": height * width * tiles,
        "tap_rows": tap_rows * width * tiles,
        "taps": tap_rows * tap_columns * tiles,
    }


def _pack(call: KernelCall, name: str) -> StepConstants:
    channels = call.output.shape[3]
    return with_tables(
        name,
        weights_of(call),
        bias_of(call, channels),
        *multipliers(call, channels),
        {
            "input_height": call.input.shape[1],
            "input_width": call.input.shape[2],
            "channels": channels,
            "output_height": call.output.shape[1],
            "output_width": call.output.shape[2],
            **window_fields(call),
            "input_zero_point": quantization_of(call.input).zero_point,
            **output_fields(call),
        },
    )


DEPTHWISE_CONV_2D = KernelVariant(
    name="depthwise_conv_2d",
    kinds=(OpKind.DEPTHWISE_CONV_2D,),
    source="depthwise_conv_2d/depthwise_conv_2d.c",
    symbol="tn_depthwise_conv_2d",
    parameters=_PARAMETERS,
    applies=_is_depthwise,
    constant_bytes=_depthwise_constants,
    pack=_pack,
    features=_depthwise_features,
    loops={
        "rows": "output rows",
        "pixels": "output pixels",
        "tiles": "groups of four channels, over all pixels",
        "tap_rows": "rows of the window inside the input, over all tiles",
        "taps": "taps of the window inside the input, over all tiles: four MACs each",
    },
)
