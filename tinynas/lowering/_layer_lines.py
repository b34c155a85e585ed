"""The lines of whole layers, for the kernels that requantize by them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tinynas.graph import (
    Activation,
    Conv2DAttributes,
    DepthwiseConv2DAttributes,
    OpKind,
)
from tinynas.lowering._clamp import activation_range
from tinynas.lowering._dot_variants import dense_shape
from tinynas.lowering._lines import DROP, Lines, Sums, lines_of
from tinynas.lowering._variants import KernelCall
from tinynas.lowering._weights import SMALLEST_WEIGHT, by_output, folded_bias, multipliers, quantization_of


def has_drop(call: KernelCall) -> bool:
    """Whether outputs of negative sums differ, so that requantization needs three instructions more for each.

    Not behind a ReLU, which clamps them to zero.
    """
    attributes = call.op.attributes
    assert isinstance(attributes, Conv2DAttributes | DepthwiseConv2DAttributes)
    return attributes.activation not in (Activation.RELU, Activation.RELU6)


def paired_lines(call: KernelCall) -> Lines | None:
    """The lines by which `tn_paired_tiles` requantizes: with a drop where `has_drop` says so.

    None where a channel has none, or two weights of -128 meet in a pair: the kernel cannot execute such a layer.
    """
    rows = by_output(call).reshape(dense_shape(call)[0], -1)
    smallest = np.pad(rows == SMALLEST_WEIGHT, ((0, 0), (0, rows.shape[1] % 2)))
    if smallest.reshape(len(rows), -1, 2).all(axis=2).any():
        return None
    return _lines(call, rows, DROP if has_drop(call) else 0)


def fully_connected_lines(call: KernelCall) -> Lines | None:
    """The lines of a fully connected layer; None where an output has none."""
    return _lines(call, by_output(call).reshape(call.weights.shape[0], -1), 0)


def _lines(call: KernelCall, rows: npt.NDArray[np.generic], drop: int) -> Lines | None:
    """The lines of a layer whose weights are `rows`, one row a channel; None where a channel has none."""
    weights = rows.astype(np.int64)
    positive, negative = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    lowest, highest = 127 * negative - 128 * positive, 127 * positive - 128 * negative
    constants = (lowest, highest, folded_bias(call, len(rows)))
    arrays = tuple(a.astype(np.int64).tobytes() for a in (*constants, *multipliers(call, len(rows))))
    zero_point = quantization_of(call.output).zero_point
    return _solved(arrays, zero_point, call.op.kind is OpKind.FULLY_CONNECTED, activation_range(call), drop)


@lru_cache(maxsize=512)
def _solved(
    arrays: tuple[bytes, ...], zero_point: int, rounded_once: bool, clamp: tuple[int, int], drop: int
) -> Lines | None:
    """A layer is asked about more than once while kernels are chosen for a network."""
    lowest, highest, bias, multiplier, shift = (np.frombuffer(a, np.int64) for a in arrays)
    low, high = (value + 128 for value in clamp)
    lines = lines_of(Sums(lowest, highest, bias, multiplier, shift, zero_point, rounded_once, low, high), drop)
    return lines if lines.exact.all() else None
