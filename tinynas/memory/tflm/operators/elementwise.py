"""ADD and MUL."""

from __future__ import annotations

from tinynas.memory.tflm._layout import Array, Struct
from tinynas.memory.tflm.operators._needs import (
    BOOL,
    ENUM,
    FLOAT,
    INT32,
    PARAMETERS_SOURCE,
    TflmOperator,
    simple,
)

_ADD_PARAMETERS = Struct("TfLiteAddParams", PARAMETERS_SOURCE, {"activation": ENUM, "pot_scale_int16": BOOL})
_MUL_PARAMETERS = Struct("TfLiteMulParams", PARAMETERS_SOURCE, {"activation": ENUM})

ADD_DATA = Struct(
    "OpDataAdd",
    "kernels/add.h",
    {
        "requires_broadcast": BOOL,
        "input1_shift, input2_shift": Array(INT32, 2),
        "output_activation_min and _max": Array(INT32, 2),
        "multipliers of both inputs and the output": Array(INT32, 3),
        "output_shift, left_shift": Array(INT32, 2),
        "offsets of both inputs and the output": Array(INT32, 3),
        "output_activation_min_f32 and _max_f32": Array(FLOAT, 2),
    },
)

MUL_DATA = Struct(
    "OpDataMul",
    "kernels/mul.h",
    {
        "zero points of both inputs": Array(INT32, 2),
        "output_activation_min and _max": Array(INT32, 2),
        "output_zero_point, _multiplier, _shift": Array(INT32, 3),
        "output_activation_min_f32 and _max_f32": Array(FLOAT, 2),
    },
)

OPERATORS = (
    TflmOperator("ADD", simple(ADD_DATA), parameters=_ADD_PARAMETERS),
    TflmOperator("MUL", simple(MUL_DATA), parameters=_MUL_PARAMETERS),
)
