"""The convolution that takes any window, stride, dilation, padding and number of groups."""

from __future__ import annotations

from tinynas.graph import OpKind
from tinynas.kernels._constants import StepConstants
from tinynas.kernels._fields import output_fields, window_fields, with_tables
from tinynas.kernels._geometry import window_counts
from tinynas.kernels._kernel import (
    KernelCall,
    KernelVariant,
    ParameterStructure,
    always,
    channel_tables,
    pairs,
    words,
)
from tinynas.kernels._weights import bias_of, by_output, multipliers, quantization_of

_PARAMETERS = ParameterStructure("tn_conv_2d_params", 52)


def groups_of(call: KernelCall) -> int:
    """Groups of a call of `conv_2d`: of a grouped convolution, or the channels of a depthwise one."""
    if call.op.kind is OpKind.DEPTHWISE_CONV_2D:
        return call.input.shape[3]
    return call.input.shape[3] // call.weights.shape[3]


def _conv_2d_constants(call: KernelCall) -> int:
    return words(call.weights.elements) + channel_tables(call.output.shape[3]) + _PARAMETERS.size_bytes


def _conv_2d_features(call: KernelCall) -> dict[str, float]:
    _, height, width, outputs = call.output.shape
    groups = groups_of(call)
    inputs = call.input.shape[3] // groups
    (tap_rows, _), (tap_columns, positions) = window_counts(call)
    dilation = call.window.dilation
    pixels = height * width
    tiles = groups * pairs(outputs // groups)
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


def _pack(call: KernelCall, name: str) -> StepConstants:
    outputs, inputs = call.output.shape[3], call.input.shape[3]
    return with_tables(
        name,
        by_output(call),  # of a depthwise convolution [1, KH, KW, C * m] becomes [C * m, KH, KW, 1]
        bias_of(call, outputs),
        *multipliers(call, outputs),
        {
            "input_height": call.input.shape[1],
            "input_width": call.input.shape[2],
            "input_channels": inputs,
            "output_height": call.output.shape[1],
            "output_width": call.output.shape[2],
            "output_channels": outputs,
            **window_fields(call),
            "groups": groups_of(call),
            "input_zero_point": quantization_of(call.input).zero_point,
            **output_fields(call),
        },
    )


CONV_2D = KernelVariant(
    name="conv_2d",
    kinds=(OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D),
    source="conv_2d/conv_2d.c",
    symbol="tn_conv_2d",
    parameters=_PARAMETERS,
    applies=always,
    last_resort=True,
    constant_bytes=_conv_2d_constants,
    pack=_pack,
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
