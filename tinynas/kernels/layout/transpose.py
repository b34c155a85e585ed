"""TRANSPOSE."""

from __future__ import annotations

from tinynas.graph import OpKind, TransposeAttributes
from tinynas.kernels._constants import StepConstants
from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure, structure_only
from tinynas.kernels._rank_4 import RANK, ROW_LOOPS, braces, low_rank, output_rows_features, rank_4, strides

_PARAMETERS = ParameterStructure("tn_transpose_params", 32)


def _pack(call: KernelCall, name: str) -> StepConstants:
    attributes = call.op.attributes
    assert isinstance(attributes, TransposeAttributes)
    by_axis = strides(call.input.shape)
    missing = RANK - len(call.output.shape)
    return StepConstants(
        (),
        {
            "extents": braces(rank_4(call.output)),
            "strides": braces((0,) * missing + tuple(by_axis[axis] for axis in attributes.permutation)),
        },
        {},
    )


TRANSPOSE = KernelVariant(
    name="transpose",
    kinds=(OpKind.TRANSPOSE,),
    source="layout/transpose.c",
    symbol="tn_transpose",
    parameters=_PARAMETERS,
    applies=low_rank,
    constant_bytes=structure_only(_PARAMETERS),
    pack=_pack,
    features=output_rows_features,
    loops=ROW_LOOPS,
)
