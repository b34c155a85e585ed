"""What CONV_2D and DEPTHWISE_CONV_2D have in common: their images, and what happens to accumulators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinynas.graph.fixed_point import convolution_multipliers
from tinynas.graph.reference._node import Array, Node, clamp_float, required
from tinynas.graph.reference._rescale import as_int32, rescale_to_int8


def images_of(node: Node, arrays: Sequence[Array | None]) -> Array:
    """The input as [batch * N, H, W, C] with its zero point subtracted, so that padding is zero."""
    x = required(arrays, 0)
    images = x.reshape(-1, *x.shape[2:])
    if node.is_float:
        return images
    return images.astype(np.int32) - np.int32(node.quantization(node.input(0)).zero_point)


def convolved(node: Node, arrays: Sequence[Array | None], accumulators: Array) -> Array:
    """Bias, rescaling and activation; the output with its batch dimension."""
    activation = node.op.activation
    accumulators = accumulators.reshape(-1, *node.output.shape)
    if len(arrays) > 2 and arrays[2] is not None:
        accumulators = accumulators + required(arrays, 2)[0].reshape(-1)
    if node.is_float:
        return clamp_float(accumulators, activation)
    accumulators = as_int32(accumulators)
    output = node.quantization(node.output)
    multipliers, shifts = convolution_multipliers(
        node.quantization(node.input(0)), node.quantization(node.input(1)), output, node.output.shape[3]
    )
    return rescale_to_int8(accumulators, multipliers, shifts, output, activation)
