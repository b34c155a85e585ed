"""The kernels without weights: pooling, element-wise arithmetic, reductions and data movement."""

from __future__ import annotations

import math

from tinynas.graph import ConcatenationAttributes, MeanAttributes, OpKind, Tensor
from tinynas.graph.fixed_point import (
    SOFTMAX_ACCUMULATION_INTEGER_BITS,
    AddPlane,
    Multiplier,
    add_parameters,
    add_plane,
)
from tinynas.lowering._channel_scales import MOST_RIGHT_SHIFT
from tinynas.lowering._clamp import CLAMP_LOOPS, activation_range, clamp_features
from tinynas.lowering._geometry import valid_taps, window_of
from tinynas.lowering._variants import (
    POINTER,
    STRUCTURE_BYTES,
    KernelCall,
    KernelVariant,
    always,
    structure_and_operands,
    structure_only,
    words,
)
from tinynas.lowering._weights import quantization_of

_MAX_RANK = 4
_FOUR = 4
"""Elements that ADD computes in a round on cores with DSP instructions."""
_HALF = 1 << 30  # a multiplier of one half
_MOST_RIGHT_SHIFT_OF_OPERAND = 31


def _low_rank(call: KernelCall) -> bool:
    return all(len(t.shape) <= _MAX_RANK for t in (*call.operands, call.output))


def _rank_4(tensor: Tensor) -> tuple[int, ...]:
    return (1,) * (_MAX_RANK - len(tensor.shape)) + tensor.shape


def _pool_features(call: KernelCall) -> dict[str, float]:
    filter_size, stride, _ = window_of(call.graph, call.op)
    (tap_rows, _), (tap_columns, _) = (
        valid_taps(call.input.shape[1 + i], call.output.shape[1 + i], filter_size[i], stride[i], 1, call.padding[2 * i])
        for i in range(2)
    )
    _, height, width, channels = call.output.shape
    return {
        "calls": 1,
        "rows": height,
        "pixels": height * width,
        "elements": call.output.elements,
        "tap_rows": tap_rows * width * channels,
        "taps": tap_rows * tap_columns * channels,
    }


_POOL_LOOPS = {
    "rows": "output rows",
    "pixels": "output pixels",
    "elements": "output elements",
    "tap_rows": "rows of the window inside the input, over all output elements",
    "taps": "taps of the window inside the input, over all output elements",
}

AVERAGE_POOL_2D = KernelVariant(
    name="average_pool_2d",
    kinds=(OpKind.AVERAGE_POOL_2D,),
    source="pooling/average_pool_2d.c",
    helpers=("arithmetic/clamp_outputs.c",),
    symbol="tn_average_pool_2d",
    parameters="tn_pool_2d_params",
    applies=always,
    constant_bytes=structure_only("tn_pool_2d_params"),
    features=lambda call: _pool_features(call) | clamp_features(call),
    loops={**_POOL_LOOPS, **CLAMP_LOOPS},
)

MAX_POOL_2D = KernelVariant(
    name="max_pool_2d",
    kinds=(OpKind.MAX_POOL_2D,),
    source="pooling/max_pool_2d.c",
    symbol="tn_max_pool_2d",
    parameters="tn_pool_2d_params",
    applies=always,
    constant_bytes=structure_only("tn_pool_2d_params"),
    features=_pool_features,
    loops=_POOL_LOOPS,
)


def _same_shape(call: KernelCall) -> bool:
    a, b = call.operands
    return a.shape == b.shape


def _element_features(call: KernelCall) -> dict[str, float]:
    return {"calls": 1, "elements": call.output.elements}


def _broadcast_features(call: KernelCall) -> dict[str, float]:
    shape = _rank_4(call.output)
    planes = math.prod(shape[:2])
    return {"calls": 1, "planes": planes, "rows": planes * shape[2], "elements": call.output.elements}


def _add_features(call: KernelCall) -> dict[str, float]:
    elements = call.output.elements
    features = dict.fromkeys(_ADD_LOOPS, 0.0)
    # Nearly all have a plane: so has a call whose tensors have no quantization yet.
    if not _is_quantized(call) or plane_of_add(call) is not None:
        features |= {"elements": elements, "fours": elements // _FOUR} | clamp_features(call)
    elif _has_short_scales(call):
        features |= {"calls_without_plane": 1, "elements_without_plane": elements} | clamp_features(call)
    else:
        features |= {"general_calls": 1, "general_elements": elements}
    return {"calls": 1, **features}


def _is_quantized(call: KernelCall) -> bool:
    return all(t.quantization is not None for t in (*call.operands, call.output))


def _has_short_scales(call: KernelCall) -> bool:
    """Whether an ADD without a plane is within the limits of the short requantization: `in_order` in `add.c`."""
    a, b = map(quantization_of, call.operands)
    parameters = add_parameters(a, b, quantization_of(call.output))
    larger, smaller = sorted((parameters.input1, parameters.input2), key=_is_half, reverse=True)
    return (
        _is_half(larger)
        and (_is_half(smaller) or -_MOST_RIGHT_SHIFT_OF_OPERAND < smaller.shift < 0)
        and -MOST_RIGHT_SHIFT <= parameters.output.shift < 0
    )


def _is_half(multiplier: Multiplier) -> bool:
    return multiplier.value == _HALF and multiplier.shift == 0


def plane_of_add(call: KernelCall) -> AddPlane | None:
    """The plane by which an ADD of equal shapes is computed; None where it has none."""
    a, b = map(quantization_of, call.operands)
    return add_plane(a, b, quantization_of(call.output), *activation_range(call))


_ADD_LOOPS = {
    "elements": "output elements computed as a plane",
    "fours": "whole fours of them",
    "calls_without_plane": "calls that cannot be computed as a plane",
    "elements_without_plane": "output elements of these calls",
    "general_calls": "calls that need the general requantization besides",
    "general_elements": "output elements of these",
    **CLAMP_LOOPS,
}

_ELEMENT_LOOPS = {"elements": "output elements"}
_BROADCAST_LOOPS = {
    "planes": "output elements without the last two dimensions",
    "rows": "output elements without the last dimension",
    "elements": "output elements",
}

ADD = KernelVariant(
    name="add",
    kinds=(OpKind.ADD,),
    source="elementwise/add.c",
    helpers=("arithmetic/clamp_outputs.c",),
    symbol="tn_add",
    parameters="tn_add_params",
    applies=_same_shape,
    constant_bytes=structure_and_operands("tn_add_params"),
    features=_add_features,
    loops=_ADD_LOOPS,
    in_place=True,
)

ADD_BROADCAST = KernelVariant(
    name="add_broadcast",
    kinds=(OpKind.ADD,),
    source="elementwise/add_broadcast.c",
    symbol="tn_add_broadcast",
    parameters="tn_add_broadcast_params",
    applies=_low_rank,
    constant_bytes=structure_and_operands("tn_add_broadcast_params"),
    features=_broadcast_features,
    loops=_BROADCAST_LOOPS,
    in_place=True,
)

MUL = KernelVariant(
    name="mul",
    kinds=(OpKind.MUL,),
    source="elementwise/mul.c",
    symbol="tn_mul",
    parameters="tn_mul_params",
    applies=_same_shape,
    constant_bytes=structure_and_operands("tn_mul_params"),
    features=_element_features,
    loops=_ELEMENT_LOOPS,
    in_place=True,
)

MUL_BROADCAST = KernelVariant(
    name="mul_broadcast",
    kinds=(OpKind.MUL,),
    source="elementwise/mul_broadcast.c",
    symbol="tn_mul_broadcast",
    parameters="tn_mul_broadcast_params",
    applies=_low_rank,
    constant_bytes=structure_and_operands("tn_mul_broadcast_params"),
    features=_broadcast_features,
    loops=_BROADCAST_LOOPS,
    in_place=True,
)

REQUANTIZE = KernelVariant(
    name="requantize",
    kinds=(OpKind.QUANTIZE,),
    source="elementwise/requantize.c",
    symbol="tn_requantize",
    parameters="tn_requantize_params",
    applies=always,
    constant_bytes=structure_only("tn_requantize_params"),
    features=_element_features,
    loops=_ELEMENT_LOOPS,
    in_place=True,
)


def _concatenation_constants(call: KernelCall) -> int:
    per_input = POINTER + 4  # its address and its int32 size
    tables = per_input * len(call.operands)
    return STRUCTURE_BYTES["tn_concatenation_params"] + tables + call.constant_operand_bytes


def _concatenation_features(call: KernelCall) -> dict[str, float]:
    assert isinstance(call.op.attributes, ConcatenationAttributes)
    outer = math.prod(call.output.shape[: call.op.attributes.axis])
    return {
        "calls": 1,
        "outer": outer,
        "runs": outer * len(call.operands),
        "elements": call.output.elements,
    }


CONCATENATION = KernelVariant(
    name="concatenation",
    kinds=(OpKind.CONCATENATION,),
    source="layout/concatenation.c",
    symbol="tn_concatenation",
    parameters="tn_concatenation_params",
    applies=always,
    constant_bytes=_concatenation_constants,
    features=_concatenation_features,
    loops={"outer": "output slices before the axis", "runs": "contiguous runs copied", "elements": "output elements"},
)


def _output_rows_features(call: KernelCall) -> dict[str, float]:
    shape = _rank_4(call.output)
    return {
        "calls": 1,
        "planes": math.prod(shape[:2]),
        "rows": math.prod(shape[:3]),
        "elements": call.output.elements,
    }


def _pad_features(call: KernelCall) -> dict[str, float]:
    shape = _rank_4(call.input)
    return {
        "calls": 1,
        "planes": math.prod(shape[:2]),
        "rows": math.prod(shape[:3]),
        "copied": call.input.elements,
        "filled": call.output.elements,
    }


PAD = KernelVariant(
    name="pad",
    kinds=(OpKind.PAD,),
    source="layout/pad.c",
    symbol="tn_pad",
    parameters="tn_pad_params",
    applies=_low_rank,
    constant_bytes=structure_only("tn_pad_params"),
    features=_pad_features,
    loops={
        "planes": "input elements without the last two dimensions",
        "rows": "input elements without the last dimension",
        "copied": "input elements",
        "filled": "output elements",
    },
)


def reduced_view(call: KernelCall) -> tuple[int, int, int] | None:
    """The input of a MEAN as (outer, reduced, inner), or None where the axes are not adjacent."""
    assert isinstance(call.op.attributes, MeanAttributes)
    shape = call.input.shape
    axes = [axis for axis in call.op.attributes.axes if shape[axis] > 1] or [call.op.attributes.axes[0]]
    first, last = axes[0], axes[-1]
    if any(shape[axis] > 1 and axis not in axes for axis in range(first, last)):
        return None
    return math.prod(shape[:first]), math.prod(shape[first : last + 1]), math.prod(shape[last + 1 :])


def _mean_features(call: KernelCall) -> dict[str, float]:
    view = reduced_view(call)
    assert view is not None
    return {"calls": 1, "outer": view[0], "elements": view[0] * view[2], "taps": math.prod(view)}


MEAN = KernelVariant(
    name="mean",
    kinds=(OpKind.MEAN,),
    source="reduction/mean.c",
    symbol="tn_mean",
    parameters="tn_mean_params",
    applies=lambda call: reduced_view(call) is not None,
    constant_bytes=structure_only("tn_mean_params"),
    features=_mean_features,
    loops={"outer": "outer slices", "elements": "output elements", "taps": "input elements"},
)


def _softmax_features(call: KernelCall) -> dict[str, float]:
    return {"calls": 1, "rows": call.input.elements // call.input.shape[-1], "elements": call.input.elements}


_SOFTMAX_DEPTH_LIMIT = 1 << SOFTMAX_ACCUMULATION_INTEGER_BITS  # a longer row may overflow the sum of exponentials

SOFTMAX = KernelVariant(
    name="softmax",
    kinds=(OpKind.SOFTMAX,),
    source="softmax/softmax.c",
    symbol="tn_softmax",
    parameters="tn_softmax_params",
    applies=lambda call: call.input.shape[-1] < _SOFTMAX_DEPTH_LIMIT,
    constant_bytes=structure_only("tn_softmax_params"),
    features=_softmax_features,
    loops={"rows": "rows", "elements": "output elements"},
)


def _resize_constants(call: KernelCall) -> int:
    _, height, width, _ = call.output.shape
    return STRUCTURE_BYTES["tn_resize_nearest_neighbor_params"] + words(2 * height) + words(2 * width)


RESIZE_NEAREST_NEIGHBOR = KernelVariant(
    name="resize_nearest_neighbor",
    kinds=(OpKind.RESIZE_NEAREST_NEIGHBOR,),
    source="layout/resize_nearest_neighbor.c",
    symbol="tn_resize_nearest_neighbor",
    parameters="tn_resize_nearest_neighbor_params",
    applies=always,
    constant_bytes=_resize_constants,
    features=_output_rows_features,
    loops={"planes": "output rows", "rows": "output pixels", "elements": "output elements"},
)

TRANSPOSE = KernelVariant(
    name="transpose",
    kinds=(OpKind.TRANSPOSE,),
    source="layout/transpose.c",
    symbol="tn_transpose",
    parameters="tn_transpose_params",
    applies=_low_rank,
    constant_bytes=structure_only("tn_transpose_params"),
    features=_output_rows_features,
    loops=_BROADCAST_LOOPS,
)
