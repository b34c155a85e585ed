"""SOFTMAX in fixed point: exp and reciprocal as gemmlowp computes them.

Qm.n below means m integer and n fractional bits beside the sign. Everything is a polynomial or a Newton iteration in
32-bit arithmetic, so the results are the same on every machine.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinynas.graph.fixed_point._arithmetic import (
    Int64Array,
    Multiplier,
    quantize_multiplier,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
)

SOFTMAX_ACCUMULATION_INTEGER_BITS = 12
"""The sum of exponentials is a Q12.19 number (tflite/kernels/internal/reference/softmax.h)."""

_SCALED_DIFFERENCE_INTEGER_BITS = 5
_ONE = (1 << 31) - 1  # gemmlowp's One() in Q0.31 is the largest number


class SoftmaxParameters(NamedTuple):
    """Differences to the row's maximum, times `multiplier`, are Q5.26; below `diff_min` the output is zero."""

    multiplier: Multiplier
    diff_min: int


def softmax_parameters(input_scale: float, beta: float) -> SoftmaxParameters:
    """Parameters of an int8 SOFTMAX (TFLite: PreprocessSoftmaxScaling and CalculateInputRadius).

    Raises:
        ValueError: beta * input_scale is not above 2**-26, where TFLite aborts.
    """
    fraction_bits = 31 - _SCALED_DIFFERENCE_INTEGER_BITS
    # beta is a float32 field of the file.
    real = min(float(np.float32(beta)) * input_scale * (1 << fraction_bits), float(_ONE))
    if not real > 1:
        raise ValueError(
            f"SOFTMAX with beta {beta} needs an input scale above {2.0**-fraction_bits / beta if beta else 0}"
        )
    multiplier = quantize_multiplier(real)
    radius = ((1 << _SCALED_DIFFERENCE_INTEGER_BITS) - 1) * (1 << fraction_bits) / (1 << multiplier.shift)
    return SoftmaxParameters(multiplier, -math.floor(radius))


def softmax_exp_table(parameters: SoftmaxParameters) -> npt.NDArray[np.int32]:
    """exp of every possible difference: entry d is exp(-d * beta * scale) in Q0.31, int32 [256].

    Entries below `diff_min` are zero: those elements neither enter the sum nor the output.
    """
    differences = -np.arange(256, dtype=np.int64)
    used = differences >= parameters.diff_min
    shifted = np.where(used, differences, 0) << parameters.multiplier.shift
    scaled = saturating_rounding_doubling_high_mul(shifted, parameters.multiplier.value)
    return np.where(used, _exp_on_negative_values(scaled), 0).astype(np.int32)


def softmax_reciprocal(sums: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Reciprocals of sums of exponentials.

    Args:
        sums: Positive Q12.19 values.

    Returns:
        The reciprocals in Q0.31 of the sums normalized to [1, 2), and how many bits each was normalized by
        (num_bits_over_unit): 1 / sum = reciprocal * 2**-bits.
    """
    # frexp's exponent is the bit length; sums are below 2**53 and therefore exact as doubles.
    leading_zeros = 32 - np.frexp(sums.astype(np.float64))[1].astype(np.int64)
    normalized = (sums << leading_zeros) - (1 << 31)
    return _one_over_one_plus_x(normalized), SOFTMAX_ACCUMULATION_INTEGER_BITS - leading_zeros


def _shift_left_saturating(x: Int64Array, bits: int) -> Int64Array:
    shifted: Int64Array = np.clip(x << bits, -(1 << 31), (1 << 31) - 1)
    return shifted


def _exp_on_negative_values(x: Int64Array) -> Int64Array:
    """exp(x) in Q0.31 for x <= 0 in Q5.26."""
    quarter = 1 << 24
    # x = r - remainder with r in [-1/4, 0): exp(r) by a polynomial, exp(-remainder) bit by bit.
    r = (x & (quarter - 1)) - quarter
    remainder = r - x
    result = _exp_near_zero(_shift_left_saturating(r, _SCALED_DIFFERENCE_INTEGER_BITS))
    for exponent in range(-2, _SCALED_DIFFERENCE_INTEGER_BITS):
        factor = _EXP_OF_MINUS_POWER_OF_TWO[exponent]
        bit = 1 << (26 + exponent)
        result = np.where(remainder & bit, saturating_rounding_doubling_high_mul(result, factor), result)
    return np.where(x == 0, _ONE, result)


def _exp_near_zero(a: Int64Array) -> Int64Array:
    """exp(a) for a in [-1/4, 0), Q0.31: the Taylor polynomial of degree 4 around -1/8."""
    mul = saturating_rounding_doubling_high_mul
    x = a + (1 << 28)
    x2 = mul(x, x)
    x3 = mul(x2, x)
    x4_over_4 = rounding_divide_by_power_of_two(mul(x2, x2), 2)
    tail = rounding_divide_by_power_of_two(mul(x4_over_4 + x3, _ONE_THIRD) + x2, 1)
    return _EXP_OF_MINUS_ONE_EIGHTH + mul(x + tail, _EXP_OF_MINUS_ONE_EIGHTH)


def _one_over_one_plus_x(a: Int64Array) -> Int64Array:
    """1 / (1 + a) for a in [0, 1), Q0.31: three Newton-Raphson steps from 48/17 - 32/17 d."""
    mul = saturating_rounding_doubling_high_mul
    half_denominator = (a + _ONE + 1) >> 1  # the sum is positive: rounding half up
    x = _48_OVER_17 + mul(half_denominator, _MINUS_32_OVER_17)  # Q2.29
    for _ in range(3):
        error = (1 << 29) - mul(half_denominator, x)
        x = x + _shift_left_saturating(mul(x, error), 2)
    # x = 2 / (1 + a) in Q2.29: half of it in Q0.31 is the same number shifted left by one.
    return _shift_left_saturating(x, 1)


_ONE_THIRD = 715827883  # 1/3 in Q0.31
_EXP_OF_MINUS_ONE_EIGHTH = 1895147668  # exp(-1/8) in Q0.31
_48_OVER_17 = 1515870810  # Q2.29
_MINUS_32_OVER_17 = -1010580540  # Q2.29
# exp(-2**k) in Q0.31, rounded.
_EXP_OF_MINUS_POWER_OF_TWO = {
    -2: 1672461947,
    -1: 1302514674,
    0: 790015084,
    1: 290630308,
    2: 39332535,
    3: 720401,
    4: 242,
}
