"""SOFTMAX."""

from __future__ import annotations

from tinynas.graph import OpKind, SoftmaxAttributes
from tinynas.graph.fixed_point import SOFTMAX_ACCUMULATION_INTEGER_BITS, softmax_parameters
from tinynas.kernels._constants import StepConstants
from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure, structure_only
from tinynas.kernels._weights import quantization_of

_DEPTH_LIMIT = 1 << SOFTMAX_ACCUMULATION_INTEGER_BITS  # a longer row may overflow the sum of exponentials

_PARAMETERS = ParameterStructure("tn_softmax_params", 20)


def _features(call: KernelCall) -> dict[str, float]:
    return {"calls": 1, "rows": call.input.elements // call.input.shape[-1], "elements": call.input.elements}


def _pack(call: KernelCall, name: str) -> StepConstants:
    attributes = call.op.attributes
    assert isinstance(attributes, SoftmaxAttributes)
    parameters = softmax_parameters(quantization_of(call.input).scale, attributes.beta)
    depth = call.input.shape[-1]
    return StepConstants(
        (),
        {
            "rows": call.input.elements // depth,
            "depth": depth,
            "multiplier": parameters.multiplier.value,
            "shift": parameters.multiplier.shift,
            "diff_min": parameters.diff_min,
        },
        {},
    )


SOFTMAX = KernelVariant(
    name="softmax",
    kinds=(OpKind.SOFTMAX,),
    source="softmax/softmax.c",
    symbol="tn_softmax",
    parameters=_PARAMETERS,
    applies=lambda call: call.input.shape[-1] < _DEPTH_LIMIT,
    constant_bytes=structure_only(_PARAMETERS),
    pack=_pack,
    features=_features,
    loops={"rows": "rows", "elements": "output elements"},
)
