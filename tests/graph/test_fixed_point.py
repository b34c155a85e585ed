"""Fixed-point arithmetic against the C definitions, written out with unbounded integers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.graph import Activation, Quantization
from tinynas.graph import fixed_point as fp

INT32 = st.integers(-(1 << 31), (1 << 31) - 1)


def _array(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def _high_mul(a: int, b: int) -> int:
    """gemmlowp: a nudge that depends on the sign, then C's truncating division."""
    if a == b == -(1 << 31):
        return (1 << 31) - 1
    nudged = a * b + (1 << 30 if a * b >= 0 else 1 - (1 << 30))
    return abs(nudged) // (1 << 31) * (1 if nudged >= 0 else -1)


def _divide_by_power_of_two(x: int, exponent: int) -> int:
    """gemmlowp: the remainder against a threshold that is one higher for negative numbers."""
    remainder = x & ((1 << exponent) - 1)
    threshold = ((1 << exponent) - 1 >> 1) + (x < 0)
    return (x >> exponent) + (remainder > threshold)


def _wrapped(x: int) -> int:
    return (x + (1 << 31)) % (1 << 32) - (1 << 31)


@given(INT32, INT32)
def test_high_mul(a, b):
    assert fp.saturating_rounding_doubling_high_mul(_array(a), b)[0] == _high_mul(a, b)


@given(INT32, st.integers(0, 31))
def test_rounding_divide(x, exponent):
    result = fp.rounding_divide_by_power_of_two(_array(x), exponent)[0]
    assert result == _divide_by_power_of_two(x, exponent)
    exact = Fraction(x, 1 << exponent)
    assert result == int(math.copysign(1, x)) * math.floor(abs(exact) + Fraction(1, 2))


@given(st.lists(INT32, min_size=1, max_size=5), st.integers(1 << 30, (1 << 31) - 1), st.integers(-31, 8))
def test_multiply_by_quantized_multiplier(values, multiplier, shift):
    result = fp.multiply_by_quantized_multiplier(_array(*values), multiplier, shift)
    for x, value in zip(values, result, strict=True):
        shifted = _wrapped(x << max(shift, 0))
        assert value == _divide_by_power_of_two(_high_mul(shifted, multiplier), max(-shift, 0))


@given(INT32, st.integers(1 << 30, (1 << 31) - 1), st.integers(-31, 8))
def test_multiply_rounding_once(x, multiplier, shift):
    exact = Fraction(x * multiplier, 1 << (31 - shift))
    expected = int(math.copysign(1, x)) * math.floor(abs(exact) + Fraction(1, 2))
    assert fp.multiply_rounding_once(_array(x), multiplier, shift)[0] == expected


@given(st.floats(2.0**-31, 2.0**30))
def test_quantize_multiplier_is_the_nearest(real):
    value, shift = fp.quantize_multiplier(real)
    assert 1 << 30 <= value < 1 << 31
    assert abs(math.ldexp(value, shift - 31) - real) <= math.ldexp(0.5, shift - 31)


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.0, (0, 0)),
        (1.0, (1 << 30, 1)),
        (0.5, (1 << 30, 0)),
        (0.75, (3 << 29, 0)),
        (1 - 2.0**-53, (1 << 30, 1)),  # rounds up to the next power of two
        (2.0**-32, (1 << 30, -31)),
        (2.0**-33, (0, 0)),  # flushed: no right shift of 32
    ],
)
def test_quantize_multiplier_edges(real, expected):
    assert fp.quantize_multiplier(real) == expected


@pytest.mark.parametrize("real", [-0.5, math.inf, math.nan, 2.0**31])
def test_quantize_multiplier_refuses(real):
    with pytest.raises(ValueError, match="cannot be written"):
        fp.quantize_multiplier(real)


@pytest.mark.parametrize(
    ("activation", "scale", "zero_point", "expected"),
    [
        (Activation.NONE, 0.1, 5, (-128, 127)),
        (Activation.RELU, 0.1, -128, (-128, 127)),
        (Activation.RELU, 0.1, 5, (5, 127)),
        (Activation.RELU6, 0.1, -128, (-128, -68)),
        (Activation.RELU6, 0.01, 0, (0, 127)),  # six lies beyond the range
        (Activation.RELU_N1_TO_1, 0.4, 1, (-2, 4)),  # 2.5 steps: halves away from zero, before the zero point
    ],
)
def test_activation_ranges(activation, scale, zero_point, expected):
    assert fp.quantized_activation_range(activation, Quantization((scale,), (zero_point,))) == expected


def test_add_refuses_an_output_it_cannot_reach():
    wide, narrow = Quantization((1.0,), (0,)), Quantization((1e-7,), (0,))
    with pytest.raises(ValueError, match="ADD cannot bring"):
        fp.add_parameters(wide, wide, narrow)


@given(st.floats(1e-4, 2.0), st.integers(1, 4096))
def test_mean_multiplier_divides_by_the_count(scale, count):
    x, output = Quantization((scale,), (0,)), Quantization((0.1,), (0,))
    value, shift = fp.mean_multiplier(x, output, count)
    assert math.ldexp(value, shift - 31) == pytest.approx(x.scale / output.scale / count, rel=5e-9)


def test_softmax_exponentials_are_close_to_real_ones():
    for scale in (0.003, 0.1, 1.0):
        parameters = fp.softmax_parameters(scale, 1.0)
        table = fp.softmax_exp_table(parameters)
        real = np.exp(-np.arange(256) * scale)
        assert table[0] == (1 << 31) - 1
        # Below diff_min (exp(-31)) zero stands in; above it gemmlowp's polynomial is good to about 2**-21.
        np.testing.assert_allclose(table / 2.0**31, real, atol=1e-6)


@given(st.integers(1 << 19, (1 << 31) - 1))
def test_softmax_reciprocal(total):
    reciprocal, bits = fp.softmax_reciprocal(_array(total))
    value = reciprocal[0] / 2.0**31 / 2.0 ** bits[0]
    assert value == pytest.approx(2.0**19 / total, rel=1e-8)


def test_softmax_refuses_scales_that_vanish():
    with pytest.raises(ValueError, match="SOFTMAX with beta"):
        fp.softmax_parameters(2.0**-27, 1.0)
