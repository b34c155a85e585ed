"""Shapes of operators with a sliding window."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinynas.graph._operator import Op, Shape, Window
from tinynas.graph._shapes import shape_error
from tinynas.graph._windows import window_output_size

_MAX_REACH = 1 << 12
_MAX_TAPS = 1 << 16
"""Bounds on filters: with SAME padding any size has a valid shape, but 256 x 256 pools whatever fits a microcontroller,
and a damaged file that claims 2**24 would be executed for days."""


def windowed_size(op: Op, shape: Shape, window: Window) -> tuple[int, int]:
    """Height and width of what a window over an image [N, H, W, C] gives.

    Raises:
        GraphError: The window is empty, larger than any image here, or does not fit.
    """
    filter_size, stride, dilation = window.filter_size, window.stride, window.dilation
    if min(*stride, *dilation, *filter_size) < 1:
        raise shape_error(op, f"filter {filter_size}, stride {stride} and dilation {dilation} must be positive")
    reach = max((size - 1) * d + 1 for size, d in zip(filter_size, dilation, strict=True))
    if reach > _MAX_REACH or filter_size[0] * filter_size[1] > _MAX_TAPS:
        raise shape_error(op, f"filter {filter_size} with dilation {dilation} is larger than any image here")
    height, width = (
        window_output_size(shape[1 + i], filter_size[i], stride[i], dilation[i], window.padding) for i in range(2)
    )
    if min(height, width) < 1:
        raise shape_error(op, f"filter {filter_size} with dilation {dilation} does not fit into {list(shape)} unpadded")
    return height, width


def check_bias(op: Op, input_shapes: Sequence[Shape], channels: int) -> None:
    """Refuse a bias that is there and has not one value for each output channel.

    Raises:
        GraphError: The message names the operator.
    """
    has_bias = len(input_shapes) > 2 and op.inputs[2] >= 0
    if has_bias and math.prod(input_shapes[2]) != channels:
        raise shape_error(op, f"bias {list(input_shapes[2])} does not match {channels} output channels")
