"""Shape inference for every operator, and TensorFlow's padding arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tinynas.graph._ops import (
    ConcatenationAttributes,
    Conv2DAttributes,
    DepthwiseConv2DAttributes,
    FullyConnectedAttributes,
    MeanAttributes,
    Op,
    OpKind,
    PadAttributes,
    Padding,
    Pool2DAttributes,
    ReshapeAttributes,
    ResizeNearestNeighborAttributes,
    TransposeAttributes,
)
from tinynas.graph._rearranged_shapes import (
    Shape,
    expand_dims_shape,
    pack_shape,
    shape_error,
    shape_shape,
    squeeze_shape,
    strided_slice_shape,
)

_MAX_REACH = 1 << 12
_MAX_TAPS = 1 << 16
"""Bounds on filters: with SAME padding any size has a valid shape, but 256 x 256 pools whatever fits a microcontroller,
and a damaged file that claims 2**24 would be executed for days."""


def window_output_size(size: int, filter_size: int, stride: int, dilation: int, padding: Padding) -> int:
    """Positions of a sliding window along one dimension; zero or less when the window does not fit.

    TensorFlow's rule: SAME gives ceil(size / stride); VALID gives ceil((size - effective filter + 1) / stride).
    """
    if padding is Padding.SAME:
        return -(-size // stride)
    return -(-(size - (filter_size - 1) * dilation) // stride)


def window_padding(size: int, filter_size: int, stride: int, dilation: int, padding: Padding) -> tuple[int, int]:
    """Zeros (before, after) along one dimension; the odd one goes after, as in TensorFlow."""
    if padding is Padding.VALID:
        return (0, 0)
    output = window_output_size(size, filter_size, stride, dilation, padding)
    total = max((output - 1) * stride + (filter_size - 1) * dilation + 1 - size, 0)
    return (total // 2, total - total // 2)


def infer_shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    """Shape of the single output of `op`.

    Args:
        op: The operator.
        input_shapes: One shape per entry of `op.inputs`; for an absent bias (-1) any value.

    Raises:
        GraphError: The shapes do not fit the operator; the message names the operator and the shapes.
    """
    minimum, maximum = _ARITY.get(op.kind, (1, 1))
    if not minimum <= len(input_shapes) <= maximum:
        raise shape_error(op, f"takes {minimum} to {maximum} inputs, got {len(input_shapes)}")
    shape = _RULES[op.kind](op, input_shapes)
    if any(size < 1 for size in shape):
        raise shape_error(op, f"input {list(input_shapes[0])} leaves an empty output {list(shape)}")
    return shape


def _window(
    op: Op,
    shape: Shape,
    filter_size: tuple[int, int],
    attributes: Conv2DAttributes | DepthwiseConv2DAttributes | Pool2DAttributes,
) -> tuple[int, int]:
    dilation = (1, 1) if isinstance(attributes, Pool2DAttributes) else attributes.dilation
    if min(*attributes.stride, *dilation, *filter_size) < 1:
        raise shape_error(
            op, f"filter {filter_size}, stride {attributes.stride} and dilation {dilation} must be positive"
        )
    reach = max((size - 1) * d + 1 for size, d in zip(filter_size, dilation, strict=True))
    if reach > _MAX_REACH or filter_size[0] * filter_size[1] > _MAX_TAPS:
        raise shape_error(op, f"filter {filter_size} with dilation {dilation} is larger than any image here")
    height, width = (
        window_output_size(shape[1 + i], filter_size[i], attributes.stride[i], dilation[i], attributes.padding)
        for i in range(2)
    )
    if min(height, width) < 1:
        raise shape_error(op, f"filter {filter_size} with dilation {dilation} does not fit into {list(shape)} unpadded")
    return height, width


def _require_rank(op: Op, what: str, shape: Shape, rank: int) -> None:
    if len(shape) != rank:
        raise shape_error(op, f"{what} must have {rank} dimensions, got {list(shape)}")


def _check_bias(op: Op, input_shapes: Sequence[Shape], channels: int) -> None:
    has_bias = len(input_shapes) > 2 and op.inputs[2] >= 0
    if has_bias and math.prod(input_shapes[2]) != channels:
        raise shape_error(op, f"bias {list(input_shapes[2])} does not match {channels} output channels")


def _conv_2d(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, Conv2DAttributes)
    x, weights = input_shapes[0], input_shapes[1]
    _require_rank(op, "input", x, 4)
    _require_rank(op, "weights", weights, 4)
    groups = x[3] // max(weights[3], 1)
    if groups < 1 or groups * weights[3] != x[3] or weights[0] % groups:
        raise shape_error(
            op, f"weights {list(weights)} (OHWI) do not divide the {x[3]} channels of the input into groups"
        )
    _check_bias(op, input_shapes, weights[0])
    height, width = _window(op, x, (weights[1], weights[2]), attributes)
    return (x[0], height, width, weights[0])


def _depthwise_conv_2d(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, DepthwiseConv2DAttributes)
    x, weights = input_shapes[0], input_shapes[1]
    _require_rank(op, "input", x, 4)
    _require_rank(op, "weights", weights, 4)
    if weights[0] != 1 or weights[3] != x[3] * attributes.depth_multiplier:
        raise shape_error(
            op,
            f"weights {list(weights)} must be [1, KH, KW, {x[3]} * depth multiplier {attributes.depth_multiplier}]",
        )
    _check_bias(op, input_shapes, weights[3])
    height, width = _window(op, x, (weights[1], weights[2]), attributes)
    return (x[0], height, width, weights[3])


def _fully_connected(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, FullyConnectedAttributes)
    x, weights = input_shapes[0], input_shapes[1]
    _require_rank(op, "weights", weights, 2)
    _check_bias(op, input_shapes, weights[0])
    if weights[1] < 1 or math.prod(x) % weights[1]:
        raise shape_error(op, f"input {list(x)} is not a multiple of the {weights[1]} input features of the weights")
    if attributes.keep_num_dims:
        if not x or x[-1] != weights[1]:
            raise shape_error(op, f"the last dimension of {list(x)} must be {weights[1]} to keep the dimensions")
        return (*x[:-1], weights[0])
    return (math.prod(x) // weights[1], weights[0])


def _pool_2d(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, Pool2DAttributes)
    x = input_shapes[0]
    _require_rank(op, "input", x, 4)
    height, width = _window(op, x, attributes.filter_size, attributes)
    return (x[0], height, width, x[3])


def _elementwise(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    a, b = input_shapes
    rank = max(len(a), len(b))
    padded_a, padded_b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    if any(m != n and 1 not in (m, n) for m, n in zip(padded_a, padded_b, strict=True)):
        raise shape_error(op, f"{list(a)} and {list(b)} do not broadcast to one shape")
    return tuple(map(max, padded_a, padded_b))


def _concatenation(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, ConcatenationAttributes)
    axis, first = attributes.axis, input_shapes[0]
    if not 0 <= axis < len(first):
        raise shape_error(op, f"axis {axis} is outside {list(first)}")
    for shape in input_shapes:
        if len(shape) != len(first) or (*shape[:axis], *shape[axis + 1 :]) != (*first[:axis], *first[axis + 1 :]):
            raise shape_error(op, f"{list(shape)} and {list(first)} may differ along axis {axis} only")
    return (*first[:axis], sum(shape[axis] for shape in input_shapes), *first[axis + 1 :])


def _pad(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, PadAttributes)
    x = input_shapes[0]
    if len(attributes.paddings) != len(x) or any(amount < 0 for pair in attributes.paddings for amount in pair):
        raise shape_error(op, f"needs non-negative (before, after) for each dimension of {list(x)}")
    return tuple(size + before + after for size, (before, after) in zip(x, attributes.paddings, strict=True))


def _mean(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, MeanAttributes)
    x, axes = input_shapes[0], attributes.axes
    if not axes or list(axes) != sorted(set(axes)) or not 0 <= axes[0] <= axes[-1] < len(x):
        raise shape_error(op, f"axes {list(axes)} must be ascending dimensions of {list(x)}")
    if attributes.keep_dims:
        return tuple(1 if i in axes else size for i, size in enumerate(x))
    return tuple(size for i, size in enumerate(x) if i not in axes)


def _reshape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, ReshapeAttributes)
    if any(size < 1 for size in attributes.shape) or math.prod(attributes.shape) != math.prod(input_shapes[0]):
        raise shape_error(op, f"{list(input_shapes[0])} cannot become {list(attributes.shape)}")
    return attributes.shape


def _resize_nearest_neighbor(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, ResizeNearestNeighborAttributes)
    x = input_shapes[0]
    _require_rank(op, "input", x, 4)
    if attributes.align_corners and attributes.half_pixel_centers:
        raise shape_error(op, "align_corners and half_pixel_centers exclude each other")
    return (x[0], attributes.size[0], attributes.size[1], x[3])


def _transpose(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, TransposeAttributes)
    x = input_shapes[0]
    if sorted(attributes.permutation) != list(range(len(x))):
        raise shape_error(op, f"{list(attributes.permutation)} is not a permutation of the dimensions of {list(x)}")
    return tuple(x[i] for i in attributes.permutation)


def _softmax(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    if not input_shapes[0]:
        raise shape_error(op, "a scalar has no dimension to normalize over")
    return tuple(input_shapes[0])


def _unchanged(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    return tuple(input_shapes[0])


_ARITY = {
    OpKind.CONV_2D: (2, 3),
    OpKind.DEPTHWISE_CONV_2D: (2, 3),
    OpKind.FULLY_CONNECTED: (2, 3),
    OpKind.ADD: (2, 2),
    OpKind.MUL: (2, 2),
    OpKind.CONCATENATION: (1, 1 << 16),
    OpKind.RESHAPE: (1, 2),
    OpKind.PACK: (1, 1 << 16),
}

_RULES: dict[OpKind, Callable[[Op, Sequence[Shape]], Shape]] = {
    OpKind.CONV_2D: _conv_2d,
    OpKind.DEPTHWISE_CONV_2D: _depthwise_conv_2d,
    OpKind.FULLY_CONNECTED: _fully_connected,
    OpKind.AVERAGE_POOL_2D: _pool_2d,
    OpKind.MAX_POOL_2D: _pool_2d,
    OpKind.ADD: _elementwise,
    OpKind.MUL: _elementwise,
    OpKind.CONCATENATION: _concatenation,
    OpKind.PAD: _pad,
    OpKind.MEAN: _mean,
    OpKind.SOFTMAX: _softmax,
    OpKind.RESHAPE: _reshape,
    OpKind.QUANTIZE: _unchanged,
    OpKind.DEQUANTIZE: _unchanged,
    OpKind.RESIZE_NEAREST_NEIGHBOR: _resize_nearest_neighbor,
    OpKind.TRANSPOSE: _transpose,
    OpKind.EXPAND_DIMS: expand_dims_shape,
    OpKind.SQUEEZE: squeeze_shape,
    OpKind.SHAPE: shape_shape,
    OpKind.STRIDED_SLICE: strided_slice_shape,
    OpKind.PACK: pack_shape,
}
