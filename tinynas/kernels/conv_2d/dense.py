"""What the dense convolutions share: their shapes, the columns that output pixels see, and their parameters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tinynas.graph import OpKind
from tinynas.kernels._constants import WORD, Fields, StepConstants, word_array
from tinynas.kernels._fields import window_fields
from tinynas.kernels._kernel import NO_PADDING, KernelCall, ParameterStructure, pairs
from tinynas.kernels._weights import quantization_of

COLUMNS = 4
"""Columns at a time: TN_COLUMNS in `firmware/kernels/conv_2d/pixel_groups.h`."""

CONV_1X1_PARAMETERS = ParameterStructure("tn_conv_1x1_params", 24)
CONV_2D_IM2COL_PARAMETERS = ParameterStructure("tn_conv_2d_im2col_params", 40)

Words = npt.NDArray[np.uint32]

WeightPacking = Callable[[KernelCall, str], tuple[Words, dict[str, str | int]]]
"""Weight packing: the constants of a dense convolution, and the parameters that say how to read it."""


_Counts = npt.NDArray[np.int64]


def dense_shape(call: KernelCall) -> tuple[int, int, int, int]:
    """Weights as (outputs, kernel height, kernel width, inputs).

    A depthwise convolution of one input channel is dense: all its outputs see that channel.
    """
    shape = call.weights.shape
    if call.op.kind is OpKind.DEPTHWISE_CONV_2D:
        return shape[3], shape[1], shape[2], 1
    return shape[0], shape[1], shape[2], shape[3]


def column_pairs(call: KernelCall) -> int:
    """Pairs of elements in a column: each row of the window takes whole pairs."""
    _, kernel_height, kernel_width, inputs = dense_shape(call)
    return kernel_height * pairs(kernel_width * inputs)


def is_dense(call: KernelCall, scratch_bytes: int, worth: int) -> bool:
    """A convolution without groups and dilation, of two output channels or more, that is worth its scratch.

    Args:
        call: of the convolution.
        scratch_bytes: that it would take.
        worth: for how many bytes of scratch one of its input or output may stand.
    """
    outputs, _, _, inputs = dense_shape(call)
    return (
        inputs == call.input.shape[3]
        and call.window.dilation == (1, 1)
        and outputs > 1
        and scratch_bytes <= worth * (call.input.size_bytes + call.output.size_bytes)
    )


def is_pointwise(call: KernelCall) -> bool:
    """Whether an output pixel sees the input pixel in its place and nothing else."""
    window = call.window
    return window.filter_size == (1, 1) and window.stride == (1, 1) and call.padding == NO_PADDING


def overhang(call: KernelCall, left: _Counts, top: _Counts) -> tuple[_Counts, _Counts, _Counts]:
    """Of windows that start at element `left` of a row and at row `top`: what of them lies over the input's borders.

    Returns:
        Elements of a row of the window left of the input, right of it, and rows of the window that have input.
    """
    _, kernel_height, kernel_width, inputs = dense_shape(call)
    _, input_height, input_width, _ = call.input.shape
    count = kernel_width * inputs
    before = np.clip(-left, 0, count)
    after = np.minimum(np.clip(left + count - input_width * inputs, 0, None), count - before)
    rows = np.clip(np.minimum(top + kernel_height, input_height) - np.maximum(top, 0), 0, None)
    return before, after, rows


def columns_bytes(call: KernelCall) -> int:
    """Bytes of four columns."""
    return COLUMNS * WORD * column_pairs(call)


def groups_of_columns(pixels: int) -> int:
    """Groups of columns: of four pixels, or of one where there are fewer than four."""
    return -(-pixels // COLUMNS) if pixels >= COLUMNS else pixels


def pixels_alone(pixels: int) -> int:
    """Pixels that are groups by themselves (`tn_next_group_or_pixel`): all of fewer than four, one left over."""
    return pixels if pixels < COLUMNS else int(pixels % COLUMNS == 1)


def conv_1x1_constants(call: KernelCall, name: str, packing: WeightPacking) -> StepConstants:
    """The constants of a kernel with `CONV_1X1_PARAMETERS`."""
    inputs = call.weights.shape[-1]  # of a fully connected layer, whose rows are pixels, too
    packed, gemm = packing(call, name)
    fields: Fields = {"gemm": gemm, "pixels": call.input.elements // inputs, "input_channels": inputs}
    return StepConstants((word_array(f"{name}_constants", packed),), fields, {})


def conv_2d_im2col_constants(call: KernelCall, name: str, packing: WeightPacking) -> StepConstants:
    """The constants of a kernel with `CONV_2D_IM2COL_PARAMETERS`."""
    packed, gemm = packing(call, name)
    undilated = {field: value for field, value in window_fields(call).items() if not field.startswith("dilation")}
    fields: Fields = {
        "gemm": gemm,
        "input_height": call.input.shape[1],
        "input_width": call.input.shape[2],
        "input_channels": call.input.shape[3],
        "output_height": call.output.shape[1],
        "output_width": call.output.shape[2],
        **undilated,
        "input_zero_point": quantization_of(call.input).zero_point,
    }
    return StepConstants((word_array(f"{name}_constants", packed),), fields, {})
