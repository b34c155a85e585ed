"""MEAN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinynas.graph._attributes import Attributes
from tinynas.graph._operator import Commuted, Op, OpSpec, Shape
from tinynas.graph._permutations import Permutation
from tinynas.graph._shapes import shape_error
from tinynas.graph._tensor import DType, Quantization, Tensor
from tinynas.graph.fixed_point import mean_multiplier, requantization_multiplier
from tinynas.graph.reference._node import Array, Node, required
from tinynas.graph.reference._rescale import rescale_to_int8


@dataclass(frozen=True)
class MeanAttributes(Attributes):
    """MEAN over `axes` (non-negative, ascending). In the file: a constant input."""

    axes: tuple[int, ...] = (1, 2)
    keep_dims: bool = False


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, MeanAttributes)
    x, axes = input_shapes[0], attributes.axes
    if not axes or list(axes) != sorted(set(axes)) or not 0 <= axes[0] <= axes[-1] < len(x):
        raise shape_error(op, f"axes {list(axes)} must be ascending dimensions of {list(x)}")
    if attributes.keep_dims:
        return tuple(1 if i in axes else size for i, size in enumerate(x))
    return tuple(size for i, size in enumerate(x) if i not in axes)


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
    """The sum of the differences to the zero point, rescaled by a multiplier that includes 1 / count."""
    attributes = node.op.attributes
    assert isinstance(attributes, MeanAttributes)
    x = required(arrays, 0)
    axes = tuple(axis + 1 for axis in attributes.axes)
    if node.is_float:
        means: Array = x.mean(axis=axes, dtype=np.float32)
        return means.reshape(x.shape[0], *node.output.shape)
    count = math.prod(x.shape[axis] for axis in axes)
    quantization, output = node.quantization(node.input(0)), node.quantization(node.output)
    sums = x.sum(axis=axes, dtype=np.int64) - count * quantization.zero_point
    values = rescale_to_int8(sums, *mean_multiplier(quantization, output, count), output)
    return values.reshape(x.shape[0], *node.output.shape)


def _rescale(op: Op, quantizations: Sequence[Quantization]) -> object:
    return requantization_multiplier(quantizations[0], quantizations[-1])


def _commuted(op: Op, permutation: Permutation, output: Tensor) -> Commuted | None:
    """Sums of integers have no order; float sums do."""
    attributes = op.attributes
    assert isinstance(attributes, MeanAttributes)
    if output.dtype is not DType.INT8:
        return None
    axes = sorted(permutation[axis] for axis in attributes.axes)
    left = permutation
    if not attributes.keep_dims:
        kept = [permutation[axis] for axis in range(len(permutation)) if axis not in attributes.axes]
        left = tuple(sorted(kept).index(axis) for axis in kept)
    return Commuted(replace(op, attributes=replace(attributes, axes=tuple(axes))), left)


SPECS = (
    OpSpec(
        name="MEAN",
        description="mean over dimensions",
        support="int8, over constant axes",
        attributes=MeanAttributes,
        shapes=_shape,
        reference=_reference,
        constant_inputs=("axes",),
        rescaling=_rescale,
        commuted=_commuted,
    ),
)
