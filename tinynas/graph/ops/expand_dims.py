"""EXPAND_DIMS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinynas.graph._attributes import Attributes
from tinynas.graph._operator import Op, OpSpec, Rewritten, Shape
from tinynas.graph._shapes import shape_error
from tinynas.graph._tensor import DType
from tinynas.graph.reference._node import reshaped


@dataclass(frozen=True)
class ExpandDimsAttributes(Attributes):
    """EXPAND_DIMS: a dimension of 1 before `axis` (non-negative). In the file: a constant input."""

    axis: int


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, ExpandDimsAttributes)
    x, axis = input_shapes[0], attributes.axis
    if not 0 <= axis <= len(x):
        raise shape_error(op, f"axis {axis} is outside {list(x)}")
    return (*x[:axis], 1, *x[axis:])


SPECS = (
    OpSpec(
        name="EXPAND_DIMS",
        description="a dimension of 1 more",
        support="any type",
        attributes=ExpandDimsAttributes,
        shapes=_shape,
        reference=reshaped,
        input_types=tuple(DType),
        constant_inputs=("axis",),
        moves_weights=True,
        folds=True,
        rewritten=Rewritten.AS_RESHAPE,
    ),
)
