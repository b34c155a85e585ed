"""QUANTIZE from int8 to int8."""

from __future__ import annotations

from tinynas.graph import OpKind
from tinynas.graph.fixed_point import requantization_multiplier
from tinynas.kernels._constants import StepConstants
from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure, always, structure_only
from tinynas.kernels._weights import quantization_of
from tinynas.kernels.elementwise.operands import ELEMENT_LOOPS, element_features

_PARAMETERS = ParameterStructure("tn_requantize_params", 16)


def _pack(call: KernelCall, name: str) -> StepConstants:
    x, output = quantization_of(call.input), quantization_of(call.output)
    multiplier = requantization_multiplier(x, output)
    return StepConstants(
        (),
        {
            "count": call.output.elements,
            "multiplier": multiplier.value,
            "input_zero_point": x.zero_point,
            "output_zero_point": output.zero_point,
            "shift": multiplier.shift,
        },
        {},
    )


REQUANTIZE = KernelVariant(
    name="requantize",
    kinds=(OpKind.QUANTIZE,),
    source="elementwise/requantize.c",
    symbol="tn_requantize",
    parameters=_PARAMETERS,
    applies=always,
    constant_bytes=structure_only(_PARAMETERS),
    pack=_pack,
    features=element_features,
    loops=ELEMENT_LOOPS,
    in_place=True,
)
