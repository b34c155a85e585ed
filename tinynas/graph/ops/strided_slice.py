"""STRIDED_SLICE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinynas.graph._attributes import Attributes
from tinynas.graph._operator import Op, OpSpec, Rewritten, Shape
from tinynas.graph._shapes import shape_error
from tinynas.graph._tensor import DType
from tinynas.graph.reference._node import Array, Node, required


@dataclass(frozen=True)
class StridedSliceAttributes(Attributes):
    """STRIDED_SLICE as in NumPy, one entry per dimension of the input. In the file: three constant inputs.

    Bit i of `begin_mask` and `end_mask` leaves that end of dimension i open, bit i of `shrink_axis_mask` takes the one
    element at `begin` and drops the dimension.
    """

    begin: tuple[int, ...]
    end: tuple[int, ...]
    strides: tuple[int, ...]
    begin_mask: int = 0
    end_mask: int = 0
    shrink_axis_mask: int = 0

    def slices(self) -> tuple[slice | int, ...]:
        """What NumPy indexes the input with."""
        return tuple(
            begin
            if self.shrink_axis_mask >> i & 1
            else slice(None if self.begin_mask >> i & 1 else begin, None if self.end_mask >> i & 1 else end, stride)
            for i, (begin, end, stride) in enumerate(zip(self.begin, self.end, self.strides, strict=True))
        )


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, StridedSliceAttributes)
    x, slices = input_shapes[0], attributes.slices()
    if len(slices) != len(x) or 0 in attributes.strides:
        raise shape_error(op, f"{list(x)} needs begin, end and a stride other than 0 for each dimension")
    sizes = []
    for size, taken in zip(x, slices, strict=True):
        if isinstance(taken, slice):
            sizes.append(len(range(*taken.indices(size))))
        elif not -size <= taken < size:
            raise shape_error(op, f"element {taken} is outside of a dimension of {size}")
    return tuple(sizes)


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
    attributes = node.op.attributes
    assert isinstance(attributes, StridedSliceAttributes)
    return np.ascontiguousarray(required(arrays, 0)[:, *attributes.slices()])


SPECS = (
    OpSpec(
        name="STRIDED_SLICE",
        description="every so many elements of a range, for each dimension",
        support="of constants and shapes",
        attributes=StridedSliceAttributes,
        shapes=_shape,
        reference=_reference,
        input_types=(DType.INT8, DType.FLOAT32, DType.INT32),
        constant_inputs=("begin", "end", "strides"),
        folds=True,
        rewritten=Rewritten.AS_CONSTANT,
    ),
)
