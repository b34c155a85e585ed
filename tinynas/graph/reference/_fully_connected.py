"""FULLY_CONNECTED."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinynas.graph._ops import FullyConnectedAttributes
from tinynas.graph.fixed_point import (
    Runtime,
    fully_connected_multipliers,
    multiply_by_quantized_multiplier,
    multiply_rounding_once,
)
from tinynas.graph.reference._matmul import exact_matmul
from tinynas.graph.reference._node import Array, Node, clamp_float, required
from tinynas.graph.reference._rescale import as_int32, clamp_to_int8


def fully_connected(node: Node, arrays: Sequence[Array | None]) -> Array:
    """FULLY_CONNECTED: the input, flattened to rows of the weights' width, times the transposed weights."""
    attributes = node.op.attributes
    assert isinstance(attributes, FullyConnectedAttributes)
    x, weights = required(arrays, 0), required(arrays, 1)[0]
    rows = x.reshape(-1, weights.shape[1])
    bias = arrays[2] if len(arrays) > 2 else None
    if node.is_float:
        products = exact_matmul(rows, weights.T, is_float=True)
        values = products if bias is None else products + bias[0].reshape(-1)
        return clamp_float(values, attributes.activation).reshape(x.shape[0], *node.output.shape)
    x_quantization, weights_quantization = node.quantization(node.input(0)), node.quantization(node.input(1))
    # Unlike the convolutions, this kernel honours the zero point of per-tensor weights.
    weights_zero_point = 0 if weights_quantization.per_channel else weights_quantization.zero_point
    matrix = weights.T.astype(np.int32) - np.int32(weights_zero_point)
    accumulators = exact_matmul(rows.astype(np.int32) - np.int32(x_quantization.zero_point), matrix, is_float=False)
    if bias is not None:
        accumulators = as_int32(accumulators + bias[0].reshape(-1))
    output = node.quantization(node.output)
    multipliers, shifts = fully_connected_multipliers(
        x_quantization, weights_quantization, output, weights.shape[0], node.runtime
    )
    multiply = multiply_rounding_once if node.runtime is Runtime.LITERT else multiply_by_quantized_multiplier
    values = clamp_to_int8(multiply(accumulators, multipliers, shifts), output, attributes.activation)
    return values.reshape(x.shape[0], *node.output.shape)
