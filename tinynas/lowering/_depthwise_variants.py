"""The depthwise convolutions: channel by channel over a gathered plane, or all channels at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from tinynas.graph import DepthwiseConv2DAttributes, OpKind
from tinynas.lowering._geometry import window_counts, window_of
from tinynas.lowering._variants import (
    ALL_INSTRUCTION_SETS,
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

_PLANE_HELPERS = ("clamp_outputs.c", "depthwise_plane.c")


@dataclass(frozen=True)
class Plane:
    """One channel of a call as the planar kernels see it; all pairs are (rows, columns) of that plane.

    Attributes:
        transposed: Whether rows of the plane are columns of the image.
        inputs: Of the input.
        outputs: Of the output.
        kernel: Of the window.
        stride: Of the window.
        padding: Before the input.
        size: Of what lies in scratch: the padded input, as far as windows reach.
    """

    transposed: bool
    inputs: tuple[int, int]
    outputs: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    size: tuple[int, int]


def plane_of(call: KernelCall) -> Plane:
    """The plane of a call without dilation, of int16.

    It is transposed where the output is higher than wide: long rows are cheaper. That looks at the whole operator, so
    that bands of it agree, which share their weights. Columns are even, so that every row starts at a word, and reach
    as far as the windows of an even number of outputs with an even number of taps: kernels compute two outputs at a
    time from pairs of neighbours.
    """
    _, height, width, _ = call.graph.tensors[call.op.outputs[0]].shape
    plane = _oriented(call, transposed=height > width)
    (top, left), kernel, stride = plane.padding, plane.kernel, plane.stride
    rows = max(top + plane.inputs[0], (plane.outputs[0] - 1) * stride[0] + kernel[0])
    reach = (2 * pairs(plane.outputs[1]) - 1) * stride[1] + 2 * pairs(kernel[1])
    return replace(plane, size=(rows, 2 * pairs(max(left + plane.inputs[1], reach))))


def half_plane_of(call: KernelCall, paired: bool) -> Plane:
    """The plane of a call without dilation for Armv6-M: a word holds two pixels, half the output's rows apart.

    It is transposed where the output is wider than high: cut in half along the longer side, it takes the least scratch.
    Rows are those of half the outputs, rounded up. `paired`: see `half_row_words`.
    """
    _, height, width, _ = call.graph.tensors[call.op.outputs[0]].shape
    plane = _oriented(call, transposed=width > height)
    kernel, stride = plane.kernel, plane.stride
    rows = (pairs(plane.outputs[0]) - 1) * stride[0] + kernel[0]
    reach = (plane.outputs[1] - 1) * stride[1] + half_row_words(kernel, paired)
    return replace(plane, size=(rows, max(plane.padding[1] + plane.inputs[1], reach)))


def half_row_words(kernel: tuple[int, int], paired: bool) -> int:
    """Weights that a kernel for Armv6-M reads for each row of a window. Paired, an odd row ends with a zero."""
    return 2 * pairs(kernel[1]) if paired else kernel[1]


def _oriented(call: KernelCall, *, transposed: bool) -> Plane:
    """The plane of a call, whose size is still to be found."""
    kernel, stride, _ = window_of(call.graph, call.op)
    inputs, outputs = (call.input.shape[1], call.input.shape[2]), (call.output.shape[1], call.output.shape[2])
    padding = (call.padding[0], call.padding[2])
    if transposed:
        inputs, outputs, kernel, stride, padding = map(_swapped, (inputs, outputs, kernel, stride, padding))
    return Plane(transposed, inputs, outputs, kernel, stride, padding, (0, 0))


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


def _has_planes(call: KernelCall) -> bool:
    """Depth multiplier 1 and no dilation."""
    attributes = call.op.attributes
    return (
        isinstance(attributes, DepthwiseConv2DAttributes)
        and attributes.depth_multiplier == 1
        and attributes.dilation == (1, 1)
    )


def _is_planar(call: KernelCall) -> bool:
    """Scratch is smaller than the input, so that in place never takes more than twice the input."""
    return (
        _has_planes(call)
        and max(plane_of(call).size) <= MAX_DIMENSION
        and _planar_scratch_bytes(call, overlapped=True) < call.input.size_bytes
    )


def _has_half_planes(call: KernelCall, paired: bool) -> bool:
    """Scratch is smaller than the input, so that in place never takes more than twice the input."""
    return (
        _has_planes(call)
        and max(half_plane_of(call, paired).size) <= MAX_DIMENSION
        and _half_plane_scratch_bytes(call, paired) < call.input.size_bytes
    )


def _has_half_planes_3x3(call: KernelCall, paired: bool) -> bool:
    return _has_half_planes(call, paired) and half_plane_of(call, paired).kernel == (3, 3)


_TABLE_WORDS = 19  # of a channel beside its weights: firmware/include/tinynas/depthwise_half_planes.h


def _half_plane_scratch_bytes(call: KernelCall, paired: bool) -> int:
    """One channel's table, and its plane of words."""
    plane = half_plane_of(call, paired)
    weights = plane.kernel[0] * half_row_words(plane.kernel, paired)
    return WORD * (_TABLE_WORDS + weights + plane.size[0] * plane.size[1])


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


def _half_plane_features(call: KernelCall, paired: bool) -> dict[str, float]:
    channels = call.output.shape[3]
    plane = half_plane_of(call, paired)
    (rows, _), (height, width), kernel = plane.size, plane.inputs, plane.kernel
    first = range(-plane.padding[0], rows - plane.padding[0])
    apart = plane.outputs[0] // 2 * plane.stride[0]
    whole = sum(row >= 0 and row + apart < height for row in first)
    upper = sum(0 <= row < height for row in first) - whole
    lower = sum(0 <= row + apart < height for row in first) - whole
    weights = half_row_words(kernel, paired)
    sums = channels * pairs(plane.outputs[0]) * plane.outputs[1]
    return {
        "calls": 1,
        "filled": plane.size[0] * plane.size[1],
        "planes": channels,
        "whole_planes": channels * (whole > 0),
        "whole_rows": channels * whole,
        "whole_pairs": channels * whole * pairs(width),
        "whole_words": channels * whole * width,
        "border_rows": channels * (rows - whole),
        "border_upper": channels * upper,
        "border_lower": channels * lower,
        "border_words": channels * (rows - whole) * width,
        "weight_rows": channels * kernel[0],
        "weights": channels * kernel[0] * kernel[1],
        "weight_ends": channels * kernel[0] * (weights - kernel[1]),
        "rows": channels * pairs(plane.outputs[0]),
        "sums": sums,
        "tap_rows": sums * kernel[0],
        "taps": sums * kernel[0] * pairs(weights),
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


_HALF_PLANE_LOOPS = {
    "filled": "words of a padded plane",
    "planes": "channels",
    "whole_planes": "those that have rows of the plane of which both halves lie in the input",
    "whole_rows": "such rows, over all channels",
    "whole_pairs": "pairs of words gathered there, an odd one counted as a pair",
    "whole_words": "words gathered there",
    "border_rows": "the other rows of the plane, over all channels",
    "border_upper": "those whose upper half lies in the input",
    "border_lower": "those whose lower half lies in the input",
    "border_words": "words gathered there",
    "weight_rows": "rows of weights, over all channels",
    "weights": "weights in them",
    "weight_ends": "zeros that make a row even",
    "rows": "rows of half the output, over all channels",
    "sums": "outputs of half the output: two are computed at once",
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
        instruction_sets=ALL_INSTRUCTION_SETS - {InstructionSet.ARMV6M},
        in_place=True,
        shrinks=_shrinks,
        scratch_bytes=lambda call: _planar_scratch_bytes(call, overlapped),
    )


def _of_half_planes(name: str, applies: Callable[[KernelCall, bool], bool], *, paired: bool) -> KernelVariant:
    """A kernel for Armv6-M that computes channel by channel, two halves of a plane at once."""
    return KernelVariant(
        name=name,
        kinds=(OpKind.DEPTHWISE_CONV_2D,),
        source=f"{name}.c",
        helpers=("clamp_outputs.c", "depthwise_half_planes.c"),
        symbol=f"tn_{name}",
        parameters="tn_depthwise_planar_params",
        applies=lambda call: applies(call, paired),
        constant_bytes=_planar_constants,
        features=lambda call: _half_plane_features(call, paired),
        loops=_HALF_PLANE_LOOPS,
        instruction_sets=frozenset({InstructionSet.ARMV6M}),
        in_place=True,
        shrinks=_shrinks,
        scratch_bytes=lambda call: _half_plane_scratch_bytes(call, paired),
    )


HALF_PLANES_3X3 = _of_half_planes("depthwise_conv_2d_half_planes_3x3", _has_half_planes_3x3, paired=False)
HALF_PLANES = _of_half_planes("depthwise_conv_2d_half_planes", _has_half_planes, paired=True)

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
