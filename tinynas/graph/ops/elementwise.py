"""ADD and MUL with NumPy broadcasting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinynas.graph._attributes import Activation, Attributes
from tinynas.graph._commuting import elementwise_commuted
from tinynas.graph._operator import Op, OpSpec, Shape
from tinynas.graph._shapes import shape_error
from tinynas.graph._tensor import Quantization
from tinynas.graph.fixed_point import (
    ADD_LEFT_SHIFT,
    add_parameters,
    mul_multiplier,
    multiply_by_quantized_multiplier,
)
from tinynas.graph.reference._node import Array, Node, clamp_float, required
from tinynas.graph.reference._rescale import rescale_to_int8


@dataclass(frozen=True)
class ElementwiseAttributes(Attributes):
    """ADD and MUL. inputs: a, b of one shape, or one that broadcasts to the other's (NumPy rules)."""

    activation: Activation = Activation.NONE


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    a, b = input_shapes
    rank = max(len(a), len(b))
    padded_a, padded_b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    if any(m != n and 1 not in (m, n) for m, n in zip(padded_a, padded_b, strict=True)):
        raise shape_error(op, f"{list(a)} and {list(b)} do not broadcast to one shape")
    return tuple(map(max, padded_a, padded_b))


def _add(node: Node, arrays: Sequence[Array | None]) -> Array:
    """Both inputs are brought to twice the larger input scale, added, and rescaled."""
    a, b = _aligned(node, arrays)
    if node.is_float:
        return clamp_float(a + b, node.op.activation)
    qa, qb, output = (node.quantization(t) for t in (node.input(0), node.input(1), node.output))
    parameters = add_parameters(qa, qb, output)
    scaled_a = multiply_by_quantized_multiplier(_offset(a, qa) << ADD_LEFT_SHIFT, *parameters.input1)
    scaled_b = multiply_by_quantized_multiplier(_offset(b, qb) << ADD_LEFT_SHIFT, *parameters.input2)
    return rescale_to_int8(scaled_a + scaled_b, *parameters.output, output, node.op.activation)


def _mul(node: Node, arrays: Sequence[Array | None]) -> Array:
    a, b = _aligned(node, arrays)
    if node.is_float:
        return clamp_float(a * b, node.op.activation)
    qa, qb, output = (node.quantization(t) for t in (node.input(0), node.input(1), node.output))
    product = _offset(a, qa) * _offset(b, qb)
    return rescale_to_int8(product, *mul_multiplier(qa, qb, output, node.runtime), output, node.op.activation)


def _offset(values: Array, quantization: Quantization) -> npt.NDArray[np.int64]:
    return values.astype(np.int64) - quantization.zero_point


def _aligned(node: Node, arrays: Sequence[Array | None]) -> tuple[Array, Array]:
    """Both inputs with the rank of the output, so that the extra batch dimensions meet."""
    rank = len(node.output.shape)
    a, b = (
        x.reshape(x.shape[0], *(1,) * (rank + 1 - x.ndim), *x.shape[1:])
        for x in (required(arrays, 0), required(arrays, 1))
    )
    return a, b


def _rescale_add(op: Op, quantizations: Sequence[Quantization]) -> object:
    return add_parameters(quantizations[0], quantizations[1], quantizations[-1])


def _rescale_mul(op: Op, quantizations: Sequence[Quantization]) -> object:
    return mul_multiplier(quantizations[0], quantizations[1], quantizations[-1])


SPECS = (
    OpSpec(
        name="ADD",
        description="sum of two tensors that broadcast to one shape",
        support="int8",
        attributes=ElementwiseAttributes,
        shapes=_shape,
        reference=_add,
        inputs=(2, 2),
        elementwise=True,
        rescaling=_rescale_add,
        folds=True,
        commuted=elementwise_commuted,
    ),
    OpSpec(
        name="MUL",
        description="product of two tensors that broadcast to one shape",
        support="int8",
        attributes=ElementwiseAttributes,
        shapes=_shape,
        reference=_mul,
        inputs=(2, 2),
        elementwise=True,
        rescaling=_rescale_mul,
        folds=True,
        commuted=elementwise_commuted,
    ),
)
