"""The convolution that takes any window, stride, dilation, padding and number of groups."""

from __future__ import annotations

from tinynas.graph import OpKind
from tinynas.lowering._geometry import window_counts, window_of
from tinynas.lowering._variants import (
    STRUCTURE_BYTES,
    KernelCall,
    KernelVariant,
    always,
    channel_tables,
    pairs,
    words,
)


def groups_of(call: KernelCall) -> int:
    """Groups of a call of `conv_2d`: of a grouped convolution, or the channels of a depthwise one."""
    if call.op.kind is OpKind.DEPTHWISE_CONV_2D:
        return call.input.shape[3]
    return call.input.shape[3] // call.weights.shape[3]


def _conv_2d_constants(call: KernelCall) -> int:
    return words(call.weights.elements) + channel_tables(call.output.shape[3]) + STRUCTURE_BYTES["tn_conv_2d_params"]


def _conv_2d_features(call: KernelCall) -> dict[str, float]:
    _, height, width, outputs = call.output.shape
    groups = groups_of(call)
    inputs = call.input.shape[3] // groups
    (tap_rows, _), (tap_columns, positions) = window_counts(call)
    _, _, dilation = window_of(call.graph, call.op)
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


CONV_2D = KernelVariant(
    name="conv_2d",
    kinds=(OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D),
    source="conv_2d/conv_2d.c",
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
