"""DEQUANTIZE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinynas.graph._attributes import Attributes
from tinynas.graph._operator import Op, OpSpec, Shape
from tinynas.graph._tensor import DType
from tinynas.graph.reference._node import Array, Node, required


@dataclass(frozen=True)
class DequantizeAttributes(Attributes):
    """DEQUANTIZE: int8 or uint8 -> float32."""


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    return tuple(input_shapes[0])


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
    quantization = node.quantization(node.input(0))
    differences = required(arrays, 0).astype(np.float32) - np.float32(quantization.zero_point)
    return np.asarray(np.float32(quantization.scale) * differences, np.float32)


# It has no rule for a TRANSPOSE: at an output it is to stay the last operator.
SPECS = (
    OpSpec(
        name="DEQUANTIZE",
        description="quantized values as float32",
        support="at outputs, and of constants",
        attributes=DequantizeAttributes,
        shapes=_shape,
        reference=_reference,
        input_types=(DType.INT8, DType.UINT8),
        output_types=(DType.FLOAT32,),
        folds=True,
        without_kernel="at an output: taken off",
    ),
)
