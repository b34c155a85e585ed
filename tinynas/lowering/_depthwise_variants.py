"""The depthwise convolutions: channel by channel over a gathered plane, or all channels at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from tinynas.graph import DepthwiseConv2DAttributes, OpKind
from tinynas.lowering._geometry import window_counts, window_of
from tinynas.lowering._variants import (
    MAX_DIMENSION,
    STRUCTURE_BYTES,
    WORD,
    InstructionSet,
    KernelCall,
    KernelVariant,
    channel_tables,
    pairs,
    words,
)

_CHANNEL_TILE = 4  # depthwise_conv_2d.c computes four channels at a time
_QUAD = 4  # and so does depthwise_conv_2d_3x3_stride_2_quads.c
_QUADS_SIDE = 3

_PLANE_HELPERS = ("clamp_outputs.c", "depthwise_plane.c")


@dataclass(frozen=True)
class Plane:
    """One channel of a call as the planar kernels see it; all pairs are (rows, columns) of that plane.

    It is transposed where the output is higher than wide: long rows are cheaper. That looks at the whole operator, so
    that bands of it agree, which share their weights.

    Attributes:
        transposed: Whether rows of the plane are columns of the image.
        inputs: Of the input.
        outputs: Of the output.
        kernel: Of the window.
        stride: Of the window.
        padding: Before the input.
        size: The padded input, as far as windows reach. Where kernels compute two outputs at a time from pairs of
            neighbours, columns are even, so that every row starts at a word, and reach as far as the windows of an even
            number of outputs with an even number of taps.
    """

    transposed: bool
    inputs: tuple[int, int]
    outputs: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    size: tuple[int, int]


def plane_of(call: KernelCall) -> Plane:
    """The plane of a call without dilation."""
    whole = call.graph.tensors[call.op.outputs[0]].shape
    plane = _plane(call, transposed=whole[1] > whole[2])
    # Pairs of outputs and of taps: see `Plane.size`.
    reach = (2 * pairs(plane.outputs[1]) - 1) * plane.stride[1] + 2 * pairs(plane.kernel[1])
    return replace(plane, size=(plane.size[0], 2 * pairs(max(plane.size[1], reach))))


def plane_of_quads(call: KernelCall) -> Plane:
    """The plane of a call that is computed four channels at a time: as the image lies, no larger than windows reach."""
    return _plane(call, transposed=False)


def _plane(call: KernelCall, *, transposed: bool) -> Plane:
    kernel, stride, _ = window_of(call.graph, call.op)
    inputs, outputs = (call.input.shape[1], call.input.shape[2]), (call.output.shape[1], call.output.shape[2])
    padding = (call.padding[0], call.padding[2])
    if transposed:
        inputs, outputs, kernel, stride, padding = map(_swapped, (inputs, outputs, kernel, stride, padding))
    size = (
        max(padding[0] + inputs[0], (outputs[0] - 1) * stride[0] + kernel[0]),
        max(padding[1] + inputs[1], (outputs[1] - 1) * stride[1] + kernel[1]),
    )
    return Plane(transposed, inputs, outputs, kernel, stride, padding, size)


def _swapped(sizes: tuple[int, int]) -> tuple[int, int]:
    return sizes[1], sizes[0]


def row_words(call: KernelCall, overlapped: bool) -> int:
    """Words of weights for each row of the window.

    Overlapped, w0 w1, w2 w3 for one output are followed by w1 w2, w3 w4 for its neighbour; the first weight and the
    last are used alone, and the width is odd. Otherwise w0 w1, w2 w3, w4 0.
    """
    width = plane_of(call).kernel[1]
    return width - 1 if overlapped else pairs(width)


def channel_words(taps: int) -> int:
    """Words of one channel's constants: bias, multiplier, and in bytes the weights and a shift."""
    return 2 + words(taps + 1) // WORD


def _planar_scratch_bytes(call: KernelCall, overlapped: bool) -> int:
    """One channel's weights in pairs, and its plane of int16."""
    plane = plane_of(call)
    return WORD * plane.kernel[0] * row_words(call, overlapped) + 2 * plane.size[0] * plane.size[1]


def _planar_constants(call: KernelCall) -> int:
    channels = call.output.shape[3]
    taps = call.weights.elements // channels
    return WORD * channels * channel_words(taps) + STRUCTURE_BYTES["tn_depthwise_planar_params"]


def _is_planar(call: KernelCall) -> bool:
    """Depth multiplier 1, no dilation, and scratch that is smaller than the input.

    So in place never takes more than twice the input.
    """
    attributes = call.op.attributes
    return (
        isinstance(attributes, DepthwiseConv2DAttributes)
        and attributes.depth_multiplier == 1
        and attributes.dilation == (1, 1)
        and max(plane_of(call).size) <= MAX_DIMENSION
        and _planar_scratch_bytes(call, overlapped=True) < call.input.size_bytes
    )


def _shrinks(call: KernelCall) -> bool:
    """Whether a smaller output takes the place of one end of its input.

    The input must lie there by itself (the planner keeps to the ends of the arena), in whole words, so that its pixels
    are pixels of the input.
    """
    before, after = call.input.size_bytes, call.output.size_bytes
    return call.input_alone and after < before and before % WORD == after % WORD == 0


def _is_3x3(call: KernelCall, stride: int) -> bool:
    if not _is_planar(call):
        return False
    plane = plane_of(call)
    return plane.kernel == (3, 3) and plane.stride[1] == stride


def _is_wide(call: KernelCall, width: int, stride: int) -> bool:
    if not _is_planar(call):
        return False
    plane = plane_of(call)
    return plane.kernel[1] == width and plane.stride[1] == stride


def _planar_features(call: KernelCall, overlapped: bool) -> dict[str, float]:
    channels = call.output.shape[3]
    plane = plane_of(call)
    (height, width), (input_height, input_width), kernel = plane.outputs, plane.inputs, plane.kernel
    in_row = row_words(call, overlapped)
    weight_rows, rows = channels * kernel[0], channels * height
    return {
        "calls": 1,
        "filled": plane.size[0] * plane.size[1] // 2,
        "planes": channels,
        "gathered_rows": channels * input_height,
        "gathered_in_quads": channels * input_height * (input_width >= 4),
        "gathered_quads": channels * input_height * (input_width // 4),
        "gathered_with_tails": channels * input_height * (input_width % 4 > 0),
        "gathered_tails": channels * input_height * (input_width % 4),
        "weight_rows": weight_rows,
        "weight_pairs": weight_rows * (in_row // 2 if overlapped else in_row - 1),
        "weight_ends": weight_rows * (kernel[1] % 2) * (not overlapped),
        "rows": rows,
        "even_rows": rows * (width > 1),
        "odd_rows": rows * (width % 2),
        "sums": rows * pairs(width),
        "tap_rows": rows * pairs(width) * kernel[0],
        "taps": rows * pairs(width) * kernel[0] * pairs(kernel[1]),
    }


def _quads_scratch_bytes(call: KernelCall) -> int:
    """Four channels' weights in pairs and their scales, and three rows of four bytes for each column."""
    return WORD * (2 * _QUADS_SIDE**2 + 4 * _QUAD + _QUADS_SIDE * plane_of_quads(call).size[1])


def _quads_constants(call: KernelCall) -> int:
    """For each four channels the weights in bytes, four biases, four multipliers, and four shifts in bytes."""
    of_quad = WORD * (_QUADS_SIDE**2 + 2 * _QUAD + 1)
    return call.output.shape[3] // _QUAD * of_quad + STRUCTURE_BYTES["tn_depthwise_planar_params"]


def _is_quads(call: KernelCall) -> bool:
    """A 3x3 window of stride 2 over channels in fours, as padding SAME or VALID has it, and little scratch."""
    attributes = call.op.attributes
    return (
        isinstance(attributes, DepthwiseConv2DAttributes)
        and attributes.depth_multiplier == 1
        and attributes.dilation == (1, 1)
        and attributes.stride == (2, 2)
        and call.weights.shape[1:3] == (_QUADS_SIDE, _QUADS_SIDE)
        and call.input.shape[3] % _QUAD == 0
        and max(call.padding) <= 1
        and max(plane_of_quads(call).size) <= MAX_DIMENSION
        and _quads_scratch_bytes(call) < call.input.size_bytes
    )


def _quads_features(call: KernelCall) -> dict[str, float]:
    quads = call.output.shape[3] // _QUAD
    plane = plane_of_quads(call)
    (height, width), (input_height, input_width) = plane.outputs, plane.inputs
    first = -plane.padding[0]
    seen = range(first, first + 2 * (height - 1) + _QUADS_SIDE)
    inside = quads * sum(0 <= y < input_height for y in seen)
    outside = quads * len(seen) - inside
    return {
        "calls": 1,
        "filled": plane.size[1],
        "planes": quads,
        "gathered_rows": inside,
        "gathered_in_quads": inside * (input_width >= 4),
        "gathered_quads": inside * (input_width // 4),
        "gathered_with_tails": inside * (input_width % 4 > 0),
        "gathered_tails": inside * (input_width % 4),
        "padded_rows": outside,
        "padded": outside * input_width,
        "rows": quads * height,
        "sums": quads * height * width,
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
        + channel_tables(call.output.shape[3])
        + STRUCTURE_BYTES["tn_depthwise_conv_2d_params"]
    )


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


_PLANAR_LOOPS = {
    "filled": "pairs of elements of a padded plane",
    "planes": "channels",
    "gathered_rows": "input rows, over all channels",
    "gathered_in_quads": "those of four elements or more",
    "gathered_quads": "four input elements gathered at once",
    "gathered_with_tails": "input rows that four do not divide",
    "gathered_tails": "input elements that four left over in a row",
    "weight_rows": "rows of weights, over all channels",
    "weight_pairs": "pairs of weights in them",
    "weight_ends": "last weights without a partner",
    "rows": "output rows, over all channels",
    "even_rows": "output rows of two outputs or more",
    "odd_rows": "output rows with an odd number of outputs",
    "sums": "pairs of neighbours in an output row, an odd last one counted as a pair",
    "tap_rows": "rows of the window, over all sums",
    "taps": "pairs of taps of the window, over all sums: four MACs each",
}


def _planar(name: str, applies: Callable[[KernelCall], bool], *, overlapped: bool) -> KernelVariant:
    """A kernel that computes channel by channel over a gathered plane."""
    return KernelVariant(
        name=name,
        kinds=(OpKind.DEPTHWISE_CONV_2D,),
        source=f"{name}.c",
        helpers=_PLANE_HELPERS,
        symbol=f"tn_{name}",
        parameters="tn_depthwise_planar_params",
        applies=applies,
        constant_bytes=_planar_constants,
        features=lambda call: _planar_features(call, overlapped),
        loops=_PLANAR_LOOPS,
        in_place=True,
        shrinks=_shrinks,
        scratch_bytes=lambda call: _planar_scratch_bytes(call, overlapped),
    )


QUADS = KernelVariant(
    name="depthwise_conv_2d_3x3_stride_2_quads",
    kinds=(OpKind.DEPTHWISE_CONV_2D,),
    source="depthwise_conv_2d_3x3_stride_2_quads.c",
    helpers=("clamp_outputs.c",),
    symbol="tn_depthwise_conv_2d_3x3_stride_2_quads",
    parameters="tn_depthwise_planar_params",
    applies=_is_quads,
    constant_bytes=_quads_constants,
    features=_quads_features,
    loops={
        "filled": "columns of a padded plane",
        "planes": "groups of four channels",
        "gathered_rows": "input rows that windows see, over all groups",
        "gathered_in_quads": "those of four pixels or more",
        "gathered_quads": "four input pixels gathered at once",
        "gathered_with_tails": "input rows that four do not divide",
        "gathered_tails": "input pixels that four left over in a row",
        "padded_rows": "rows of padding above and below, over all groups",
        "padded": "pixels in them",
        "rows": "output rows, over all groups",
        "sums": "output pixels, over all groups: 36 MACs each",
    },
    instruction_sets=frozenset({InstructionSet.DSP}),
    in_place=True,
    shrinks=_shrinks,
    scratch_bytes=_quads_scratch_bytes,
)
"""3x3 with stride 2, four channels at a time."""

OVERLAPPED = (
    _planar("depthwise_conv_2d_3x3", lambda call: _is_3x3(call, stride=1), overlapped=True),
    _planar("depthwise_conv_2d_3x3_stride_2", lambda call: _is_3x3(call, stride=2), overlapped=True),
    _planar("depthwise_conv_2d_width_5", lambda call: _is_wide(call, width=5, stride=1), overlapped=True),
    _planar("depthwise_conv_2d_width_7", lambda call: _is_wide(call, width=7, stride=1), overlapped=True),
)
"""The planar kernels that want every weight in two pairs."""

PAIRED = (
    _planar("depthwise_conv_2d_width_5_stride_2", lambda call: _is_wide(call, width=5, stride=2), overlapped=False),
    _planar("depthwise_conv_2d_width_7_stride_2", lambda call: _is_wide(call, width=7, stride=2), overlapped=False),
    _planar("depthwise_conv_2d_planar", _is_planar, overlapped=False),
)
"""The planar kernels that want every weight in one pair, that of any window last."""

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
