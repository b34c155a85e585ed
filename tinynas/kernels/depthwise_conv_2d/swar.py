"""The depthwise convolutions of Armv6-M: one multiplication for a tap of two outputs, half a plane apart."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tinynas.graph import OpKind
from tinynas.kernels._channel_scales import LARGEST_SUM_OF_THREE_PARTS, channel_scales, is_general
from tinynas.kernels._clamp import CLAMP_LOOPS, clamp_features
from tinynas.kernels._constants import WORD, Fields, StepConstants
from tinynas.kernels._kernel import MAX_DIMENSION, InstructionSet, KernelCall, KernelVariant, pairs
from tinynas.kernels._weights import SMALLEST_WEIGHT, weights_of
from tinynas.kernels.depthwise_conv_2d.parameters import (
    PARAMETERS,
    planar_constants,
    plane_constants,
    weights_of_planes,
)
from tinynas.kernels.depthwise_conv_2d.planes import half_plane_of, half_row_words, has_planes, shrinks

_TABLE_WORDS = 19  # of a channel beside its weights: firmware/kernels/depthwise_conv_2d/depthwise_half_planes.h


def _has_half_planes(call: KernelCall, paired: bool) -> bool:
    """Scratch is smaller than the input, so that in place never takes more than twice the input."""
    return (
        has_planes(call)
        and max(half_plane_of(call, paired).size) <= MAX_DIMENSION
        and _half_plane_scratch_bytes(call, paired) < call.input.size_bytes
    )


def _has_half_planes_3x3(call: KernelCall, paired: bool) -> bool:
    return _has_half_planes(call, paired) and half_plane_of(call, paired).kernel == (3, 3)


def _half_plane_scratch_bytes(call: KernelCall, paired: bool) -> int:
    """One channel's table, and its plane of words."""
    plane = half_plane_of(call, paired)
    weights = plane.kernel[0] * half_row_words(plane.kernel, paired)
    return WORD * (_TABLE_WORDS + weights + plane.size[0] * plane.size[1])


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
    half_rows = channels * pairs(plane.outputs[0])
    sums = half_rows * plane.outputs[1]
    features = dict.fromkeys(_HALF_PLANE_LOOPS, 0.0) | {
        "filled": plane.size[0] * plane.size[1],
        "whole_planes": channels * (whole > 0),
        "whole_rows": channels * whole,
        "whole_pairs": channels * whole * pairs(width),
        "whole_words": channels * whole * width,
        "border_rows": channels * (rows - whole),
        "border_upper": channels * upper,
        "border_lower": channels * lower,
        "border_words": channels * (rows - whole) * width,
    }
    if _is_general_in_half_planes(call):
        features |= {
            "general_planes": channels,
            "general_rows": half_rows,
            "general_sums": sums,
            "general_tap_rows": sums * kernel[0],
            "general_taps": sums * kernel[0] * kernel[1],
        }
    else:
        features |= {
            "planes": channels,
            "weight_rows": channels * kernel[0],
            "weights": channels * kernel[0] * kernel[1],
            "weight_ends": channels * kernel[0] * (weights - kernel[1]),
            "rows": half_rows,
            "sums": sums,
            "tap_rows": sums * kernel[0],
            "taps": sums * kernel[0] * pairs(weights),
        }
    return {"calls": 1, **features, **clamp_features(call)}


def _is_general_in_half_planes(call: KernelCall) -> bool:
    """Whether a layer needs the general way: for its scales and sums, or since a weight is -128."""
    return call.has_constants and (
        is_general(call, LARGEST_SUM_OF_THREE_PARTS) or bool((weights_of(call) == SMALLEST_WEIGHT).any())
    )


def _pack(call: KernelCall, name: str, *, paired: bool) -> StepConstants:
    plane = half_plane_of(call, paired)
    by_channel = weights_of_planes(call, plane)
    own: Fields = {
        "general": int(_is_general_in_half_planes(call)),
        "overlapped": 0,
        "row_words": half_row_words(plane.kernel, paired),
    }
    return plane_constants(call, name, plane, by_channel, channel_scales(call), own)


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
    "general_planes": "channels of a layer that needs the general requantization",
    "general_rows": "rows of half the output of such a layer, over all channels",
    "general_sums": "outputs of half the output in them: two are computed at once",
    "general_tap_rows": "rows of the window, over these sums",
    "general_taps": "taps in these rows: two MACs each",
}


def _of_half_planes(name: str, applies: Callable[[KernelCall, bool], bool], *, paired: bool) -> KernelVariant:
    """A kernel for Armv6-M that computes channel by channel, two halves of a plane at once."""
    return KernelVariant(
        name=name,
        kinds=(OpKind.DEPTHWISE_CONV_2D,),
        source=f"depthwise_conv_2d/{name}.c",
        helpers=("arithmetic/clamp_outputs.c", "depthwise_conv_2d/depthwise_half_planes.c"),
        symbol=f"tn_{name}",
        parameters=PARAMETERS,
        applies=lambda call: applies(call, paired),
        constant_bytes=planar_constants,
        pack=partial(_pack, paired=paired),
        features=lambda call: _half_plane_features(call, paired),
        loops={**_HALF_PLANE_LOOPS, **CLAMP_LOOPS},
        instruction_sets=frozenset({InstructionSet.ARMV6M}),
        in_place=True,
        shrinks=shrinks,
        scratch_bytes=lambda call: _half_plane_scratch_bytes(call, paired),
    )


HALF_PLANES_3X3 = _of_half_planes("depthwise_conv_2d_half_planes_3x3", _has_half_planes_3x3, paired=False)
HALF_PLANES = _of_half_planes("depthwise_conv_2d_half_planes", _has_half_planes, paired=True)
