"""ADD."""

from __future__ import annotations

from tinynas.graph import OpKind
from tinynas.graph.fixed_point import AddPlane, Multiplier, add_parameters, add_plane
from tinynas.kernels._channel_scales import MOST_RIGHT_SHIFT
from tinynas.kernels._clamp import CLAMP_LOOPS, activation_range, clamp_features
from tinynas.kernels._constants import Fields, StepConstants
from tinynas.kernels._fields import activation_fields
from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure, structure_and_operands
from tinynas.kernels._weights import quantization_of
from tinynas.kernels.elementwise.operands import broadcast_variant, elementwise_constants, same_shape, zero_points

_FOUR = 4
"""Elements that ADD computes in a round on cores with DSP instructions."""
_HALF = 1 << 30  # a multiplier of one half
_MOST_RIGHT_SHIFT_OF_OPERAND = 31
_PARAMETERS = ParameterStructure("tn_add_params", 44)
_BROADCAST_PARAMETERS = ParameterStructure("tn_add_broadcast_params", 72)


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


def _pack(call: KernelCall, name: str) -> StepConstants:
    plane = plane_of_add(call) or AddPlane(0, 0, 0, 0)
    counted: Fields = {"count": call.output.elements, "plane": plane._asdict()}
    return elementwise_constants(call, name, _add_quantization(call), counted)


def _add_quantization(call: KernelCall) -> dict[str, str | int]:
    a, b = map(quantization_of, call.operands)
    parameters = add_parameters(a, b, quantization_of(call.output))
    return {
        "a_multiplier": parameters.input1.value,
        "b_multiplier": parameters.input2.value,
        "output_multiplier": parameters.output.value,
        **zero_points(call),
        "a_shift": parameters.input1.shift,
        "b_shift": parameters.input2.shift,
        "output_shift": parameters.output.shift,
        **activation_fields(call),
    }


_ADD_LOOPS = {
    "elements": "output elements computed as a plane",
    "fours": "whole fours of them",
    "calls_without_plane": "calls that cannot be computed as a plane",
    "elements_without_plane": "output elements of these calls",
    "general_calls": "calls that need the general requantization besides",
    "general_elements": "output elements of these",
    **CLAMP_LOOPS,
}


ADD = KernelVariant(
    name="add",
    kinds=(OpKind.ADD,),
    source="elementwise/add.c",
    helpers=("arithmetic/clamp_outputs.c",),
    symbol="tn_add",
    parameters=_PARAMETERS,
    applies=same_shape,
    constant_bytes=structure_and_operands(_PARAMETERS),
    pack=_pack,
    features=_add_features,
    loops=_ADD_LOOPS,
    in_place=True,
)


ADD_BROADCAST = broadcast_variant("add_broadcast", OpKind.ADD, _BROADCAST_PARAMETERS, _add_quantization)
