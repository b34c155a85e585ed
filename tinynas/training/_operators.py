"""Torch semantics of the graph's operators, on NHWC tensors.

Activations keep the graph's NHWC shapes. A convolution sees its input through a permuted view, which torch recognises
as channels_last, so that no data moves; everything else reads exactly as the operator's definition does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from tinynas.errors import UsageError
from tinynas.graph import (
    Activation,
    ConcatenationAttributes,
    Conv2DAttributes,
    DepthwiseConv2DAttributes,
    ElementwiseAttributes,
    FullyConnectedAttributes,
    MeanAttributes,
    Op,
    OpKind,
    PadAttributes,
    Padding,
    Pool2DAttributes,
    ReshapeAttributes,
    ResizeNearestNeighborAttributes,
    SoftmaxAttributes,
    TransposeAttributes,
)

WEIGHTED = frozenset({OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED})
CONVOLUTIONS = frozenset({OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D})

_WITH_ACTIVATION = (
    Conv2DAttributes,
    DepthwiseConv2DAttributes,
    FullyConnectedAttributes,
    Pool2DAttributes,
    ElementwiseAttributes,
    ConcatenationAttributes,
)


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return TensorFlow's SAME padding (before, after) of one dimension: the odd row goes after.

    Source: TensorFlow, "Neural network ops: convolution", padding section.
    """
    total = max((math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def activate(op: Op, x: torch.Tensor) -> torch.Tensor:
    """Apply the activation that is fused into `op`."""
    attributes = op.attributes
    if not isinstance(attributes, _WITH_ACTIVATION) or attributes.activation is Activation.NONE:
        return x
    activation = attributes.activation
    if activation is Activation.RELU:
        return F.relu(x)
    if activation is Activation.RELU6:
        return F.relu6(x)
    return torch.clamp(x, -1.0, 1.0)


def convolve(op: Op, x: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """CONV_2D or DEPTHWISE_CONV_2D without its activation.

    Args:
        op: the operator.
        x: [N, H, W, C].
        weights: in the graph's layout, OHWI or 1HWC.
        bias: [O] or None.

    Returns:
        [N, O, H', W'] in channels_last memory: the layout that batch normalization wants.
    """
    attributes = op.attributes
    assert isinstance(attributes, Conv2DAttributes | DepthwiseConv2DAttributes)
    if op.kind is OpKind.CONV_2D:
        kernel = weights.permute(0, 3, 1, 2)
        groups = x.shape[3] // weights.shape[3]
    else:
        kernel = weights.permute(3, 0, 1, 2)
        groups = x.shape[3]
    # The strides of one channel fit both memory formats, and torch 2.13 (oneDNN) then computes wrong results for some
    # shapes, such as a 4x7 kernel of stride (1, 2) on a 5x7 image. Strides that say NCHW avoid that.
    one_channel = x.shape[3] == 1
    image = x.reshape(x.shape[0], 1, *x.shape[1:3]) if one_channel else x.permute(0, 3, 1, 2)
    padding = (0, 0)
    if attributes.padding is Padding.SAME:
        (top, bottom), (left, right) = (
            same_padding(x.shape[1 + d], weights.shape[1 + d], attributes.stride[d], attributes.dilation[d])
            for d in (0, 1)
        )
        if top == bottom and left == right:
            padding = (top, left)
        else:
            image = F.pad(image, (left, right, top, bottom))
    if one_channel:
        kernel = kernel.reshape(-1, 1, *weights.shape[1:3])
    y = F.conv2d(image, kernel, bias, attributes.stride, padding, attributes.dilation, groups)
    return y.contiguous(memory_format=torch.channels_last) if one_channel else y


def fully_connected(op: Op, x: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """FULLY_CONNECTED without its activation; weights are [O, I]."""
    attributes = op.attributes
    assert isinstance(attributes, FullyConnectedAttributes)
    flat = x if attributes.keep_num_dims else x.reshape(x.shape[0], -1)
    return F.linear(flat, weights, bias)


def _pool(op: Op, x: torch.Tensor) -> torch.Tensor:
    attributes = op.attributes
    assert isinstance(attributes, Pool2DAttributes)
    image = x.permute(0, 3, 1, 2)
    size, stride = attributes.filter_size, attributes.stride
    average = op.kind is OpKind.AVERAGE_POOL_2D
    if attributes.padding is Padding.SAME:
        (top, bottom), (left, right) = (same_padding(x.shape[1 + d], size[d], stride[d]) for d in (0, 1))
        pads = (left, right, top, bottom)
        if average:
            # Padding does not count: divide each window by the pixels it really covers.
            covered = F.avg_pool2d(F.pad(torch.ones_like(image[:1, :1]), pads), size, stride)
            pooled = F.avg_pool2d(F.pad(image, pads), size, stride) / covered
        else:
            pooled = F.max_pool2d(F.pad(image, pads, value=-math.inf), size, stride)
    else:
        pooled = F.avg_pool2d(image, size, stride) if average else F.max_pool2d(image, size, stride)
    return activate(op, pooled.permute(0, 2, 3, 1))


def _nearest_indices(source: int, target: int, attributes: ResizeNearestNeighborAttributes) -> torch.Tensor:
    """Source row of each target row (TFLite: reference/resize_nearest_neighbor.h)."""
    aligned = attributes.align_corners and target > 1
    scale = (source - 1) / (target - 1) if aligned else source / target
    offset = 0.5 if attributes.half_pixel_centers else 0.0
    rows = [
        math.floor((i + offset) * scale + 0.5) if attributes.align_corners else math.floor((i + offset) * scale)
        for i in range(target)
    ]
    return torch.tensor([min(max(r, 0), source - 1) for r in rows])


def apply_weightless(op: Op, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Execute an operator that holds no weights. The leading dimension of every tensor is the batch.

    Raises:
        UsageError: the operator has no float semantics to train (QUANTIZE, DEQUANTIZE).
    """
    x = inputs[0]
    attributes = op.attributes
    match attributes:
        case ElementwiseAttributes():
            y = inputs[0] + inputs[1] if op.kind is OpKind.ADD else inputs[0] * inputs[1]
            return activate(op, y)
        case Pool2DAttributes():
            return _pool(op, x)
        case MeanAttributes():
            return x.mean(dim=attributes.axes, keepdim=attributes.keep_dims)
        case ConcatenationAttributes():
            return activate(op, torch.cat(list(inputs), dim=attributes.axis))
        case ReshapeAttributes():
            return x.reshape(x.shape[0], *attributes.shape[1:])
        case SoftmaxAttributes():
            return F.softmax(x * attributes.beta, dim=-1)
        case PadAttributes():
            return F.pad(x, [side for before_after in reversed(attributes.paddings) for side in before_after])
        case TransposeAttributes():
            return x.permute(attributes.permutation)
        case ResizeNearestNeighborAttributes():
            rows, columns = (
                _nearest_indices(x.shape[1 + d], attributes.size[d], attributes).to(x.device) for d in (0, 1)
            )
            return x.index_select(1, rows).index_select(2, columns)
        case _:
            raise UsageError(f"operator {op.name!r}: {op.kind} cannot be trained; give a float graph without it")
