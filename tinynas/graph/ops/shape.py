"""SHAPE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinynas.graph._attributes import Attributes
from tinynas.graph._operator import Op, OpSpec, Rewritten, Shape
from tinynas.graph._shapes import shape_error
from tinynas.graph._tensor import DType
from tinynas.graph.reference._node import Array, Node


@dataclass(frozen=True)
class ShapeAttributes(Attributes):
    """SHAPE: the input's dimensions as int32 [rank]."""


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    if not input_shapes[0]:
        raise shape_error(op, "a scalar has no dimensions")
    return (len(input_shapes[0]),)


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
    """That of one inference, whatever the batch."""
    return np.array([node.input(0).shape], np.int32)


SPECS = (
    OpSpec(
        name="SHAPE",
        description="the dimensions of a tensor",
        support="any type",
        attributes=ShapeAttributes,
        shapes=_shape,
        reference=_reference,
        input_types=tuple(DType),
        output_types=(DType.INT32,),
        folds=True,
        reads_shape_only=True,
        rewritten=Rewritten.AS_CONSTANT,
    ),
)
