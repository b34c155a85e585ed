"""QUANTIZE and DEQUANTIZE."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinynas.graph._tensor import DType
from tinynas.graph.fixed_point import requantization_multiplier
from tinynas.graph.reference._node import Array, Node, required
from tinynas.graph.reference._rescale import rescale_to_int8


def quantize(node: Node, arrays: Sequence[Array | None]) -> Array:
    """QUANTIZE: from float32 (halves away from zero; beyond the range it saturates), or from int8."""
    x, output = required(arrays, 0), node.quantization(node.output)
    if node.input(0).dtype is DType.INT8:
        quantization = node.quantization(node.input(0))
        differences = x.astype(np.int64) - quantization.zero_point
        return rescale_to_int8(differences, *requantization_multiplier(quantization, output), output)
    ratios: Array = (x / np.float32(output.scale)).astype(np.float64)
    rounded: Array = np.trunc(ratios + np.copysign(0.5, ratios))
    return np.asarray(np.clip(rounded + output.zero_point, -128, 127), np.int8)


def dequantize(node: Node, arrays: Sequence[Array | None]) -> Array:
    """DEQUANTIZE to float32."""
    quantization = node.quantization(node.input(0))
    differences = required(arrays, 0).astype(np.float32) - np.float32(quantization.zero_point)
    return np.asarray(np.float32(quantization.scale) * differences, np.float32)
