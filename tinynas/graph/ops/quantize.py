"""QUANTIZE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinynas.graph._attributes import Attributes
from tinynas.graph._commuting import elementwise_commuted
from tinynas.graph._operator import Op, OpSpec, Shape
from tinynas.graph._tensor import DType, Quantization
from tinynas.graph.fixed_point import multiply_by_quantized_multiplier, requantization_multiplier
from tinynas.graph.reference._node import Array, Node, required

_RANGES = {DType.INT8: (-128, 127), DType.UINT8: (0, 255)}


@dataclass(frozen=True)
class QuantizeAttributes(Attributes):
    """QUANTIZE: float32 -> int8 or uint8, or between these two with any parameters (requantization)."""


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    return tuple(input_shapes[0])


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
    """From float32 (halves away from zero; beyond the range it saturates), or from int8 or uint8."""
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


def _rescale(op: Op, quantizations: Sequence[Quantization]) -> object:
    return requantization_multiplier(quantizations[0], quantizations[-1])


SPECS = (
    OpSpec(
        name="QUANTIZE",
        description="values in another scale and zero point",
        support="between int8 scales; from float32 or uint8 at inputs, to uint8 at outputs",
        attributes=QuantizeAttributes,
        shapes=_shape,
        reference=_reference,
        input_types=(DType.FLOAT32, DType.INT8, DType.UINT8),
        output_types=(DType.INT8, DType.UINT8),
        elementwise=True,
        rescaling=_rescale,
        folds=True,
        # From float32 it would not have the same type.
        is_identity=lambda op: True,
        commuted=elementwise_commuted,
    ),
)
