"""Affine requantization of whole layers."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tinynas.graph import Activation
from tinynas.kernels._affine import AFFINE_WORDS, Affine, Int64Array, Sums, affine_of
from tinynas.kernels._clamp import activation_range
from tinynas.kernels._kernel import KernelCall
from tinynas.kernels._weights import folded_bias, multipliers, quantization_of, rules_of

CHANNELS_AT_ONCE = 4
"""Output channels whose words lie together: TN_CHANNELS_AT_ONCE in `firmware/kernels/conv_2d/gemm_swar_w16.h`."""

Words = npt.NDArray[np.uint32]


def has_drop(call: KernelCall) -> bool:
    """Whether outputs of negative sums differ, so that requantization needs three instructions more for each.

    Not behind a ReLU, which clamps them to zero.
    """
    return call.op.activation not in (Activation.RELU, Activation.RELU6)


def layer_affine(call: KernelCall, rows: npt.NDArray[np.generic], drop: int) -> Affine | None:
    """Affine requantization of a layer whose weights are `rows`, one row a channel; None where a channel has none."""
    weights = rows.astype(np.int64)
    positive, negative = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    lowest, highest = 127 * negative - 128 * positive, 127 * positive - 128 * negative
    constants = (lowest, highest, folded_bias(call, len(rows)))
    arrays = tuple(a.astype(np.int64).tobytes() for a in (*constants, *multipliers(call, len(rows))))
    zero_point = quantization_of(call.output).zero_point
    return _solved(arrays, zero_point, rules_of(call).rounds_once, activation_range(call), drop)


@lru_cache(maxsize=512)
def _solved(
    arrays: tuple[bytes, ...], zero_point: int, rounded_once: bool, clamp: tuple[int, int], drop: int
) -> Affine | None:
    """A layer is asked about more than once while kernels are chosen for a network."""
    lowest, highest, bias, multiplier, shift = (np.frombuffer(a, np.int64) for a in arrays)
    low, high = (value + 128 for value in clamp)
    affine = affine_of(Sums(lowest, highest, bias, multiplier, shift, zero_point, rounded_once, low, high), drop)
    return affine if affine.exact.all() else None


def affine_words(call: KernelCall, affine: Affine | None, outputs: int) -> tuple[Int64Array, Int64Array]:
    """What the sums of a layer begin with, and five words for each: affine parameters, or else multiplier and shift.

    In whole fours of channels, zeros behind the last one.
    """
    if affine is None:
        multiplier, shift = multipliers(call, outputs)
        start = folded_bias(call, outputs).astype(np.int64)
        scales = np.stack((multiplier, shift, *[np.zeros(outputs)] * (AFFINE_WORDS - 2)), axis=1).astype(np.int64)
    else:
        start, scales = affine.start, np.stack((*affine.parts, affine.offset, affine.right), axis=1)
    missing = -outputs % CHANNELS_AT_ONCE
    return np.pad(start, (0, missing)), np.pad(scales, ((0, missing), (0, 0)))


def as_words(values: Int64Array) -> Words:
    """The values modulo 2^32."""
    return (values & 0xFFFFFFFF).astype(np.uint32)
