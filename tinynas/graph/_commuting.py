"""Operators in front of a TRANSPOSE instead of behind it, where they compute the same bits in permuted dimensions."""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph._operator import Commuted, Op
from tinynas.graph._permutations import Permutation, inverse, permuted
from tinynas.graph._tensor import Tensor


def elementwise_commuted(op: Op, permutation: Permutation, output: Tensor) -> Commuted | None:
    """The `OpSpec.commuted` of operators that compute each element on its own."""
    return Commuted(op, permutation) if len(output.shape) == len(permutation) else None


def commuted(op: Op, permutation: Permutation, output: Tensor) -> Commuted | None:
    """The operator in front of a TRANSPOSE of its inputs; None where it would compute something else.

    Args:
        op: An operator all of whose inputs are transposed alike, or are constants that can be.
        permutation: Of that TRANSPOSE.
        output: The operator's output tensor.
    """
    rule = op.spec.commuted
    return None if rule is None else rule(op, permutation, output)


def moved_constant(constant: Tensor, permutation: Permutation) -> Tensor | None:
    """The constant that, transposed by `permutation`, is this one up to dimensions of 1 in front; None if none is."""
    missing = len(permutation) - len(constant.shape)
    if missing < 0 or (constant.quantization is not None and constant.quantization.per_channel):
        return None
    back = inverse(permutation)
    shape = (1,) * missing + constant.shape
    data = None if constant.data is None else constant.data.reshape(shape).transpose(back).copy()
    return replace(constant, shape=permuted(shape, back), data=data)
