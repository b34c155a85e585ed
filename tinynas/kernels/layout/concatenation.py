"""CONCATENATION."""

from __future__ import annotations

import math

from tinynas.graph import ConcatenationAttributes, OpKind
from tinynas.kernels._constants import StepConstants, integers
from tinynas.kernels._fields import constant_operands
from tinynas.kernels._kernel import POINTER, KernelCall, KernelVariant, ParameterStructure, always

_PARAMETERS = ParameterStructure("tn_concatenation_params", 16)


def _constant_bytes(call: KernelCall) -> int:
    per_input = POINTER + 4  # its address and its int32 size
    tables = per_input * len(call.operands)
    return _PARAMETERS.size_bytes + tables + call.constant_operand_bytes


def _features(call: KernelCall) -> dict[str, float]:
    assert isinstance(call.op.attributes, ConcatenationAttributes)
    outer = math.prod(call.output.shape[: call.op.attributes.axis])
    return {
        "calls": 1,
        "outer": outer,
        "runs": outer * len(call.operands),
        "elements": call.output.elements,
    }


def _pack(call: KernelCall, name: str) -> StepConstants:
    """The addresses of the inputs are filled in by the caller, who knows the arena."""
    attributes = call.op.attributes
    assert isinstance(attributes, ConcatenationAttributes)
    sizes = [math.prod(t.shape[attributes.axis :]) for t in call.operands]
    arrays, fields, operands = constant_operands(
        call,
        name,
        {
            "inputs": f"{name}_inputs",
            "sizes": f"{name}_sizes",
            "count": len(sizes),
            "outer": math.prod(call.output.shape[: attributes.axis]),
        },
    )
    return StepConstants((*arrays, integers(f"{name}_sizes", "int32_t", sizes)), fields, operands)


CONCATENATION = KernelVariant(
    name="concatenation",
    kinds=(OpKind.CONCATENATION,),
    source="layout/concatenation.c",
    symbol="tn_concatenation",
    parameters=_PARAMETERS,
    applies=always,
    constant_bytes=_constant_bytes,
    pack=_pack,
    features=_features,
    loops={"outer": "output slices before the axis", "runs": "contiguous runs copied", "elements": "output elements"},
)
