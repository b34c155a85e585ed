"""Operators in front of a TRANSPOSE instead of behind it, where they compute the same bits in permuted dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tinynas.graph._ops import ConcatenationAttributes, MeanAttributes, Op, OpKind, PadAttributes
from tinynas.graph._tensor import DType, Tensor
from tinynas.graph.passes._permutations import Permutation, inverse, permuted


@dataclass(frozen=True)
class Commuted:
    """An operator on the inputs of the TRANSPOSEs whose outputs it read.

    Attributes:
        op: With attributes for the other order of dimensions.
        permutation: By which its output is transposed to what it was.
    """

    op: Op
    permutation: Permutation


def commuted(op: Op, permutation: Permutation, output: Tensor) -> Commuted | None:
    """The operator in front of a TRANSPOSE of its inputs; None where it would compute something else.

    Args:
        op: An operator all of whose inputs are transposed alike, or are constants that can be.
        permutation: Of that TRANSPOSE.
        output: The operator's output tensor.
    """
    rule = _RULES.get(op.kind)
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


def _elementwise(op: Op, permutation: Permutation, output: Tensor) -> Commuted | None:
    return Commuted(op, permutation) if len(output.shape) == len(permutation) else None


def _pad(op: Op, permutation: Permutation, output: Tensor) -> Commuted:
    assert isinstance(op.attributes, PadAttributes)
    paddings = permuted(op.attributes.paddings, inverse(permutation))
    return Commuted(replace(op, attributes=PadAttributes(paddings)), permutation)


def _concatenation(op: Op, permutation: Permutation, output: Tensor) -> Commuted:
    assert isinstance(op.attributes, ConcatenationAttributes)
    attributes = replace(op.attributes, axis=permutation[op.attributes.axis])
    return Commuted(replace(op, attributes=attributes), permutation)


def _mean(op: Op, permutation: Permutation, output: Tensor) -> Commuted | None:
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


# Not DEQUANTIZE: at an output it is to stay the last operator.
_RULES: Mapping[OpKind, Callable[[Op, Permutation, Tensor], Commuted | None]] = {
    OpKind.QUANTIZE: _elementwise,
    OpKind.ADD: _elementwise,
    OpKind.MUL: _elementwise,
    OpKind.PAD: _pad,
    OpKind.CONCATENATION: _concatenation,
    OpKind.MEAN: _mean,
}
