"""MUL."""

from __future__ import annotations

from tinynas.graph import OpKind
from tinynas.graph.fixed_point import mul_multiplier
from tinynas.kernels._constants import StepConstants
from tinynas.kernels._fields import activation_fields
from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure, structure_and_operands
from tinynas.kernels._weights import quantization_of
from tinynas.kernels.elementwise.operands import (
    ELEMENT_LOOPS,
    broadcast_variant,
    element_features,
    elementwise_constants,
    same_shape,
    zero_points,
)

_PARAMETERS = ParameterStructure("tn_mul_params", 20)
_BROADCAST_PARAMETERS = ParameterStructure("tn_mul_broadcast_params", 64)


def _pack(call: KernelCall, name: str) -> StepConstants:
    return elementwise_constants(call, name, _mul_quantization(call), {"count": call.output.elements})


def _mul_quantization(call: KernelCall) -> dict[str, str | int]:
    a, b = map(quantization_of, call.operands)
    multiplier = mul_multiplier(a, b, quantization_of(call.output))
    return {
        "multiplier": multiplier.value,
        **zero_points(call),
        "shift": multiplier.shift,
        **activation_fields(call),
    }


MUL = KernelVariant(
    name="mul",
    kinds=(OpKind.MUL,),
    source="elementwise/mul.c",
    symbol="tn_mul",
    parameters=_PARAMETERS,
    applies=same_shape,
    constant_bytes=structure_and_operands(_PARAMETERS),
    pack=_pack,
    features=element_features,
    loops=ELEMENT_LOOPS,
    in_place=True,
)


MUL_BROADCAST = broadcast_variant("mul_broadcast", OpKind.MUL, _BROADCAST_PARAMETERS, _mul_quantization)
