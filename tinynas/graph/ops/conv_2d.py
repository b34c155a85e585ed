"""CONV_2D, plain and grouped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinynas.graph._attributes import Activation, Attributes, Padding
from tinynas.graph._counting import macs_of_taps
from tinynas.graph._operator import Op, OpSpec, Shape, Weights, Window
from tinynas.graph._quantization_rules import check_weights, rescale_weights
from tinynas.graph._shapes import require_rank, shape_error
from tinynas.graph.fixed_point import convolution_multipliers
from tinynas.graph.ops._window_shapes import check_bias, windowed_size
from tinynas.graph.reference._convolution import convolved, images_of
from tinynas.graph.reference._matmul import exact_matmul
from tinynas.graph.reference._node import Array, Node, required
from tinynas.graph.reference._windows import Windows

_PATCH_ELEMENTS = 1 << 24
"""Of the im2col matrix of a band of rows: a large filter over a large image would not fit the memory at once."""


@dataclass(frozen=True)
class Conv2DAttributes(Attributes):
    """CONV_2D. inputs: x [N,H,W,I], weights [O,KH,KW,I/groups], bias [O] or -1. Groups follow from the shapes."""

    stride: tuple[int, int] = (1, 1)
    padding: Padding = Padding.SAME
    dilation: tuple[int, int] = (1, 1)
    activation: Activation = Activation.NONE


def _window(op: Op, input_shapes: Sequence[Shape]) -> Window:
    attributes = op.attributes
    assert isinstance(attributes, Conv2DAttributes)
    _, height, width, _ = input_shapes[1]
    return Window((height, width), attributes.stride, attributes.dilation, attributes.padding)


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    x, weights = input_shapes[0], input_shapes[1]
    require_rank(op, "input", x, 4)
    require_rank(op, "weights", weights, 4)
    groups = x[3] // max(weights[3], 1)
    if groups < 1 or groups * weights[3] != x[3] or weights[0] % groups:
        raise shape_error(
            op, f"weights {list(weights)} (OHWI) do not divide the {x[3]} channels of the input into groups"
        )
    check_bias(op, input_shapes, weights[0])
    height, width = windowed_size(op, x, _window(op, input_shapes))
    return (x[0], height, width, weights[0])


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
    """im2col and one matrix product per group."""
    attributes = node.op.attributes
    assert isinstance(attributes, Conv2DAttributes)
    images, weights = images_of(node, arrays), required(arrays, 1)[0]
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
    return convolved(node, arrays, bands[0] if len(bands) == 1 else np.concatenate(bands, axis=1))


SPECS = (
    OpSpec(
        name="CONV_2D",
        description="convolution of images [N, H, W, C]",
        support="int8; one scale or one per channel, groups, dilation",
        attributes=Conv2DAttributes,
        shapes=_shape,
        reference=_reference,
        inputs=(2, 3),
        macs=macs_of_taps(1, 2, 3),
        weights=Weights(
            channel_axis=0, scale_per_channel=True, multipliers=convolution_multipliers, bias_in_files=True
        ),
        window=_window,
        single_image=True,
        check=check_weights,
        rescaling=rescale_weights,
    ),
)
