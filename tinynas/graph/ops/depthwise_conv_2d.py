"""DEPTHWISE_CONV_2D."""

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
from tinynas.graph.reference._node import Array, Node, required
from tinynas.graph.reference._windows import Windows


@dataclass(frozen=True)
class DepthwiseConv2DAttributes(Attributes):
    """DEPTHWISE_CONV_2D. inputs: x [N,H,W,C], weights [1,KH,KW,C*depth_multiplier], bias [C*depth_multiplier] or -1."""

    stride: tuple[int, int] = (1, 1)
    padding: Padding = Padding.SAME
    dilation: tuple[int, int] = (1, 1)
    depth_multiplier: int = 1
    activation: Activation = Activation.NONE


def _window(op: Op, input_shapes: Sequence[Shape]) -> Window:
    attributes = op.attributes
    assert isinstance(attributes, DepthwiseConv2DAttributes)
    _, height, width, _ = input_shapes[1]
    return Window((height, width), attributes.stride, attributes.dilation, attributes.padding)


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, DepthwiseConv2DAttributes)
    x, weights = input_shapes[0], input_shapes[1]
    require_rank(op, "input", x, 4)
    require_rank(op, "weights", weights, 4)
    if weights[0] != 1 or weights[3] != x[3] * attributes.depth_multiplier:
        raise shape_error(
            op,
            f"weights {list(weights)} must be [1, KH, KW, {x[3]} * depth multiplier {attributes.depth_multiplier}]",
        )
    check_bias(op, input_shapes, weights[3])
    height, width = windowed_size(op, x, _window(op, input_shapes))
    return (x[0], height, width, weights[3])


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
    """One multiply-add of whole images per filter tap."""
    attributes = node.op.attributes
    assert isinstance(attributes, DepthwiseConv2DAttributes)
    images, weights = images_of(node, arrays), required(arrays, 1)[0]
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
    return convolved(node, arrays, accumulators if node.is_float else accumulators.astype(np.int64))


SPECS = (
    OpSpec(
        name="DEPTHWISE_CONV_2D",
        description="convolution of each channel of images [N, H, W, C] on its own",
        support="int8; one scale or one per channel, dilation",
        attributes=DepthwiseConv2DAttributes,
        shapes=_shape,
        reference=_reference,
        inputs=(2, 3),
        macs=macs_of_taps(1, 2),
        weights=Weights(channel_axis=3, scale_per_channel=True, multipliers=convolution_multipliers),
        window=_window,
        single_image=True,
        check=check_weights,
        rescaling=rescale_weights,
    ),
)
