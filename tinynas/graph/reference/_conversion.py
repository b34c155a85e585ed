"""QUANTIZE and DEQUANTIZE."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinynas.graph._tensor import DType
from tinynas.graph.fixed_point import multiply_by_quantized_multiplier, requantization_multiplier
from tinynas.graph.reference._node import Array, Node, required

_RANGES = {DType.INT8: (-128, 127), DType.UINT8: (0, 255)}


def quantize(node: Node, arrays: Sequence[Array | None]) -> Array:
    """QUANTIZE: from float32 (halves away from zero; beyond the range it saturates), or from int8 or uint8."""
    x, output = required(arrays, 0), node.quantization(node.output)
    if node.input(0).dtype is DType.FLOAT32:
        ratios: Array = (x / np.float32(output.scale)).astype(np.float64)
        steps: Array = np.trunc(ratios + np.copysign(0.5, ratios))
    else:
        quantization = node.quantization(node.input(0))
        differences = x.astype(np.int64) - quantization.zero_point
        steps = multiply_by_quantized_multiplier(differences, *requantization_multiplier(quantization, output))
    low, high = _RANGES[node.output.dtype]
    return np.asarray(np.clip(steps + output.zero_point, low, high), node.output.dtype.numpy)


def dequantize(node: Node, arrays: Sequence[Array | None]) -> Array:
    """DEQUANTIZE to float32."""
    quantization = node.quantization(node.input(0))
    differences = required(arrays, 0).astype(np.float32) - np.float32(quantization.zero_point)
    return np.asarray(np.float32(quantization.scale) * differences, np.float32)
