"""SOFTMAX in fixed point. Qm.n below means m integer and n fractional bits beside the sign."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinynas.graph.fixed_point._arithmetic import (
    Int64Array,
    Multiplier,
    quantize_multiplier,
    saturating_rounding_doubling_high_mul,
)
from tinynas.graph.fixed_point._transcendental import ONE, exp_on_negative_values, one_over_one_plus_x

SOFTMAX_ACCUMULATION_INTEGER_BITS = 12
"""The sum of exponentials is a Q12.19 number (tflite/kernels/internal/reference/softmax.h)."""

_SCALED_DIFFERENCE_INTEGER_BITS = 5


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
    real = min(float(np.float32(beta)) * input_scale * (1 << fraction_bits), float(ONE))
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
    return np.where(used, exp_on_negative_values(scaled, _SCALED_DIFFERENCE_INTEGER_BITS), 0).astype(np.int32)


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
    return one_over_one_plus_x(normalized), SOFTMAX_ACCUMULATION_INTEGER_BITS - leading_zeros
