"""Shapes of what only rearranges elements or reads a shape: EXPAND_DIMS, SQUEEZE, SHAPE, STRIDED_SLICE, PACK."""

from __future__ import annotations

from collections.abc import Sequence

from tinynas.graph._graph import GraphError
from tinynas.graph._names import short_name
from tinynas.graph._ops import (
    ExpandDimsAttributes,
    Op,
    PackAttributes,
    SqueezeAttributes,
    StridedSliceAttributes,
)

Shape = tuple[int, ...]


def shape_error(op: Op, message: str) -> GraphError:
    """An error about the shapes of `op`, which it names."""
    return GraphError(f"{op.kind} {short_name(op.name)!r}: {message}")


def expand_dims_shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    """Shape of an EXPAND_DIMS; raises `GraphError` as `infer_shape` does."""
    attributes = op.attributes
    assert isinstance(attributes, ExpandDimsAttributes)
    x, axis = input_shapes[0], attributes.axis
    if not 0 <= axis <= len(x):
        raise shape_error(op, f"axis {axis} is outside {list(x)}")
    return (*x[:axis], 1, *x[axis:])


def squeeze_shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    """Shape of a SQUEEZE; raises `GraphError` as `infer_shape` does."""
    attributes = op.attributes
    assert isinstance(attributes, SqueezeAttributes)
    x, axes = input_shapes[0], attributes.axes
    if not all(0 <= axis < len(x) and x[axis] == 1 for axis in axes):
        raise shape_error(op, f"the dimensions {list(axes)} of {list(x)} are not all 1")
    return tuple(size for i, size in enumerate(x) if (i not in axes if axes else size != 1))


def shape_shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    """Shape of what SHAPE gives; raises `GraphError` as `infer_shape` does."""
    if not input_shapes[0]:
        raise shape_error(op, "a scalar has no dimensions")
    return (len(input_shapes[0]),)


def strided_slice_shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    """Shape of a STRIDED_SLICE; raises `GraphError` as `infer_shape` does."""
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


def pack_shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    """Shape of a PACK; raises `GraphError` as `infer_shape` does."""
    attributes = op.attributes
    assert isinstance(attributes, PackAttributes)
    first, axis = input_shapes[0], attributes.axis
    if any(shape != first for shape in input_shapes):
        raise shape_error(op, f"inputs of one shape are packed, got {[list(shape) for shape in input_shapes[:4]]}")
    if not 0 <= axis <= len(first):
        raise shape_error(op, f"axis {axis} is outside {list(first)}")
    return (*first[:axis], len(input_shapes), *first[axis:])
