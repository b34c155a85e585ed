"""An int8 ADD as a plane over its two operands, where one gives the same bits as TFLite's three roundings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinynas.graph._tensor import Quantization
from tinynas.graph.fixed_point._arithmetic import Int64Array, multiply_by_quantized_multiplier
from tinynas.graph.fixed_point._parameters import ADD_LEFT_SHIFT, add_parameters

_INT8 = np.arange(-128, 128, dtype=np.int64)
_A, _B = _INT8[:, np.newaxis], _INT8[np.newaxis, :]
_BIAS = 128
"""Kernels saturate to [0, 255] what is this much above the output, so that much must not overflow either."""

_SMALLEST_RIGHT, _LARGEST_RIGHT = 16, 23
"""From 16 on, what an int32 is shifted to fits a halfword; with more than 23 the bias alone leaves int32."""

_LARGEST_FACTOR = (1 << 23) - 1
"""Kernels multiply by 256 times a factor (SMLAWB)."""

_INT32_MAX = (1 << 31) - 1
_STEPS = sorted(((i, j) for i in range(-2, 3) for j in range(-2, 3)), key=lambda step: abs(step[0]) + abs(step[1]))
_TRIES = 2


class AddPlane(NamedTuple):
    """out = saturate((a * alpha + b * beta + gamma) >> right) for raw int8 operands; zero points are part of gamma."""

    alpha: int
    beta: int
    gamma: int
    right: int


@lru_cache(maxsize=512)
def add_plane(
    a: Quantization, b: Quantization, output: Quantization, low: int = -128, high: int = 127
) -> AddPlane | None:
    """The plane that equals TFLite's ADD for all 65,536 pairs of operands once both are clamped to [low, high].

    No product, sum or partial sum of it leaves int32, nor does 128 << right added to one. None where none was found:
    the real plane, rounded to as many bits as there are, then stepped a little, is all that is tried.
    """
    expected = np.clip(_tflite_add(a, b, output), low, high)
    # Both functions rise along both operands: what holds at the corners of a step's stairs holds on all of it.
    padded = np.pad(expected, 1, mode="constant", constant_values=-(1 << 10))
    inner, before_a, before_b = padded[1:-1, 1:-1], padded[:-2, 1:-1], padded[1:-1, :-2]
    after_a, after_b = padded[2:, 1:-1], padded[1:-1, 2:]
    first = np.nonzero((expected > low) & (before_a != inner) & (before_b != inner))
    last = np.nonzero((expected < high) & (after_a != inner) & (after_b != inner))
    ratios = [x.scale / output.scale for x in (a, b)]
    offset = output.zero_point + 0.5 - ratios[0] * a.zero_point - ratios[1] * b.zero_point
    largest = _largest_right(ratios, offset)
    for right in range(largest, max(largest - _TRIES, _SMALLEST_RIGHT - 1), -1):
        alpha, beta = (round(ratio * (1 << right)) for ratio in ratios)
        for step_a, step_b in _STEPS:
            factors = alpha + step_a, beta + step_b
            at_least = _most((expected[first] << right) - _linear(factors, first))
            at_most = -_most(_linear(factors, last) - (((expected[last] + 1) << right) - 1))
            gamma = min(max(round(offset * (1 << right)), at_least), at_most)
            if at_least <= at_most and _is_exact(plane := AddPlane(*factors, gamma, right), expected, low, high):
                return plane
    return None


def _tflite_add(a: Quantization, b: Quantization, output: Quantization) -> Int64Array:
    """TFLite's sums of all pairs, zero point included, before they are clamped. Shape [256, 256]."""
    parameters = add_parameters(a, b, output)
    scaled_a = multiply_by_quantized_multiplier((_A - a.zero_point) << ADD_LEFT_SHIFT, *parameters.input1)
    scaled_b = multiply_by_quantized_multiplier((_B - b.zero_point) << ADD_LEFT_SHIFT, *parameters.input2)
    return multiply_by_quantized_multiplier(scaled_a + scaled_b, *parameters.output) + output.zero_point


def _largest_right(ratios: Sequence[float], offset: float) -> int:
    """The most fractional bits that leave room for the ends of the real plane; beyond them is the check's business."""
    ends = (offset - 128 * sum(ratios), offset + 127 * sum(ratios) + _BIAS)
    room = min(_INT32_MAX / (1 + max(map(abs, ends))), _LARGEST_FACTOR / max(ratios))
    return min(math.floor(math.log2(room)), _LARGEST_RIGHT)


def _linear(factors: tuple[int, int], pairs: tuple[npt.NDArray[np.intp], ...]) -> Int64Array:
    return _INT8[pairs[0]] * factors[0] + _INT8[pairs[1]] * factors[1]


def _most(values: Int64Array) -> int:
    return int(values.max()) if values.size else -_INT32_MAX


def _is_exact(plane: AddPlane, expected: Int64Array, low: int, high: int) -> bool:
    """Whether a plane gives what is expected of every pair, within the limits of the kernels."""
    sums = _A * plane.alpha + plane.gamma + _B * plane.beta
    biased = sums + (_BIAS << plane.right)
    inside = all(x.min() >= -_INT32_MAX - 1 and x.max() <= _INT32_MAX for x in (sums, biased))
    small = min(plane.alpha, plane.beta) >= 0 and max(plane.alpha, plane.beta) <= _LARGEST_FACTOR
    return bool(inside and small and np.array_equal(np.clip(sums >> plane.right, low, high), expected))
