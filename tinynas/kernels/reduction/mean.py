"""MEAN."""

from __future__ import annotations

import math

from tinynas.graph import MeanAttributes, OpKind
from tinynas.graph.fixed_point import mean_multiplier
from tinynas.kernels._constants import StepConstants
from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure, structure_only
from tinynas.kernels._weights import quantization_of

_PARAMETERS = ParameterStructure("tn_mean_params", 24)


def _reduced_view(call: KernelCall) -> tuple[int, int, int] | None:
    """The input of a MEAN as (outer, reduced, inner), or None where the axes are not adjacent."""
    assert isinstance(call.op.attributes, MeanAttributes)
    shape = call.input.shape
    axes = [axis for axis in call.op.attributes.axes if shape[axis] > 1] or [call.op.attributes.axes[0]]
    first, last = axes[0], axes[-1]
    if any(shape[axis] > 1 and axis not in axes for axis in range(first, last)):
        return None
    return math.prod(shape[:first]), math.prod(shape[first : last + 1]), math.prod(shape[last + 1 :])


def _features(call: KernelCall) -> dict[str, float]:
    view = _reduced_view(call)
    assert view is not None
    return {"calls": 1, "outer": view[0], "elements": view[0] * view[2], "taps": math.prod(view)}


def _pack(call: KernelCall, name: str) -> StepConstants:
    view = _reduced_view(call)
    assert view is not None
    outer, reduced, inner = view
    x, output = quantization_of(call.input), quantization_of(call.output)
    multiplier = mean_multiplier(x, output, reduced)
    return StepConstants(
        (),
        {
            "outer": outer,
            "reduced": reduced,
            "inner": inner,
            "multiplier": multiplier.value,
            "input_zero_point": x.zero_point,
            "output_zero_point": output.zero_point,
            "shift": multiplier.shift,
        },
        {},
    )


MEAN = KernelVariant(
    name="mean",
    kinds=(OpKind.MEAN,),
    source="reduction/mean.c",
    symbol="tn_mean",
    parameters=_PARAMETERS,
    applies=lambda call: _reduced_view(call) is not None,
    constant_bytes=structure_only(_PARAMETERS),
    pack=_pack,
    features=_features,
    loops={"outer": "outer slices", "elements": "output elements", "taps": "input elements"},
)
