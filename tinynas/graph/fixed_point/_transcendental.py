"""exp, reciprocal, logistic function and hyperbolic tangent in fixed point, as gemmlowp computes them.

Qm.n below means m integer and n fractional bits beside the sign. Everything is a polynomial or a Newton iteration in
32-bit arithmetic, so the results are the same on every machine.
"""

from __future__ import annotations

import numpy as np

from tinynas.graph.fixed_point._arithmetic import (
    Int64Array,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
)

ONE = (1 << 31) - 1
"""One in Q0.31: gemmlowp's is the largest number."""


def exp_on_negative_values(x: Int64Array, integer_bits: int) -> Int64Array:
    """exp(x) in Q0.31 for x <= 0 with so many integer bits, 5 at most, of 31."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    # x = r - remainder with r in [-1/4, 0): exp(r) by a polynomial, exp(-remainder) bit by bit.
    r = (x & (quarter - 1)) - quarter
    remainder = r - x
    result = _exp_near_zero(_shift_left_saturating(r, integer_bits))
    for exponent in range(-2, integer_bits):
        factor = _EXP_OF_MINUS_POWER_OF_TWO[exponent]
        bit = 1 << (fraction_bits + exponent)
        result = np.where(remainder & bit, saturating_rounding_doubling_high_mul(result, factor), result)
    return np.where(x == 0, ONE, result)


def one_over_one_plus_x(a: Int64Array) -> Int64Array:
    """1 / (1 + a) for a in [0, 1), Q0.31."""
    # x = 2 / (1 + a) in Q2.29: half of it in Q0.31 is the same number shifted left by one.
    return _shift_left_saturating(_two_over_one_plus_x(a), 1)


def logistic(x: Int64Array, integer_bits: int) -> Int64Array:
    """1 / (1 + exp(-x)) in Q0.31."""
    positive = one_over_one_plus_x(exp_on_negative_values(-np.abs(x), integer_bits))
    return np.where(x == 0, 1 << 30, np.where(x > 0, positive, ONE - positive))


def tanh(x: Int64Array, integer_bits: int) -> Int64Array:
    """The hyperbolic tangent in Q0.31: (1 - e) / (1 + e) with e = exp(-2 |x|), and the sign of x."""
    doubled = exp_on_negative_values(-np.abs(x), integer_bits + 1)  # the same bits mean twice as much
    magnitude = _shift_left_saturating(_two_over_one_plus_x(doubled) - (1 << 29), 2)
    return np.where(x == 0, 0, np.where(x > 0, magnitude, -magnitude))


def _shift_left_saturating(x: Int64Array, bits: int) -> Int64Array:
    shifted: Int64Array = np.clip(x << bits, -(1 << 31), (1 << 31) - 1)
    return shifted


def _exp_near_zero(a: Int64Array) -> Int64Array:
    """exp(a) for a in [-1/4, 0), Q0.31: the Taylor polynomial of degree 4 around -1/8."""
    mul = saturating_rounding_doubling_high_mul
    x = a + (1 << 28)
    x2 = mul(x, x)
    x3 = mul(x2, x)
    x4_over_4 = rounding_divide_by_power_of_two(mul(x2, x2), 2)
    tail = rounding_divide_by_power_of_two(mul(x4_over_4 + x3, _ONE_THIRD) + x2, 1)
    return _EXP_OF_MINUS_ONE_EIGHTH + mul(x + tail, _EXP_OF_MINUS_ONE_EIGHTH)


def _two_over_one_plus_x(a: Int64Array) -> Int64Array:
    """2 / (1 + a) for a in [0, 1) in Q0.31, as Q2.29: three Newton-Raphson steps from 48/17 - 32/17 d."""
    mul = saturating_rounding_doubling_high_mul
    half_denominator = (a + ONE + 1) >> 1  # the sum is positive: rounding half up
    x = _48_OVER_17 + mul(half_denominator, _MINUS_32_OVER_17)  # Q2.29
    for _ in range(3):
        error = (1 << 29) - mul(half_denominator, x)
        x = x + _shift_left_saturating(mul(x, error), 2)
    return x


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
