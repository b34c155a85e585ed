"""PAD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinynas.graph._attributes import Attributes
from tinynas.graph._operator import Commuted, Op, OpSpec, Shape
from tinynas.graph._permutations import Permutation, inverse, permuted
from tinynas.graph._quantization_rules import check_copy
from tinynas.graph._shapes import shape_error
from tinynas.graph._tensor import Tensor
from tinynas.graph.reference._node import Array, Node, required


@dataclass(frozen=True)
class PadAttributes(Attributes):
    """PAD with the input's zero point; `paddings` has (before, after) per dimension. In the file: a constant input."""

    paddings: tuple[tuple[int, int], ...]


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, PadAttributes)
    x = input_shapes[0]
    if len(attributes.paddings) != len(x) or any(amount < 0 for pair in attributes.paddings for amount in pair):
        raise shape_error(op, f"needs non-negative (before, after) for each dimension of {list(x)}")
    return tuple(size + before + after for size, (before, after) in zip(x, attributes.paddings, strict=True))


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
    attributes = node.op.attributes
    assert isinstance(attributes, PadAttributes)
    value = 0 if node.is_float else node.quantization(node.output).zero_point
    return np.pad(required(arrays, 0), ((0, 0), *attributes.paddings), constant_values=value)


def _is_identity(op: Op) -> bool:
    assert isinstance(op.attributes, PadAttributes)
    return all(pair == (0, 0) for pair in op.attributes.paddings)


def _commuted(op: Op, permutation: Permutation, output: Tensor) -> Commuted:
    assert isinstance(op.attributes, PadAttributes)
    paddings = permuted(op.attributes.paddings, inverse(permutation))
    return Commuted(replace(op, attributes=PadAttributes(paddings)), permutation)


SPECS = (
    OpSpec(
        name="PAD",
        description="zeros before and behind each dimension",
        support="int8, by constants",
        attributes=PadAttributes,
        shapes=_shape,
        reference=_reference,
        constant_inputs=("paddings",),
        keeps_quantization=True,
        copies=True,
        check=check_copy,
        folds=True,
        is_identity=_is_identity,
        commuted=_commuted,
    ),
)
