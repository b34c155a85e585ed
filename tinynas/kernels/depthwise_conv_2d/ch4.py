"""Depthwise 3x3 convolutions of stride 2, four channels at a time from three rows in scratch."""

from __future__ import annotations

import numpy as np

from tinynas.graph import DepthwiseConv2DAttributes, OpKind
from tinynas.kernels._channel_scales import channel_scales, is_general
from tinynas.kernels._clamp import CLAMP_LOOPS, clamp_features
from tinynas.kernels._constants import WORD, StepConstants, stream_words
from tinynas.kernels._kernel import MAX_DIMENSION, InstructionSet, KernelCall, KernelVariant
from tinynas.kernels._weights import by_output
from tinynas.kernels.depthwise_conv_2d.parameters import PARAMETERS, plane_fields
from tinynas.kernels.depthwise_conv_2d.planes import has_planes, plane_of_quads, shrinks

_QUAD = 4  # channels at a time: depthwise_conv_2d_3x3_stride_2_quads.c
_QUADS_SIDE = 3


def _quads_scratch_bytes(call: KernelCall) -> int:
    """Four channels' weights in pairs and their scales, and three rows of four bytes for each column."""
    return WORD * (2 * _QUADS_SIDE**2 + 4 * _QUAD + _QUADS_SIDE * plane_of_quads(call).size[1])


def _quads_constants(call: KernelCall) -> int:
    """For each four channels the weights in bytes, four biases, four multipliers, and four shifts in bytes."""
    of_quad = WORD * (_QUADS_SIDE**2 + 2 * _QUAD + 1)
    return call.output.shape[3] // _QUAD * of_quad + PARAMETERS.size_bytes


def _is_quads(call: KernelCall) -> bool:
    """A 3x3 window of stride 2 over channels in fours, as padding SAME or VALID has it, and little scratch."""
    attributes = call.op.attributes
    return (
        has_planes(call)
        and isinstance(attributes, DepthwiseConv2DAttributes)
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
    prefix = "general_" if is_general(call) else ""
    return dict.fromkeys(_LOOPS, 0.0) | {
        "calls": 1,
        "filled": plane.size[1],
        f"{prefix}planes": quads,
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
    stream = np.column_stack((taps, scales, shifts)).astype(np.int32).view(np.uint32)
    fields = plane_fields(call, name, plane_of_quads(call)) | {"general": int(scaling.general)}
    return StepConstants((stream_words(f"{name}_constants", stream),), fields, {})


_LOOPS = {
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
    "general_planes": "groups of a layer that needs the general requantization",
    "general_rows": "output rows of such a layer, over all groups",
    "general_sums": "output pixels in them",
    **CLAMP_LOOPS,
}


QUADS = KernelVariant(
    name="depthwise_conv_2d_3x3_stride_2_quads",
    kinds=(OpKind.DEPTHWISE_CONV_2D,),
    source="depthwise_conv_2d/depthwise_conv_2d_3x3_stride_2_quads.c",
    helpers=("arithmetic/clamp_outputs.c",),
    symbol="tn_depthwise_conv_2d_3x3_stride_2_quads",
    parameters=PARAMETERS,
    applies=_is_quads,
    constant_bytes=_quads_constants,
    pack=_pack,
    features=_quads_features,
    loops=_LOOPS,
    instruction_sets=frozenset({InstructionSet.DSP}),
    in_place=True,
    shrinks=shrinks,
    scratch_bytes=_quads_scratch_bytes,
)
"""3x3 with stride 2, four channels at a time."""
