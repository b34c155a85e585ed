"""The depthwise convolutions that compute channel by channel over a gathered buffer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tinynas.graph import OpKind
from tinynas.kernels._channel_scales import channel_scales, is_general
from tinynas.kernels._clamp import CLAMP_LOOPS, clamp_features
from tinynas.kernels._constants import WORD, Fields, StepConstants
from tinynas.kernels._kernel import (
    ALL_INSTRUCTION_SETS,
    MAX_DIMENSION,
    InstructionSet,
    KernelCall,
    KernelVariant,
    pairs,
)
from tinynas.kernels.depthwise_conv_2d.buffers import ChannelBuffer, channel_buffer_of, has_channel_buffer, shrinks
from tinynas.kernels.depthwise_conv_2d.parameters import (
    PARAMETERS,
    channel_constant_bytes,
    channel_constants,
    weights_by_channel,
)

_HELPERS = ("arithmetic/clamp_outputs.c", "depthwise_conv_2d/channel_buffer.c")


def _row_words(buffer: ChannelBuffer, overlapped: bool) -> int:
    """Words of weights for each row of the window.

    Overlapped, w0 w1, w2 w3 for one output are followed by w1 w2, w3 w4 for its neighbour; the first weight and the
    last are used alone, and the width is odd. Otherwise w0 w1, w2 w3, w4 0.
    """
    width = buffer.kernel[1]
    return width - 1 if overlapped else pairs(width)


def _scratch_bytes(buffer: ChannelBuffer, overlapped: bool) -> int:
    """One channel's weights in pairs, and its buffer of int16."""
    return WORD * buffer.kernel[0] * _row_words(buffer, overlapped) + 2 * buffer.size[0] * buffer.size[1]


def _with_room(call: KernelCall) -> ChannelBuffer | None:
    """The buffer of a call whose scratch is smaller than its input: in place never takes more than twice the input."""
    if not has_channel_buffer(call):
        return None
    buffer = channel_buffer_of(call)
    has_room = max(buffer.size) <= MAX_DIMENSION and _scratch_bytes(buffer, overlapped=True) < call.input.size_bytes
    return buffer if has_room else None


def _is_3x3(call: KernelCall, stride: int) -> bool:
    if call.weights.shape[1:3] != (3, 3):
        return False
    buffer = _with_room(call)
    return buffer is not None and buffer.stride[1] == stride


def _is_wide(call: KernelCall, width: int, stride: int) -> bool:
    if width not in call.weights.shape[1:3]:
        return False
    buffer = _with_room(call)
    return buffer is not None and buffer.kernel[1] == width and buffer.stride[1] == stride


def _features(call: KernelCall, overlapped: bool) -> dict[str, float]:
    channels = call.output.shape[3]
    buffer = channel_buffer_of(call)
    (height, width), (input_height, input_width), kernel = buffer.outputs, buffer.inputs, buffer.kernel
    in_row = _row_words(buffer, overlapped)
    weight_rows, rows = channels * kernel[0], channels * height
    features = dict.fromkeys(_LOOPS, 0.0) | {
        "filled": buffer.size[0] * buffer.size[1] // 2,
        "gathered_rows": channels * input_height,
        "gathered_in_quads": channels * input_height * (input_width >= 4),
        "gathered_quads": channels * input_height * (input_width // 4),
        "gathered_with_tails": channels * input_height * (input_width % 4 > 0),
        "gathered_tails": channels * input_height * (input_width % 4),
    }
    if is_general(call):
        features |= {
            "general_channels": channels,
            "general_rows": rows,
            "general_sums": rows * width,
            "general_tap_rows": rows * width * kernel[0],
            "general_with_threes": rows * width * kernel[0] * (kernel[1] >= 3),
            "general_threes": rows * width * kernel[0] * (kernel[1] // 3),
            "general_with_taps": rows * width * kernel[0] * (kernel[1] % 3 > 0),
            "general_taps": rows * width * kernel[0] * (kernel[1] % 3),
        }
    else:
        features |= {
            "channels": channels,
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
    return {"calls": 1, **features, **clamp_features(call)}


def _pack(call: KernelCall, name: str, *, overlapped: bool) -> StepConstants:
    buffer = channel_buffer_of(call)
    by_channel = weights_by_channel(call, buffer)
    scaling = channel_scales(call)
    own: Fields = {
        "general": int(scaling.general),
        "overlapped": int(overlapped),
        "row_words": _row_words(buffer, overlapped),
    }
    return channel_constants(call, name, buffer, by_channel, scaling, own)


_LOOPS = {
    "filled": "pairs of elements of a padded buffer",
    "channels": "channels",
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
    "general_channels": "channels of a layer that needs the general requantization",
    "general_rows": "output rows of such a layer, over all channels",
    "general_sums": "outputs in them",
    "general_tap_rows": "rows of the window, over these outputs",
    "general_with_threes": "those of three taps or more",
    "general_threes": "three taps at once in these rows",
    "general_with_taps": "rows with taps that three leave over",
    "general_taps": "taps that three leave over in them",
}


def _channel_buffer(name: str, applies: Callable[[KernelCall], bool], *, overlapped: bool) -> KernelVariant:
    """A kernel that computes channel by channel over a gathered buffer."""
    return KernelVariant(
        name=name,
        kinds=(OpKind.DEPTHWISE_CONV_2D,),
        source=f"depthwise_conv_2d/{name}.c",
        helpers=_HELPERS,
        symbol=f"tn_{name}",
        parameters=PARAMETERS,
        applies=applies,
        constant_bytes=channel_constant_bytes,
        pack=partial(_pack, overlapped=overlapped),
        features=lambda call: _features(call, overlapped),
        loops={**_LOOPS, **CLAMP_LOOPS},
        instruction_sets=ALL_INSTRUCTION_SETS - {InstructionSet.ARMV6M},
        in_place=True,
        shrinks=shrinks,
        scratch_bytes=lambda call: _scratch_bytes(channel_buffer_of(call), overlapped),
    )


OVERLAPPED = (
    _channel_buffer("depthwise_conv_2d_3x3", lambda call: _is_3x3(call, stride=1), overlapped=True),
    _channel_buffer("depthwise_conv_2d_3x3_stride_2", lambda call: _is_3x3(call, stride=2), overlapped=True),
    _channel_buffer("depthwise_conv_2d_width_5", lambda call: _is_wide(call, width=5, stride=1), overlapped=True),
    _channel_buffer("depthwise_conv_2d_width_7", lambda call: _is_wide(call, width=7, stride=1), overlapped=True),
)
"""The kernels that want every weight in two pairs."""

PAIRED = (
    _channel_buffer(
        "depthwise_conv_2d_width_5_stride_2", lambda call: _is_wide(call, width=5, stride=2), overlapped=False
    ),
    _channel_buffer(
        "depthwise_conv_2d_width_7_stride_2", lambda call: _is_wide(call, width=7, stride=2), overlapped=False
    ),
    _channel_buffer("depthwise_conv_2d_channel_buffer", lambda call: _with_room(call) is not None, overlapped=False),
)
"""The kernels that want every weight in one pair, that of any window last."""
