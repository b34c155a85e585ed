"""CONCATENATION and PACK."""

from __future__ import annotations

from tinynas.graph import Graph, Op
from tinynas.memory.tflm._layout import Array, Struct
from tinynas.memory.tflm.operators._needs import (
    ENUM,
    FLOAT,
    INT32,
    PARAMETERS_SOURCE,
    POINTER,
    KernelNeeds,
    TflmOperator,
    TflmUnsupportedError,
    simple,
)

_CONCATENATION_PARAMETERS = Struct("TfLiteConcatenationParams", PARAMETERS_SOURCE, {"axis": INT32, "activation": ENUM})
_PACK_PARAMETERS = Struct("TfLitePackParams", PARAMETERS_SOURCE, {"values_count, axis": Array(INT32, 2)})

_MOST_INPUTS = 10
"""`kMaxInputNum` (kernels/concatenation.cc): TFLM refuses to concatenate more."""

CONCATENATION_DATA = Struct(
    "OpData",
    "kernels/concatenation.cc",
    {
        "params.axis": INT32,
        "params.input_zeropoint": POINTER,
        "params.input_scale": POINTER,
        "params.inputs_count, output_zeropoint": Array(INT32, 2),
        "params.output_scale": FLOAT,
    },
    with_compression={"scratch_indices": Array(INT32, _MOST_INPUTS)},
)


def _concatenation(graph: Graph, op: Op) -> KernelNeeds:
    # concatenation.cc: looks at the first input and the output, then at every input.
    if len(op.inputs) > _MOST_INPUTS:
        raise TflmUnsupportedError(
            f"CONCATENATION {op.name!r} has {len(op.inputs)} inputs, TFLM takes at most {_MOST_INPUTS}; "
            "concatenate in two steps"
        )
    return KernelNeeds(CONCATENATION_DATA, looks_at=(op.inputs[0], op.outputs[0], *op.inputs))


OPERATORS = (
    TflmOperator("CONCATENATION", _concatenation, parameters=_CONCATENATION_PARAMETERS),
    TflmOperator("PACK", simple(None), parameters=_PACK_PARAMETERS),
)
