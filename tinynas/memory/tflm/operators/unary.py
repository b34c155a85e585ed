"""Operators that compute each element on its own. TFLM has no RELU_N1_TO_1 and no RELU_0_TO_1."""

from __future__ import annotations

from tinynas.memory.tflm._layout import Array, Struct
from tinynas.memory.tflm.operators._needs import (
    BOOL,
    ENUM,
    FLOAT,
    INT8,
    INT16,
    INT32,
    PARAMETERS_SOURCE,
    TflmOperator,
    simple,
)

_LEAKY_RELU_PARAMETERS = Struct("TfLiteLeakyReluParams", PARAMETERS_SOURCE, {"alpha": FLOAT})

_FIXED_POINT = {"input_zero_point, _range_radius, _multiplier, _left_shift": Array(INT32, 4)}
LOGISTIC_DATA = Struct("OpDataLogistic", "kernels/logistic.h", _FIXED_POINT)
TANH_DATA = Struct("OpData", "kernels/tanh.cc", _FIXED_POINT)

HARD_SWISH_DATA = Struct(
    "HardSwishParams",
    "kernels/internal/types.h",
    {
        "zero points of input and output": Array(INT16, 2),
        "reluish_multiplier_fixedpoint_int16": INT16,
        "reluish_multiplier_exponent": INT32,
        "output_multiplier_fixedpoint_int16": INT16,
        "output_multiplier_exponent": INT32,
    },
)

ELU_DATA = Struct("OpData", "kernels/elu.cc", {"table": Array(INT8, 256)})

LEAKY_RELU_DATA = Struct(
    "LeakyReluOpData",
    "kernels/leaky_relu.h",
    {"multipliers and shifts of alpha and identity": Array(INT32, 4), "zero points": Array(INT32, 2)},
)

RELU_DATA = Struct(
    "ReluOpData",
    "kernels/activations.h",
    {
        # `enum class FusedActivationFunctionType : uint8_t` of the base class `ActivationParams`.
        "params.activation_type": INT8,
        "params.quantized_activation_min and _max": Array(INT32, 2),
        "params.offsets, output_multiplier and _shift": Array(INT32, 4),
    },
)

RELU6_DATA = Struct("Relu6OpData", "kernels/activations.h", {"six and zero of int8": Array(INT8, 2)})

ABS_DATA = Struct(
    "OpDataAbsRsqrt",
    "kernels/elementwise.cc",
    {
        "multiplier, shift, input_offset, output_offset": Array(INT32, 4),
        "needs_rescale": BOOL,
        "input_quantization_type": ENUM,
        "input_type": ENUM,
    },
)

OPERATORS = (
    TflmOperator("LOGISTIC", simple(LOGISTIC_DATA)),
    TflmOperator("TANH", simple(TANH_DATA)),
    TflmOperator("HARD_SWISH", simple(HARD_SWISH_DATA)),
    TflmOperator("ELU", simple(ELU_DATA)),
    TflmOperator("LEAKY_RELU", simple(LEAKY_RELU_DATA), parameters=_LEAKY_RELU_PARAMETERS),
    TflmOperator("RELU", simple(RELU_DATA)),
    TflmOperator("RELU6", simple(RELU6_DATA)),
    TflmOperator("ABS", simple(ABS_DATA)),
)
