"""MEAN over the pixels of an image that come row by row."""

from __future__ import annotations

from tinynas.graph import MeanAttributes, OpKind
from tinynas.graph.fixed_point import mean_multiplier
from tinynas.kernels._constants import WORD, StepConstants
from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure, structure_only
from tinynas.kernels._pixel_sums import PIXEL_SUM_LOOPS, pixel_sum_features, pixels_of, sums_fields
from tinynas.kernels._weights import quantization_of

_PARAMETERS = ParameterStructure("tn_mean_rows_params", 24)


def _is_of_pixels(call: KernelCall) -> bool:
    """Whether the mean of each channel is asked for."""
    assert isinstance(call.op.attributes, MeanAttributes)
    return len(call.input.shape) == 4 and call.op.attributes.axes == (1, 2)


def _pack(call: KernelCall, name: str) -> StepConstants:
    x, output = quantization_of(call.input), quantization_of(call.output)
    pixels = pixels_of(call)
    multiplier = mean_multiplier(x, output, pixels)
    return StepConstants(
        (),
        {
            **sums_fields(call),
            "start": -x.zero_point * pixels,
            "multiplier": multiplier.value,
            "output_zero_point": output.zero_point,
            "shift": multiplier.shift,
        },
        {},
    )


MEAN_ROWS = KernelVariant(
    name="mean_rows",
    kinds=(OpKind.MEAN,),
    source="reduction/mean_rows.c",
    symbol="tn_mean_rows",
    parameters=_PARAMETERS,
    applies=_is_of_pixels,
    constant_bytes=structure_only(_PARAMETERS),
    pack=_pack,
    features=pixel_sum_features,
    loops=PIXEL_SUM_LOOPS,
    keeps_sums=True,
    scratch_bytes=lambda call: WORD * call.input.shape[3],
)
