"""PACK."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinynas.graph._attributes import Attributes
from tinynas.graph._operator import Op, OpSpec, Rewritten, Shape
from tinynas.graph._shapes import shape_error
from tinynas.graph._tensor import DType
from tinynas.graph.reference._node import Array, Node, of_one_batch


@dataclass(frozen=True)
class PackAttributes(Attributes):
    """PACK of inputs of one shape along a new dimension `axis` (non-negative)."""

    axis: int = 0


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, PackAttributes)
    first, axis = input_shapes[0], attributes.axis
    if any(shape != first for shape in input_shapes):
        raise shape_error(op, f"inputs of one shape are packed, got {[list(shape) for shape in input_shapes[:4]]}")
    if not 0 <= axis <= len(first):
        raise shape_error(op, f"axis {axis} is outside {list(first)}")
    return (*first[:axis], len(input_shapes), *first[axis:])


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
    attributes = node.op.attributes
    assert isinstance(attributes, PackAttributes)
    return np.stack(of_one_batch(arrays), axis=attributes.axis + 1)


SPECS = (
    OpSpec(
        name="PACK",
        description="tensors of one shape along a new dimension",
        support="of constants and shapes",
        attributes=PackAttributes,
        shapes=_shape,
        reference=_reference,
        inputs=(1, 1 << 16),
        input_types=(DType.INT8, DType.FLOAT32, DType.INT32),
        folds=True,
        rewritten=Rewritten.AS_CONSTANT,
    ),
)
