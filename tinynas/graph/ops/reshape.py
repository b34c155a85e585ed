"""RESHAPE."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tinynas.graph._attributes import Attributes
from tinynas.graph._operator import Op, OpSpec, Shape
from tinynas.graph._shapes import shape_error
from tinynas.graph._tensor import DType
from tinynas.graph.reference._node import reshaped


@dataclass(frozen=True)
class ReshapeAttributes(Attributes):
    """RESHAPE; all dimensions of `shape` are known and positive.

    A second input, int32 [rank], is the shape as the file computes it; `shape` holds what comes of that.
    """

    shape: tuple[int, ...]


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, ReshapeAttributes)
    if any(size < 1 for size in attributes.shape) or math.prod(attributes.shape) != math.prod(input_shapes[0]):
        raise shape_error(op, f"{list(input_shapes[0])} cannot become {list(attributes.shape)}")
    return attributes.shape


SPECS = (
    OpSpec(
        name="RESHAPE",
        description="the same elements in another shape",
        support="any type",
        attributes=ReshapeAttributes,
        shapes=_shape,
        reference=reshaped,
        inputs=(1, 2),
        input_types=tuple(DType),
        operand_types=(DType.INT32,),
        constant_inputs=("shape",),
        keeps_quantization=True,
        copies=True,
        moves_weights=True,
        folds=True,
        is_identity=lambda op: True,
        without_kernel="takes nothing",
    ),
)
