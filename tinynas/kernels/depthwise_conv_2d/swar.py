"""The depthwise convolutions of Armv6-M: one multiplication for a tap of two outputs, half a buffer apart."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tinynas.graph import OpKind
from tinynas.kernels._channel_scales import LARGEST_SUM_OF_THREE_PARTS, channel_scales, is_general
from tinynas.kernels._clamp import CLAMP_LOOPS, clamp_features
from tinynas.kernels._constants import WORD, Fields, StepConstants
from tinynas.kernels._kernel import MAX_DIMENSION, InstructionSet, KernelCall, KernelVariant, pairs
from tinynas.kernels._weights import SMALLEST_WEIGHT, weights_of
from tinynas.kernels.depthwise_conv_2d.buffers import has_channel_buffer, shrinks, swar_buffer_of, swar_row_words
from tinynas.kernels.depthwise_conv_2d.parameters import (
    PARAMETERS,
    channel_constant_bytes,
    channel_constants,
    weights_by_channel,
)

_TABLE_WORDS = 19  # of a channel beside its weights: firmware/kernels/depthwise_conv_2d/channel_buffer_swar.h


def _has_room(call: KernelCall, paired: bool) -> bool:
    """Scratch is smaller than the input, so that in place never takes more than twice the input."""
    return (
        has_channel_buffer(call)
        and max(swar_buffer_of(call, paired).size) <= MAX_DIMENSION
        and _scratch_bytes(call, paired) < call.input.size_bytes
    )


def _has_room_3x3(call: KernelCall, paired: bool) -> bool:
    return _has_room(call, paired) and swar_buffer_of(call, paired).kernel == (3, 3)


def _scratch_bytes(call: KernelCall, paired: bool) -> int:
    """One channel's table, and its buffer of words."""
    buffer = swar_buffer_of(call, paired)
    weights = buffer.kernel[0] * swar_row_words(buffer.kernel, paired)
    return WORD * (_TABLE_WORDS + weights + buffer.size[0] * buffer.size[1])


def _features(call: KernelCall, paired: bool) -> dict[str, float]:
    channels = call.output.shape[3]
    buffer = swar_buffer_of(call, paired)
    (rows, _), (height, width), kernel = buffer.size, buffer.inputs, buffer.kernel
    first = range(-buffer.padding[0], rows - buffer.padding[0])
    apart = buffer.outputs[0] // 2 * buffer.stride[0]
    whole = sum(row >= 0 and row + apart < height for row in first)
    upper = sum(0 <= row < height for row in first) - whole
    lower = sum(0 <= row + apart < height for row in first) - whole
    weights = swar_row_words(kernel, paired)
    half_rows = channels * pairs(buffer.outputs[0])
    sums = half_rows * buffer.outputs[1]
    features = dict.fromkeys(_LOOPS, 0.0) | {
        "filled": buffer.size[0] * buffer.size[1],
        "whole_channels": channels * (whole > 0),
        "whole_rows": channels * whole,
        "whole_pairs": channels * whole * pairs(width),
        "whole_words": channels * whole * width,
        "border_rows": channels * (rows - whole),
        "border_upper": channels * upper,
        "border_lower": channels * lower,
        "border_words": channels * (rows - whole) * width,
    }
    if _is_general(call):
        features |= {
            "general_channels": channels,
            "general_rows": half_rows,
            "general_sums": sums,
            "general_tap_rows": sums * kernel[0],
            "general_taps": sums * kernel[0] * kernel[1],
        }
    else:
        features |= {
            "channels": channels,
            "weight_rows": channels * kernel[0],
            "weights": channels * kernel[0] * kernel[1],
            "weight_ends": channels * kernel[0] * (weights - kernel[1]),
            "rows": half_rows,
            "sums": sums,
            "tap_rows": sums * kernel[0],
            "taps": sums * kernel[0] * pairs(weights),
        }
    return {"calls": 1, **features, **clamp_features(call)}


def _is_general(call: KernelCall) -> bool:
    """Whether a layer needs the general way: for its scales and sums, or since a weight is -128."""
    return call.has_constants and (
        is_general(call, LARGEST_SUM_OF_THREE_PARTS) or bool((weights_of(call) == SMALLEST_WEIGHT).any())
    )


def _pack(call: KernelCall, name: str, *, paired: bool) -> StepConstants:
    buffer = swar_buffer_of(call, paired)
    by_channel = weights_by_channel(call, buffer)
    own: Fields = {
        "general": int(_is_general(call)),
        "overlapped": 0,
        "row_words": swar_row_words(buffer.kernel, paired),
    }
    return channel_constants(call, name, buffer, by_channel, channel_scales(call), own)


_LOOPS = {
    "filled": "words of a padded buffer",
    "channels": "channels",
    "whole_channels": "those that have rows of the buffer of which both halves lie in the input",
    "whole_rows": "such rows, over all channels",
    "whole_pairs": "pairs of words gathered there, an odd one counted as a pair",
    "whole_words": "words gathered there",
    "border_rows": "the other rows of the buffer, over all channels",
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
    "general_channels": "channels of a layer that needs the general requantization",
    "general_rows": "rows of half the output of such a layer, over all channels",
    "general_sums": "outputs of half the output in them: two are computed at once",
    "general_tap_rows": "rows of the window, over these sums",
    "general_taps": "taps in these rows: two MACs each",
}


def _swar(name: str, applies: Callable[[KernelCall, bool], bool], *, paired: bool) -> KernelVariant:
    """A kernel for Armv6-M that computes channel by channel, two halves of a buffer at once."""
    return KernelVariant(
        name=name,
        kinds=(OpKind.DEPTHWISE_CONV_2D,),
        source=f"depthwise_conv_2d/{name}.c",
        helpers=("arithmetic/clamp_outputs.c", "depthwise_conv_2d/channel_buffer_swar.c"),
        symbol=f"tn_{name}",
        parameters=PARAMETERS,
        applies=lambda call: applies(call, paired),
        constant_bytes=channel_constant_bytes,
        pack=partial(_pack, paired=paired),
        features=lambda call: _features(call, paired),
        loops={**_LOOPS, **CLAMP_LOOPS},
        instruction_sets=frozenset({InstructionSet.ARMV6M}),
        in_place=True,
        shrinks=shrinks,
        scratch_bytes=lambda call: _scratch_bytes(call, paired),
    )


SWAR_3X3 = _swar("depthwise_conv_2d_swar_3x3", _has_room_3x3, paired=False)
SWAR = _swar("depthwise_conv_2d_swar", _has_room, paired=True)
