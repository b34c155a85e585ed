"""CONV_2D and DEPTHWISE_CONV_2D."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tinynas.graph import Conv2DAttributes, DepthwiseConv2DAttributes, Op, OpKind, Padding
from tinynas.training.operators._activation import same_padding

_MOST_COLUMNS = 16
"""Of a one-channel kernel, that become channels. They take columns / stride times the memory of the images, until the
way back. Nor are more of them faster: of 32 channels and stride 4 on 16 images of 1x8000, forwards and backwards, a
1x16 kernel takes 3.5 ms in place of 5.3 ms, a 1x80 kernel would take 16.1 ms in place of 13.9 ms."""


def convolve(op: Op, x: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """CONV_2D or DEPTHWISE_CONV_2D without its activation.

    Args:
        op: the operator.
        x: [N, H, W, C].
        weights: in the graph's layout, OHWI or 1HWC.
        bias: [O] or None.

    Returns:
        [N, O, H', W'], as a rule in channels_last memory: the layout that batch normalization wants.
    """
    attributes = op.attributes
    assert isinstance(attributes, Conv2DAttributes | DepthwiseConv2DAttributes)
    if op.kind is OpKind.CONV_2D:
        kernel = weights.permute(0, 3, 1, 2)
        groups = x.shape[3] // weights.shape[3]
    else:
        kernel = weights.permute(3, 0, 1, 2)
        groups = x.shape[3]
    stride, dilation = attributes.stride, attributes.dilation
    vertical, horizontal = ((0, 0), (0, 0))
    if attributes.padding is Padding.SAME:
        vertical, horizontal = (
            same_padding(x.shape[1 + d], weights.shape[1 + d], stride[d], dilation[d]) for d in (0, 1)
        )
    if x.shape[3] == 1 and 1 < kernel.shape[3] <= _MOST_COLUMNS:
        padded = F.pad(x[..., 0], (*horizontal, *vertical))
        x = _columns_as_channels(padded, kernel.shape[3], stride[1], dilation[1])
        kernel = kernel.permute(0, 3, 2, 1).contiguous()
        stride, dilation, vertical, horizontal = (stride[0], 1), (dilation[0], 1), (0, 0), (0, 0)
    # Backwards through a convolution of a single tap whose stride is not 1, torch 2.13 (oneDNN) writes outside its
    # tensors: by 12x12x4 images, 32 channels and stride 2 within a second.
    if kernel.shape[2:] == (1, 1) and tuple(stride) != (1, 1):
        x, stride = x[:, :: stride[0], :: stride[1]], (1, 1)
    # Kernels of one column, and of more columns than become channels, still see one channel. Its strides fit both
    # memory formats, and torch (oneDNN) was then found to compute wrong results for some shapes: say NCHW by them.
    one_channel = x.shape[3] == 1
    image = x.reshape(x.shape[0], 1, *x.shape[1:3]) if one_channel else x.permute(0, 3, 1, 2)
    if one_channel:
        kernel = kernel.reshape(-1, 1, *weights.shape[1:3])
    padding = (vertical[0], horizontal[0])
    if vertical[0] != vertical[1] or horizontal[0] != horizontal[1]:
        image, padding = F.pad(image, (*horizontal, *vertical)), (0, 0)
    y = F.conv2d(image, kernel, bias, stride, padding, dilation, groups)
    return y.contiguous(memory_format=torch.channels_last) if one_channel else y


def _columns_as_channels(image: torch.Tensor, count: int, stride: int, dilation: int) -> torch.Tensor:
    """What each of `count` columns of a kernel sees of an image of one channel, as a channel of its own.

    A convolution of one channel leaves most of a vector unused, and its gradient by the weights takes as long as that
    of eight. One of as many channels as the kernel has columns, and of one column, has the same products: a 3x3 kernel
    of 16 channels and stride 2 on 256 images of 28x28 takes 2.4 ms in place of 7.6 ms, forwards and backwards.

    Args:
        image: [N, H, W], padded.
        count: columns of the kernel.
        stride: from one column of the result to the next.
        dilation: from one column of the kernel to the next.

    Returns:
        [N, H, W', count].
    """
    width = (image.shape[2] - (count - 1) * dilation - 1) // stride + 1
    reach = (width - 1) * stride + 1
    return torch.stack([image[:, :, i * dilation : i * dilation + reach : stride] for i in range(count)], dim=-1)
