"""Multiplication by a real number in 32-bit integers, with TFLite's double rounding.

Semantics of gemmlowp's fixedpoint.h and of TFLite's quantization_util.cc and common.h (built without
TFLITE_SINGLE_ROUNDING, as the LiteRT and TFLM wheels are). Arrays are int64 that hold int32 values: products of two
int32 values then never overflow.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]

_INT32_MAX = (1 << 31) - 1


class Multiplier(NamedTuple):
    """A real factor as value * 2**(shift - 31), value an int32; a positive shift is a left shift."""

    value: int
    shift: int


def quantize_multiplier(real: float) -> Multiplier:
    """The nearest `Multiplier` to a non-negative real number (TFLite: QuantizeMultiplier).

    `value` is 0 or in [2**30, 2**31). Factors below 2**-32 become zero: a right shift of 32 bits is not defined.

    Raises:
        ValueError: `real` is negative, infinite or not a number, or 2**31 and more.
    """
    if not 0 <= real < 2.0**31:
        raise ValueError(f"{real} is not a factor in [0, 2**31) and cannot be written as an int32 multiplier and shift")
    if real == 0:
        return Multiplier(0, 0)
    fraction, shift = math.frexp(real)
    # std::round rounds halves away from zero; the fraction is positive. Its product with 2**31 is exact.
    value = math.floor(fraction * (1 << 31) + 0.5)
    if value == 1 << 31:
        value //= 2
        shift += 1
    if shift < -31:
        return Multiplier(0, 0)
    return Multiplier(value, shift)


def saturating_rounding_doubling_high_mul(a: Int64Array, b: npt.ArrayLike) -> Int64Array:
    """round(a * b / 2**31) for int32 values, halves towards plus infinity, like the Arm instruction SQRDMULH.

    gemmlowp writes this with a sign-dependent nudge and a truncating division; adding 2**30 and shifting
    arithmetically is the same number for every product. Only -2**31 squared saturates. The runtimes' kernels come to
    these numbers where multipliers `b` are not negative; halves of negative ones they round the other way.
    """
    product: Int64Array = np.minimum((a * np.asarray(b, np.int64) + (1 << 30)) >> 31, _INT32_MAX)
    return product


def rounding_divide_by_power_of_two(x: Int64Array, exponent: npt.ArrayLike) -> Int64Array:
    """round(x / 2**exponent), halves away from zero; `exponent` in [0, 31], a scalar or an array that broadcasts."""
    shift = np.asarray(exponent, np.int64)
    # Halves of negative numbers go down, which is what one less before rounding upwards does.
    half = (np.int64(1) << shift) >> 1
    return (x + half - ((x < 0) & (shift > 0))) >> shift


def multiply_rounding_once(x: Int64Array, multiplier: npt.ArrayLike, shift: npt.ArrayLike) -> Int64Array:
    """round(x * multiplier * 2**(shift - 31)), halves away from zero: what LiteRT's FULLY_CONNECTED computes.

    LiteRT writes round(x * scale) in double precision. A 31-bit multiplier is within 2**-32 of that scale, so an
    int8 result can only differ if the product lies within 2**-25 of a half.

    Args:
        x: int32 values in an int64 array.
        multiplier: One int32 or an array of them that broadcasts.
        shift: One shift, at most 30, or an array of them.
    """
    bits = 31 - np.asarray(shift, np.int64)
    product = x * np.asarray(multiplier, np.int64)
    return (product + (np.int64(1) << (bits - 1)) - (product < 0)) >> bits


def multiply_by_quantized_multiplier(x: Int64Array, multiplier: npt.ArrayLike, shift: npt.ArrayLike) -> Int64Array:
    """x * multiplier * 2**(shift - 31) with two roundings (TFLite: MultiplyByQuantizedMultiplier).

    Args:
        x: int32 values in an int64 array.
        multiplier: One int32 or an array of them that broadcasts (per channel: the last axis).
        shift: One shift or an array of them, as returned by `quantize_multiplier`.

    Returns:
        int32 values in an int64 array. A left shift wraps at 32 bits, as the C code does.
    """
    shift = np.asarray(shift, np.int64)
    if np.any(shift > 0):
        x = (x << np.maximum(shift, 0)).astype(np.int32).astype(np.int64)
    product = saturating_rounding_doubling_high_mul(x, multiplier)
    return rounding_divide_by_power_of_two(product, np.maximum(-shift, 0))
