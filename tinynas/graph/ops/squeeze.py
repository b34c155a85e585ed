"""SQUEEZE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinynas.graph._attributes import Attributes
from tinynas.graph._operator import Op, OpSpec, Rewritten, Shape
from tinynas.graph._shapes import shape_error
from tinynas.graph._tensor import DType
from tinynas.graph.reference._node import reshaped


@dataclass(frozen=True)
class SqueezeAttributes(Attributes):
    """SQUEEZE: without the dimensions `axes` (non-negative, ascending), each of 1; without any: all that are 1."""

    axes: tuple[int, ...] = ()


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, SqueezeAttributes)
    x, axes = input_shapes[0], attributes.axes
    if not all(0 <= axis < len(x) and x[axis] == 1 for axis in axes):
        raise shape_error(op, f"the dimensions {list(axes)} of {list(x)} are not all 1")
    return tuple(size for i, size in enumerate(x) if (i not in axes if axes else size != 1))


SPECS = (
    OpSpec(
        name="SQUEEZE",
        description="without dimensions of 1",
        support="any type",
        attributes=SqueezeAttributes,
        shapes=_shape,
        reference=reshaped,
        input_types=tuple(DType),
        moves_weights=True,
        folds=True,
        rewritten=Rewritten.AS_RESHAPE,
    ),
)
