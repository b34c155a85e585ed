"""QUANTIZE and DEQUANTIZE, whose parsers allocate nothing."""

from __future__ import annotations

from tinynas.memory.tflm._layout import Array, Struct
from tinynas.memory.tflm.operators._needs import DOUBLE, INT32, TflmOperator, simple

QUANTIZE_DATA = Struct(
    "OpDataQuantizeReference",
    "kernels/quantize.h",
    {
        "quantization_params": Struct(
            "QuantizationParams", "kernels/internal/types.h", {"zero_point": INT32, "scale": DOUBLE}
        ),
        "requantize_output_multiplier, _shift, input_zero_point": Array(INT32, 3),
    },
)

DEQUANTIZE_DATA = Struct(
    "DequantizeOpData",
    "kernels/dequantize.h",
    {
        "quantization_params": Struct(
            "DequantizationParams", "kernels/internal/types.h", {"scale": DOUBLE, "zero_point": INT32}
        ),
        "output_multiplier, output_shift, output_zero_point": Array(INT32, 3),
    },
)

OPERATORS = (
    TflmOperator("QUANTIZE", simple(QUANTIZE_DATA)),
    TflmOperator("DEQUANTIZE", simple(DEQUANTIZE_DATA)),
)
