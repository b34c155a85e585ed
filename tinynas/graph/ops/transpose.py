"""TRANSPOSE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinynas.graph._attributes import Attributes
from tinynas.graph._operator import Op, OpSpec, Shape
from tinynas.graph._shapes import shape_error
from tinynas.graph._tensor import DType
from tinynas.graph.reference._node import Array, Node, required


@dataclass(frozen=True)
class TransposeAttributes(Attributes):
    """TRANSPOSE by `permutation`. In the file: a constant input."""

    permutation: tuple[int, ...]


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, TransposeAttributes)
    x = input_shapes[0]
    if sorted(attributes.permutation) != list(range(len(x))):
        raise shape_error(op, f"{list(attributes.permutation)} is not a permutation of the dimensions of {list(x)}")
    return tuple(x[i] for i in attributes.permutation)


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
    attributes = node.op.attributes
    assert isinstance(attributes, TransposeAttributes)
    x = required(arrays, 0)
    return np.ascontiguousarray(x.transpose(0, *(axis + 1 for axis in attributes.permutation)))


def _is_identity(op: Op) -> bool:
    assert isinstance(op.attributes, TransposeAttributes)
    return op.attributes.permutation == tuple(sorted(op.attributes.permutation))


SPECS = (
    OpSpec(
        name="TRANSPOSE",
        description="dimensions in another order",
        support="int8, and of constants",
        attributes=TransposeAttributes,
        shapes=_shape,
        reference=_reference,
        input_types=tuple(DType),
        constant_inputs=("permutation",),
        keeps_quantization=True,
        copies=True,
        moves_weights=True,
        folds=True,
        is_identity=_is_identity,
    ),
)
