"""Average pooling of a whole image whose rows come a few at a time."""

from __future__ import annotations

from tinynas.graph import OpKind
from tinynas.kernels._clamp import CLAMP_LOOPS, clamp_features
from tinynas.kernels._constants import WORD, StepConstants
from tinynas.kernels._fields import activation_fields
from tinynas.kernels._kernel import NO_PADDING, KernelCall, KernelVariant, ParameterStructure, structure_only
from tinynas.kernels._pixel_sums import PIXEL_SUM_LOOPS, pixel_sum_features, pixels_of, sums_fields

_PARAMETERS = ParameterStructure("tn_pool_2d_rows_params", 16)


def _is_global(call: KernelCall) -> bool:
    """Whether one window is the whole image."""
    window = call.window
    return call.padding == NO_PADDING and window.filter_size == call.graph.tensors[call.source].shape[1:3]


def _features(call: KernelCall) -> dict[str, float]:
    assert call.sums is not None
    clamped = clamp_features(call)
    return pixel_sum_features(call) | (clamped if call.sums.ends else dict.fromkeys(clamped, 0.0))


def _pack(call: KernelCall, name: str) -> StepConstants:
    return StepConstants((), {**sums_fields(call), "pixels_in_all": pixels_of(call), **activation_fields(call)}, {})


AVERAGE_POOL_2D_ROWS = KernelVariant(
    name="average_pool_2d_rows",
    kinds=(OpKind.AVERAGE_POOL_2D,),
    source="pooling/average_pool_2d_rows.c",
    helpers=("arithmetic/clamp_outputs.c",),
    symbol="tn_average_pool_2d_rows",
    parameters=_PARAMETERS,
    applies=_is_global,
    constant_bytes=structure_only(_PARAMETERS),
    pack=_pack,
    features=_features,
    loops={**PIXEL_SUM_LOOPS, **CLAMP_LOOPS},
    keeps_sums=True,
    scratch_bytes=lambda call: WORD * call.input.shape[3],
)
