"""Tables of the 256 outputs of operators that compute each int8 element on its own, as TFLite's kernels compute them.

Each function gives int8 [256]: the outputs for the inputs -128, -127, ..., 127. Sources are below
`tensorflow/lite/kernels`: activations.cc, elementwise.cc, internal/common.h (LUTPopulate), and hard_swish.h and
leaky_relu.h in internal/reference; for TFLM, logistic.h and tanh.h in internal/reference/integer_ops, and
`tensorflow/lite/micro/kernels/activations.cc`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tinynas.graph._tensor import Quantization
from tinynas.graph.fixed_point._arithmetic import (
    Int64Array,
    Multiplier,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_divide_by_power_of_two,
)
from tinynas.graph.fixed_point._runtime import Runtime
from tinynas.graph.fixed_point._transcendental import logistic, tanh

Table = npt.NDArray[np.int8]
_INPUTS = np.arange(-128, 128, dtype=np.int64)
_FLOAT = np.float32
_INTEGER_BITS = 4
"""Of the inputs of LOGISTIC and TANH in TFLM: Q4.27."""


def table_of(
    transform: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]], x: Quantization, output: Quantization
) -> Table:
    """Of a real function: the input as float32, the function, and back with halves away from zero (LUTPopulate).

    Args:
        transform: The function, of float32 values held in double precision. What it gives is rounded to float32, as
            the functions of the C library round it.
        x, output: Quantization of input and output.

    Raises:
        ValueError: The output scale has no inverse in float32.
    """
    inverse = inverse_scale(output)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        real = _FLOAT(x.scale) * (_INPUTS - x.zero_point).astype(_FLOAT)
        values = transform(real.astype(np.float64)).astype(_FLOAT) * inverse
        rounded = np.trunc(values.astype(np.float64) + np.copysign(0.5, values))
        return _clamped(rounded + output.zero_point)


def inverse_scale(output: Quantization) -> np.float32:
    """1 / scale in float32.

    Raises:
        ValueError: That is infinite.
    """
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        inverse = _FLOAT(1) / _FLOAT(output.scale)
    if not np.isfinite(inverse):
        raise ValueError(f"the inverse of the output scale {output.scale:g} is infinite in float32")
    return inverse


def logistic_table(x: Quantization, output: Quantization, runtime: Runtime = Runtime.LITERT) -> Table:
    """Of LOGISTIC: LiteRT takes that of the real function, TFLM computes each element in fixed point."""
    if runtime is Runtime.TFLM:
        values = rounding_divide_by_power_of_two(logistic(_in_q4(x), _INTEGER_BITS), 31 - 8)
        return _beyond_radius(values + output.zero_point, x)
    return table_of(lambda real: 1 / (1 + np.exp(-real).astype(_FLOAT)), x, output)


def tanh_table(x: Quantization, output: Quantization, runtime: Runtime = Runtime.LITERT) -> Table:
    """Of TANH: LiteRT takes that of the real function, TFLM computes each element in fixed point."""
    if runtime is Runtime.TFLM:
        values = rounding_divide_by_power_of_two(tanh(_in_q4(x), _INTEGER_BITS), 31 - 7)
        return _beyond_radius(values, x)
    return table_of(np.tanh, x, output)


def elu_table(x: Quantization, output: Quantization, runtime: Runtime = Runtime.LITERT) -> Table:
    """Of ELU: LiteRT takes expm1; TFLM subtracts 1 from exp, both in float32 (micro/kernels/elu.cc)."""

    def of_litert(real: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(real < 0, np.expm1(np.minimum(real, 0)), real)

    def of_tflm(real: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(real < 0, np.exp(np.minimum(real, 0)).astype(_FLOAT) - _FLOAT(1), real)

    return table_of(of_tflm if runtime is Runtime.TFLM else of_litert, x, output)


def rectifier_multiplier(x: Quantization, output: Quantization, runtime: Runtime = Runtime.LITERT) -> Multiplier:
    """From the scale of the input to that of the output: LiteRT divides in float32 (ReluPrepare), TFLM in double."""
    if runtime is Runtime.TFLM:
        return quantize_multiplier(x.scale / output.scale)
    with np.errstate(over="ignore", under="ignore"):
        return quantize_multiplier(float(_FLOAT(x.scale) / _FLOAT(output.scale)))


def rectifier_table(
    x: Quantization, output: Quantization, low: float, high: float, runtime: Runtime = Runtime.LITERT
) -> Table:
    """Of a RELU that lets through what lies between two real numbers (QuantizedReluX)."""
    scaled = multiply_by_quantized_multiplier(_INPUTS - x.zero_point, *rectifier_multiplier(x, output, runtime))
    least = max(-128, output.zero_point + _steps(low, output))
    most = 127 if math.isinf(high) else min(127, output.zero_point + _steps(high, output))
    return np.minimum(np.maximum(scaled + output.zero_point, least), most).astype(np.int8)


def rectifier_6_table(x: Quantization, output: Quantization, runtime: Runtime = Runtime.LITERT) -> Table:
    """Of RELU6. TFLM's clamps in the scale of the input and does not look at that of the output (Relu6Quantized)."""
    if runtime is Runtime.TFLM:
        return np.clip(_INPUTS, x.zero_point, min(127, x.zero_point + _steps(6.0, x))).astype(np.int8)
    return rectifier_table(x, output, 0.0, 6.0)


def leaky_multipliers(
    x: Quantization, output: Quantization, alpha: float, runtime: Runtime = Runtime.LITERT
) -> tuple[Multiplier, Multiplier]:
    """Of positive inputs, and of negative ones the magnitude: LiteRT in float32 (LeakyReluPrepare), TFLM in double."""
    magnitude = abs(_FLOAT(alpha))
    if runtime is Runtime.TFLM:
        leaking = x.scale * float(magnitude) / output.scale
    else:
        with np.errstate(over="ignore", under="ignore"):
            leaking = float(_FLOAT(x.scale) * magnitude / _FLOAT(output.scale))
    return rectifier_multiplier(x, output, runtime), quantize_multiplier(leaking)


def leaky_table(x: Quantization, output: Quantization, alpha: float, runtime: Runtime = Runtime.LITERT) -> Table:
    """Of LEAKY_RELU (QuantizeLeakyRelu). Where alpha is negative, exact halves go towards zero."""
    identity, leaking = leaky_multipliers(x, output, alpha, runtime)
    differences = _INPUTS - x.zero_point
    leaked = multiply_by_quantized_multiplier(differences, *leaking)
    scaled = np.where(
        differences >= 0,
        multiply_by_quantized_multiplier(differences, *identity),
        -leaked if alpha < 0 else leaked,
    )
    return _clamped(scaled + output.zero_point)


def absolute_table(x: Quantization, output: Quantization, runtime: Runtime = Runtime.LITERT) -> Table:
    """Of ABS; equal scales are not rescaled (AbsEvalQuantized)."""
    values = np.abs(_INPUTS - x.zero_point)
    if x.scale != output.scale:
        values = multiply_by_quantized_multiplier(values, *rectifier_multiplier(x, output, runtime))
    return _clamped(values + output.zero_point)


def hard_swish_exponents(x: Quantization, output: Quantization) -> tuple[tuple[int, int], tuple[int, int]]:
    """Multipliers of 16 bits and shifts: to the output's scale, and to the scale on which 3 is 2**15.

    Raises:
        ValueError: The output scale is smaller than 1/128 of the input scale, or about that: the runtimes refuse it.
    """
    with np.errstate(over="ignore", under="ignore"):
        fine = _FLOAT(1 / 128) * _FLOAT(x.scale)
        to_output = quantize_multiplier(float(fine / _FLOAT(output.scale)))
        to_unit = quantize_multiplier(float(fine / (_FLOAT(3) / _FLOAT(32768))))
    if to_output.shift > 0:
        raise ValueError(f"HARD_SWISH cannot bring an input of scale {x.scale} to an output of scale {output.scale}")
    return (_of_16_bits(to_output.value), to_output.shift), (_of_16_bits(to_unit.value), to_unit.shift)


def hard_swish_table(x: Quantization, output: Quantization) -> Table:
    """Of HARD_SWISH, x * clamp(x + 3, 0, 6) / 6, in 16 bits (reference/hard_swish.h)."""
    (output_multiplier, output_shift), (unit_multiplier, unit_shift) = hard_swish_exponents(x, output)
    fine = _wrapped((_INPUTS - x.zero_point) << 7)
    on_output_scale = _doubling_high(fine, output_multiplier)
    gate = fine
    if unit_shift > 0:
        gate = _saturated(gate << (unit_shift - 1))
    gate = _doubling_high(gate, unit_multiplier)
    if unit_shift > 0:
        gate = _saturated(gate << 1)
    elif unit_shift < 0:
        gate = _divided_by_power_of_two(gate, -unit_shift)
    gate = (gate + (1 << 15)) >> 1
    product = gate * on_output_scale
    # Towards zero, where the products before are rounded: so their biases cancel.
    shifted = np.sign(product) * (np.abs(product) >> 15)
    return _clamped(_divided_by_power_of_two(shifted, -output_shift) + output.zero_point)


def _q4_multiplier(x: Quantization) -> Multiplier:
    return quantize_multiplier(x.scale * (1 << (31 - _INTEGER_BITS)))


def _in_q4(x: Quantization) -> Int64Array:
    return multiply_by_quantized_multiplier(_INPUTS - x.zero_point, *_q4_multiplier(x))


def _beyond_radius(values: Int64Array, x: Quantization) -> Table:
    """Inputs from 15 on in magnitude are at the ends (CalculateInputRadius)."""
    most = ((1 << _INTEGER_BITS) - 1) * 2.0 ** (31 - _INTEGER_BITS)
    radius = math.floor(most / 2.0 ** _q4_multiplier(x).shift)
    differences = _INPUTS - x.zero_point
    return _clamped(np.where(differences <= -radius, -128, np.where(differences >= radius, 127, values)))


def _steps(real: float, output: Quantization) -> int:
    with np.errstate(over="ignore"):
        ratio = float(_FLOAT(real) / _FLOAT(output.scale))
    ratio = max(-1024.0, min(ratio, 1024.0))  # beyond int8, whatever the zero point
    return math.trunc(ratio + math.copysign(0.5, ratio))


def _clamped(values: npt.NDArray[np.generic]) -> Table:
    return np.clip(values.astype(np.float64), -128, 127).astype(np.int8)


def _of_16_bits(multiplier: int) -> int:
    """DownScaleInt32ToInt16Multiplier."""
    return 32767 if multiplier >= 2147483647 - (1 << 15) else (multiplier + (1 << 15)) >> 16


def _wrapped(values: Int64Array) -> Int64Array:
    return values.astype(np.int16).astype(np.int64)


def _saturated(values: Int64Array) -> Int64Array:
    saturated: Int64Array = np.clip(values, -(1 << 15), (1 << 15) - 1)
    return saturated


def _divided_by_power_of_two(values: Int64Array, exponent: int) -> Int64Array:
    """gemmlowp's RoundingDivideByPOT of 16 bits: from 16 on its mask is all ones, and nothing rounds to 0."""
    if exponent >= 16:
        return np.where(values < 0, np.int64(-1), np.int64(1))
    return rounding_divide_by_power_of_two(values, exponent)


def _doubling_high(values: Int64Array, multiplier: int) -> Int64Array:
    """round(a * b / 2**15), gemmlowp's SaturatingRoundingDoublingHighMul of 16 bits."""
    product = values * multiplier
    # The nudge of negative products and the division towards zero: halves go up.
    return (product + (1 << 14)) >> 15
