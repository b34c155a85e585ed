"""CONV_2D (plain and grouped) and DEPTHWISE_CONV_2D."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinynas.graph._ops import Conv2DAttributes, DepthwiseConv2DAttributes
from tinynas.graph.fixed_point import convolution_multipliers
from tinynas.graph.reference._matmul import exact_matmul
from tinynas.graph.reference._node import Array, Node, clamp_float, required
from tinynas.graph.reference._rescale import as_int32, rescale_to_int8
from tinynas.graph.reference._windows import Windows

_PATCH_ELEMENTS = 1 << 24
"""Of the im2col matrix of a band of rows: a large filter over a large image would not fit the memory at once."""


def conv_2d(node: Node, arrays: Sequence[Array | None]) -> Array:
    """CONV_2D: im2col and one matrix product per group."""
    attributes = node.op.attributes
    assert isinstance(attributes, Conv2DAttributes)
    images, weights = _images(node, arrays), required(arrays, 1)[0]
    out_channels, height, width, group_channels = weights.shape
    windows = Windows.over(
        images.shape[1:3], (height, width), attributes.stride, attributes.padding, attributes.dilation
    )
    padded = windows.pad(images)
    groups = images.shape[3] // group_channels
    per_group = out_channels // groups
    row_taps = images.shape[0] * windows.output_size[1] * height * width * group_channels
    bands = []
    for rows, band in windows.bands(max(1, _PATCH_ELEMENTS // row_taps)):
        products = []
        for group in range(groups):
            part = padded[:, rows, :, group * group_channels : (group + 1) * group_channels]
            matrix = weights[group * per_group : (group + 1) * per_group].reshape(per_group, -1).T
            products.append(exact_matmul(band.patches(part), matrix, node.is_float))
        product = products[0] if groups == 1 else np.concatenate(products, axis=1)
        bands.append(product.reshape(images.shape[0], *band.output_size, out_channels))
    return _finish(node, arrays, bands[0] if len(bands) == 1 else np.concatenate(bands, axis=1))


def depthwise_conv_2d(node: Node, arrays: Sequence[Array | None]) -> Array:
    """DEPTHWISE_CONV_2D: one multiply-add of whole images per filter tap."""
    attributes = node.op.attributes
    assert isinstance(attributes, DepthwiseConv2DAttributes)
    images, weights = _images(node, arrays), required(arrays, 1)[0]
    # Output channel c * depth_multiplier + m reads input channel c.
    images = np.repeat(images, attributes.depth_multiplier, axis=3)
    windows = Windows.over(
        images.shape[1:3],
        (weights.shape[1], weights.shape[2]),
        attributes.stride,
        attributes.padding,
        attributes.dilation,
    )
    # One channel has few taps (a filter of 256 x 256 would be needed to overflow 32 bits).
    dtype = np.float32 if node.is_float else np.int32
    taps = weights.astype(dtype)
    accumulators = np.zeros((images.shape[0], *windows.output_size, images.shape[3]), dtype)
    for i, j, elements in windows.taps(windows.pad(images)):
        accumulators += elements * taps[0, i, j]
    return _finish(node, arrays, accumulators if node.is_float else accumulators.astype(np.int64))


def _images(node: Node, arrays: Sequence[Array | None]) -> Array:
    """The input as [batch * N, H, W, C] with its zero point subtracted, so that padding is zero."""
    x = required(arrays, 0)
    images = x.reshape(-1, *x.shape[2:])
    if node.is_float:
        return images
    return images.astype(np.int32) - np.int32(node.quantization(node.input(0)).zero_point)


def _finish(node: Node, arrays: Sequence[Array | None], accumulators: Array) -> Array:
    """Bias, rescaling and activation; the output with its batch dimension."""
    attributes = node.op.attributes
    assert isinstance(attributes, Conv2DAttributes | DepthwiseConv2DAttributes)
    accumulators = accumulators.reshape(-1, *node.output.shape)
    if len(arrays) > 2 and arrays[2] is not None:
        accumulators = accumulators + required(arrays, 2)[0].reshape(-1)
    if node.is_float:
        return clamp_float(accumulators, attributes.activation)
    accumulators = as_int32(accumulators)
    output = node.quantization(node.output)
    multipliers, shifts = convolution_multipliers(
        node.quantization(node.input(0)), node.quantization(node.input(1)), output, node.output.shape[3]
    )
    return rescale_to_int8(accumulators, multipliers, shifts, output, attributes.activation)
