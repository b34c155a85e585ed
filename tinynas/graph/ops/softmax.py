"""SOFTMAX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinynas.graph._attributes import Attributes
from tinynas.graph._operator import Op, OpSpec, Shape
from tinynas.graph._shapes import shape_error
from tinynas.graph._tensor import Quantization
from tinynas.graph.fixed_point import SOFTMAX_ACCUMULATION_INTEGER_BITS as ACCUMULATION_BITS
from tinynas.graph.fixed_point import (
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
    softmax_exp_table,
    softmax_parameters,
    softmax_reciprocal,
)
from tinynas.graph.reference._node import Array, Node, required


@dataclass(frozen=True)
class SoftmaxAttributes(Attributes):
    """SOFTMAX over the last axis; int8 output has scale 1/256 and zero point -128."""

    beta: float = 1.0


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    if not input_shapes[0]:
        raise shape_error(op, "a scalar has no dimension to normalize over")
    return tuple(input_shapes[0])


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
    """int8 goes through a table of the 256 possible exponentials.

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


def _rescale(op: Op, quantizations: Sequence[Quantization]) -> object:
    assert isinstance(op.attributes, SoftmaxAttributes)
    return softmax_parameters(quantizations[0].scale, op.attributes.beta)


SPECS = (
    OpSpec(
        name="SOFTMAX",
        description="exponentials along the last dimension, divided by their sum",
        support="int8",
        attributes=SoftmaxAttributes,
        shapes=_shape,
        reference=_reference,
        fixed_output=Quantization((1 / 256,), (-128,)),
        rescaling=_rescale,
    ),
)
