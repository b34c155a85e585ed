"""Depthwise 3x3 convolutions of stride 1 or 2, four channels at a time from three rows in scratch."""

from __future__ import annotations

from functools import partial

import numpy as np

from tinynas.graph import DepthwiseConv2DAttributes, OpKind
from tinynas.kernels._channel_scales import channel_scales, is_general
from tinynas.kernels._clamp import CLAMP_LOOPS, clamp_features
from tinynas.kernels._constants import WORD, StepConstants, word_array
from tinynas.kernels._kernel import MAX_DIMENSION, InstructionSet, KernelCall, KernelVariant
from tinynas.kernels._weights import by_output
from tinynas.kernels.depthwise_conv_2d.buffers import ch4_buffer_of, has_channel_buffer, shrinks
from tinynas.kernels.depthwise_conv_2d.parameters import PARAMETERS, buffer_fields

_CHANNELS = 4  # channels at a time: ch4_rows.h
_SIDE = 3


def _scratch_bytes(call: KernelCall) -> int:
    """Four channels' weights in pairs and their scales, and three rows of four bytes for each column."""
    return WORD * (2 * _SIDE**2 + 4 * _CHANNELS + _SIDE * ch4_buffer_of(call).size[1])


def _constant_bytes(call: KernelCall) -> int:
    """For each four channels the weights in bytes, four biases, four multipliers, and four shifts in bytes."""
    of_four = WORD * (_SIDE**2 + 2 * _CHANNELS + 1)
    return call.output.shape[3] // _CHANNELS * of_four + PARAMETERS.size_bytes


def _applies(call: KernelCall, stride: int) -> bool:
    """A 3x3 window of a stride over channels in fours, as padding SAME or VALID has it, and little scratch."""
    attributes = call.op.attributes
    return (
        has_channel_buffer(call)
        and isinstance(attributes, DepthwiseConv2DAttributes)
        and attributes.stride == (stride, stride)
        and call.weights.shape[1:3] == (_SIDE, _SIDE)
        and call.input.shape[3] % _CHANNELS == 0
        and max(call.padding) <= 1
        and max(ch4_buffer_of(call).size) <= MAX_DIMENSION
        and _scratch_bytes(call) < call.input.size_bytes
    )


def _features(call: KernelCall, stride: int) -> dict[str, float]:
    quads = call.output.shape[3] // _CHANNELS
    buffer = ch4_buffer_of(call)
    (height, width), (input_height, input_width) = buffer.outputs, buffer.inputs
    first = -buffer.padding[0]
    seen = range(first, first + stride * (height - 1) + _SIDE)
    inside = quads * sum(0 <= y < input_height for y in seen)
    outside = quads * len(seen) - inside
    prefix = "general_" if is_general(call) else ""
    return dict.fromkeys(_LOOPS, 0.0) | {
        "calls": 1,
        "filled": buffer.size[1],
        f"{prefix}channels": quads,
        "gathered_rows": inside,
        "gathered_in_quads": inside * (input_width >= 4),
        "gathered_quads": inside * (input_width // 4),
        "gathered_with_tails": inside * (input_width % 4 > 0),
        "gathered_tails": inside * (input_width % 4),
        "padded_rows": outside,
        "padded": outside * input_width,
        f"{prefix}rows": quads * height,
        f"{prefix}sums": quads * height * width,
        **clamp_features(call),
    }


def _pack(call: KernelCall, name: str) -> StepConstants:
    """Four channels at a time: their taps, then their biases and multipliers, then their shifts."""
    channels = call.output.shape[3]
    by_channel = by_output(call).reshape(channels, -1).astype(np.int8)
    scaling = channel_scales(call)
    quads = channels // 4
    taps = by_channel.reshape(quads, 4, -1).transpose(0, 2, 1).reshape(quads, -1).view("<i4")
    scales = np.stack((scaling.bias, scaling.multiplier), axis=1).reshape(quads, 8)
    shifts = (~scaling.shift).astype(np.int8).reshape(quads, 4).view("<i4")
    packed = np.column_stack((taps, scales, shifts)).astype(np.int32).view(np.uint32)
    fields = buffer_fields(call, name, ch4_buffer_of(call)) | {"general": int(scaling.general)}
    return StepConstants((word_array(f"{name}_constants", packed),), fields, {})


_LOOPS = {
    "filled": "columns of a padded buffer",
    "channels": "groups of four channels",
    "gathered_rows": "input rows that windows see, over all groups",
    "gathered_in_quads": "those of four pixels or more",
    "gathered_quads": "four input pixels gathered at once",
    "gathered_with_tails": "input rows that four do not divide",
    "gathered_tails": "input pixels that four left over in a row",
    "padded_rows": "rows of padding above and below, over all groups",
    "padded": "pixels in them",
    "rows": "output rows, over all groups",
    "sums": "output pixels, over all groups: 36 MACs each",
    "general_channels": "groups of a layer that needs the general requantization",
    "general_rows": "output rows of such a layer, over all groups",
    "general_sums": "output pixels in them",
    **CLAMP_LOOPS,
}


def _ch4(name: str, stride: int, *, few_rows: bool) -> KernelVariant:
    return KernelVariant(
        name=name,
        kinds=(OpKind.DEPTHWISE_CONV_2D,),
        source=f"depthwise_conv_2d/{name}.c",
        helpers=("arithmetic/clamp_outputs.c",),
        symbol=f"tn_{name}",
        parameters=PARAMETERS,
        applies=partial(_applies, stride=stride),
        constant_bytes=_constant_bytes,
        pack=_pack,
        features=partial(_features, stride=stride),
        loops=_LOOPS,
        instruction_sets=frozenset({InstructionSet.DSP}),
        few_rows=few_rows,
        in_place=True,
        shrinks=shrinks,
        scratch_bytes=_scratch_bytes,
    )


CH4 = _ch4("depthwise_conv_2d_3x3_ch4", stride=1, few_rows=True)
"""3x3 with stride 1, four channels at a time: slower than a channel buffer where that is filled once."""

CH4_STRIDE_2 = _ch4("depthwise_conv_2d_3x3_stride_2_ch4", stride=2, few_rows=False)
"""3x3 with stride 2, four channels at a time."""
