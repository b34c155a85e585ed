"""CONCATENATION."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinynas.graph._attributes import Activation, Attributes
from tinynas.graph._errors import GraphError
from tinynas.graph._operator import Commuted, Op, OpSpec, Shape
from tinynas.graph._permutations import Permutation
from tinynas.graph._quantization_rules import check_copy
from tinynas.graph._shapes import shape_error
from tinynas.graph._tensor import DType, Tensor
from tinynas.graph.reference._node import Array, Node, of_one_batch


@dataclass(frozen=True)
class ConcatenationAttributes(Attributes):
    """CONCATENATION of any number of inputs along `axis` (non-negative)."""

    axis: int = 3
    activation: Activation = Activation.NONE


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, ConcatenationAttributes)
    axis, first = attributes.axis, input_shapes[0]
    if not 0 <= axis < len(first):
        raise shape_error(op, f"axis {axis} is outside {list(first)}")
    for shape in input_shapes:
        if len(shape) != len(first) or (*shape[:axis], *shape[axis + 1 :]) != (*first[:axis], *first[axis + 1 :]):
            raise shape_error(op, f"{list(shape)} and {list(first)} may differ along axis {axis} only")
    return (*first[:axis], sum(shape[axis] for shape in input_shapes), *first[axis + 1 :])


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
    """A copy; the int8 kernel does not rescale, so all scales and zero points are equal."""
    attributes = node.op.attributes
    assert isinstance(attributes, ConcatenationAttributes)
    return np.concatenate(of_one_batch(arrays), axis=attributes.axis + 1)


def _check(op: Op, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor], where: str) -> None:
    if op.activation is not Activation.NONE:
        raise GraphError(f"{where}: no runtime fuses an activation into CONCATENATION")
    check_copy(op, inputs, outputs, where)


def _commuted(op: Op, permutation: Permutation, output: Tensor) -> Commuted:
    assert isinstance(op.attributes, ConcatenationAttributes)
    attributes = replace(op.attributes, axis=permutation[op.attributes.axis])
    return Commuted(replace(op, attributes=attributes), permutation)


SPECS = (
    OpSpec(
        name="CONCATENATION",
        description="tensors one behind the other along a dimension",
        support="int8, inputs and output of one scale",
        attributes=ConcatenationAttributes,
        shapes=_shape,
        reference=_reference,
        inputs=(1, 1 << 16),
        input_types=(DType.INT8, DType.FLOAT32, DType.INT32),
        keeps_quantization=True,
        check=_check,
        folds=True,
        is_identity=lambda op: len(op.inputs) == 1,
        commuted=_commuted,
    ),
)
