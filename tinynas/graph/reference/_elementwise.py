"""ADD and MUL with NumPy broadcasting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinynas.graph._ops import ElementwiseAttributes
from tinynas.graph._tensor import Quantization
from tinynas.graph.fixed_point import (
    ADD_LEFT_SHIFT,
    add_parameters,
    mul_multiplier,
    multiply_by_quantized_multiplier,
)
from tinynas.graph.reference._node import Array, Node, clamp_float, required
from tinynas.graph.reference._rescale import rescale_to_int8


def add(node: Node, arrays: Sequence[Array | None]) -> Array:
    """ADD: both inputs are brought to twice the larger input scale, added, and rescaled."""
    attributes = node.op.attributes
    assert isinstance(attributes, ElementwiseAttributes)
    a, b = _aligned(node, arrays)
    if node.is_float:
        return clamp_float(a + b, attributes.activation)
    qa, qb, output = (node.quantization(t) for t in (node.input(0), node.input(1), node.output))
    parameters = add_parameters(qa, qb, output)
    scaled_a = multiply_by_quantized_multiplier(_offset(a, qa) << ADD_LEFT_SHIFT, *parameters.input1)
    scaled_b = multiply_by_quantized_multiplier(_offset(b, qb) << ADD_LEFT_SHIFT, *parameters.input2)
    return rescale_to_int8(scaled_a + scaled_b, *parameters.output, output, attributes.activation)


def mul(node: Node, arrays: Sequence[Array | None]) -> Array:
    """MUL."""
    attributes = node.op.attributes
    assert isinstance(attributes, ElementwiseAttributes)
    a, b = _aligned(node, arrays)
    if node.is_float:
        return clamp_float(a * b, attributes.activation)
    qa, qb, output = (node.quantization(t) for t in (node.input(0), node.input(1), node.output))
    product = _offset(a, qa) * _offset(b, qb)
    return rescale_to_int8(product, *mul_multiplier(qa, qb, output, node.runtime), output, attributes.activation)


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
