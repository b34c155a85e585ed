"""PAD."""

from __future__ import annotations

import math

from tinynas.graph import OpKind, PadAttributes
from tinynas.kernels._constants import StepConstants
from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure, structure_only
from tinynas.kernels._rank_4 import RANK, braces, low_rank, rank_4
from tinynas.kernels._weights import quantization_of

_PARAMETERS = ParameterStructure("tn_pad_params", 28)


def _features(call: KernelCall) -> dict[str, float]:
    shape = rank_4(call.input)
    return {
        "calls": 1,
        "planes": math.prod(shape[:2]),
        "rows": math.prod(shape[:3]),
        "copied": call.input.elements,
        "filled": call.output.elements,
    }


def _pack(call: KernelCall, name: str) -> StepConstants:
    attributes = call.op.attributes
    assert isinstance(attributes, PadAttributes)
    paddings = ((0, 0),) * (RANK - len(attributes.paddings)) + attributes.paddings
    if call.input_rows is not None:  # some rows of an image, and what lies above and below them
        paddings = (paddings[0], call.padding[:2], *paddings[2:])
    return StepConstants(
        (),
        {
            "input": braces(rank_4(call.input)),
            "before": braces(tuple(before for before, _ in paddings)),
            "after": braces(tuple(after for _, after in paddings)),
            "value": quantization_of(call.output).zero_point,
        },
        {},
    )


PAD = KernelVariant(
    name="pad",
    kinds=(OpKind.PAD,),
    source="layout/pad.c",
    symbol="tn_pad",
    parameters=_PARAMETERS,
    applies=low_rank,
    constant_bytes=structure_only(_PARAMETERS),
    pack=_pack,
    features=_features,
    loops={
        "planes": "input elements without the last two dimensions",
        "rows": "input elements without the last dimension",
        "copied": "input elements",
        "filled": "output elements",
    },
)
