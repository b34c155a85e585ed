"""MEAN and SOFTMAX: operators that reduce over dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinynas.graph._ops import MeanAttributes, SoftmaxAttributes
from tinynas.graph.fixed_point import SOFTMAX_ACCUMULATION_INTEGER_BITS as ACCUMULATION_BITS
from tinynas.graph.fixed_point import (
    mean_multiplier,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
    softmax_exp_table,
    softmax_parameters,
    softmax_reciprocal,
)
from tinynas.graph.reference._node import Array, Node, required
from tinynas.graph.reference._rescale import rescale_to_int8


def mean(node: Node, arrays: Sequence[Array | None]) -> Array:
    """MEAN: the sum of the differences to the zero point, rescaled by a multiplier that includes 1 / count."""
    attributes = node.op.attributes
    assert isinstance(attributes, MeanAttributes)
    x = required(arrays, 0)
    axes = tuple(axis + 1 for axis in attributes.axes)
    if node.is_float:
        means: Array = x.mean(axis=axes, dtype=np.float32)
        return means.reshape(x.shape[0], *node.output.shape)
    count = math.prod(x.shape[axis] for axis in axes)
    quantization, output = node.quantization(node.input(0)), node.quantization(node.output)
    sums = x.sum(axis=axes, dtype=np.int64) - count * quantization.zero_point
    values = rescale_to_int8(sums, *mean_multiplier(quantization, output, count), output)
    return values.reshape(x.shape[0], *node.output.shape)


def softmax(node: Node, arrays: Sequence[Array | None]) -> Array:
    """SOFTMAX over the last dimension; int8 goes through a table of the 256 possible exponentials.

    Where 512 or more elements share the maximum both runtimes abort; here every probability rounds to zero.
    """
    attributes = node.op.attributes
    assert isinstance(attributes, SoftmaxAttributes)
    x = required(arrays, 0)
    if node.is_float:
        exponentials = np.exp((x - x.max(axis=-1, keepdims=True)) * np.float32(attributes.beta))
        return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), np.float32)
    table = softmax_exp_table(softmax_parameters(node.quantization(node.input(0)).scale, attributes.beta))
    differences = x.max(axis=-1, keepdims=True).astype(np.int16) - x
    exponentials = table[differences].astype(np.int64)
    sums = rounding_divide_by_power_of_two(exponentials, ACCUMULATION_BITS).sum(axis=-1, keepdims=True)
    reciprocals, bits = softmax_reciprocal(sums)
    # Q0.31 to eight bits of 1/256 each.
    probabilities = rounding_divide_by_power_of_two(
        saturating_rounding_doubling_high_mul(exponentials, reciprocals), bits + 31 - 8
    )
    return np.clip(probabilities - 128, -128, 127).astype(np.int8)
