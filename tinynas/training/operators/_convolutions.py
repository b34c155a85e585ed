"""CONV_2D and DEPTHWISE_CONV_2D."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tinynas.graph import Conv2DAttributes, DepthwiseConv2DAttributes, Op, OpKind, Padding
from tinynas.training.operators._activation import same_padding


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
