"""The dense convolutions on Armv6-M that spend flash for speed: the weights of two output channels share a word."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from tinynas.graph import OpKind
from tinynas.kernels._affine import AFFINE_WORDS, DROP, Affine
from tinynas.kernels._clamp import CLAMP_LOOPS, clamp_features
from tinynas.kernels._constants import WORD
from tinynas.kernels._errors import UnsupportedGraphError
from tinynas.kernels._fields import output_fields
from tinynas.kernels._kernel import InstructionSet, KernelCall, KernelVariant, ParameterStructure, pairs
from tinynas.kernels._layer_affine import CHANNELS_AT_ONCE, affine_words, as_words, has_drop, layer_affine
from tinynas.kernels._weights import SMALLEST_WEIGHT, by_output
from tinynas.kernels.conv_2d.dense import (
    CONV_1X1_PARAMETERS,
    CONV_2D_IM2COL_PARAMETERS,
    Words,
    conv_1x1_constants,
    conv_2d_im2col_constants,
    dense_shape,
    is_dense,
    is_pointwise,
    overhang,
)

_UNROLLED = 8
"""Pairs of elements in a round of the innermost loop: `firmware/kernels/conv_2d/gemm_swar_w16.c`."""

_WITH_DROP = 2  # firmware/kernels/arithmetic/affine.h
_CHANNEL_WORDS = 1 + AFFINE_WORDS  # what a sum begins with, and its affine requantization


def _elements(call: KernelCall) -> int:
    """Elements of a window."""
    _, kernel_height, kernel_width, inputs = dense_shape(call)
    return kernel_height * kernel_width * inputs


def _applies(call: KernelCall) -> bool:
    return is_dense(call, _scratch_bytes(call), worth=1)


def _scratch_bytes(call: KernelCall) -> int:
    """One column."""
    return 2 * WORD * pairs(_elements(call))


def _constant_bytes(call: KernelCall, parameters: ParameterStructure) -> int:
    fours = -(-dense_shape(call)[0] // CHANNELS_AT_ONCE)
    return WORD * fours * CHANNELS_AT_ONCE * (pairs(_elements(call)) + _CHANNEL_WORDS) + parameters.size_bytes


def _affine_requantization(call: KernelCall) -> Affine | None:
    """How `tn_gemm_swar_w16` requantizes: with a drop where `has_drop` says so.

    None where a channel has none, or two weights of -128 meet in a pair: the kernel cannot execute such a layer.
    """
    rows = by_output(call).reshape(dense_shape(call)[0], -1)
    smallest = np.pad(rows == SMALLEST_WEIGHT, ((0, 0), (0, rows.shape[1] % 2)))
    if smallest.reshape(len(rows), -1, 2).all(axis=2).any():
        return None
    return layer_affine(call, rows, DROP if has_drop(call) else 0)


def _suits(call: KernelCall) -> bool:
    """Whether all channels can be requantized so, with biases that the input's zero point can be folded into."""
    try:
        return _affine_requantization(call) is not None
    except UnsupportedGraphError:
        return False


_TILE_LOOPS = {
    "pixels": "output pixels",
    "whole_pixels": "the same where there are four output channels or more",
    "fours": "four output channels of a pixel, over all pixels",
    "dropped": "the same where the layer has no ReLU",
    "dropped_runs": "where it has none, pixels with fours of output channels, and pixels with others",
    "rounds": "rounds of the innermost loop, eight pairs of elements each",
    "pairs": "pairs of elements over all of these: eight MACs each",
    "rest_pixels": "pixels with output channels that four leave over, which are computed as four",
    "rest_channels": "those channels, over all pixels",
}
_RUN_LOOPS = {
    "runs": "runs of elements that become words of a column",
    "long_runs": "those of two elements or more",
    "run_rounds": "rounds of four elements or two in them",
    "run_pairs": "pairs of elements in them",
    "odd_runs": "those with an odd number of elements",
}


def _tile_features(call: KernelCall, pixels: int) -> dict[str, float]:
    outputs, in_column = dense_shape(call)[0], pairs(_elements(call))
    fours = pixels * -(-outputs // CHANNELS_AT_ONCE)
    rest = outputs % CHANNELS_AT_ONCE
    return {
        "calls": 1,
        "pixels": pixels,
        "whole_pixels": pixels * (outputs >= CHANNELS_AT_ONCE),
        "fours": fours,
        "dropped": fours * has_drop(call),
        "dropped_runs": pixels * ((outputs >= CHANNELS_AT_ONCE) + (rest > 0)) * has_drop(call),
        "rounds": fours * -(-in_column // _UNROLLED),
        "pairs": fours * in_column,
        "rest_pixels": pixels * (rest > 0),
        "rest_channels": pixels * rest,
        **clamp_features(call),
    }


def _run_features(counts: npt.NDArray[np.int64]) -> dict[str, float]:
    """Of runs of so many elements each."""
    return {
        "runs": counts.size,
        "long_runs": int((counts > 1).sum()),
        "run_rounds": int(((counts // 2 + 1) // 2).sum()),
        "run_pairs": int((counts // 2).sum()),
        "odd_runs": int((counts % 2).sum()),
    }


def _conv_1x1_features(call: KernelCall) -> dict[str, float]:
    inputs = call.weights.shape[3]
    pixels = call.input.elements // inputs
    return _tile_features(call, pixels) | _run_features(np.full(pixels, inputs))


_WINDOW_LOOPS = {
    "rows": "rows of the output",
    "windows_beside": "windows that are not inside the input",
    "windows_together": "windows that are, of rows of two elements or more",
    "rows_together": "their rows",
    "rounds_together": "rounds of four elements or two in these",
    "pairs_together": "pairs of elements in these",
    "odd_together": "rows of an odd number of elements among them",
    "rows_beside": "rows of other windows, where there is input",
    "rows_outside": "rows of windows above or below the input",
    "pads": "runs of padding, empty ones not counted",
    "padded": "elements in them",
    "borders": "windows that reach over the left border",
    "far_borders": "windows that reach over the right border",
}


def _conv_2d_features(call: KernelCall) -> dict[str, float]:
    _, kernel_height, kernel_width, inputs = dense_shape(call)
    stride_height, stride_width = call.window.stride
    _, height, width, _ = call.output.shape
    count = kernel_width * inputs
    left = (np.arange(width) * stride_width - call.padding[2]) * inputs
    top = np.arange(height)[:, np.newaxis] * stride_height - call.padding[0]
    before, after, rows = overhang(call, left, top)
    inside = (rows == kernel_height) & (before + after == 0)
    beside = ~inside
    within = rows * beside  # rows of the input in windows that are not inside it
    outside = (kernel_height - rows) * beside
    runs = np.repeat(np.broadcast_to(count - before - after, within.shape).ravel(), within.ravel())
    rows_inside = int(inside.sum()) * kernel_height
    together = rows_inside * (count > 1)  # rows that are widened together
    runs = np.concatenate((runs, np.full(rows_inside - together, count)))
    features = {
        "rows": height,
        "windows_beside": int(beside.sum()),
        "windows_together": int(inside.sum()) * (count > 1),
        "rows_together": together,
        "rounds_together": together * pairs(count // 2),
        "pairs_together": together * (count // 2),
        "odd_together": together * (count % 2),
        "rows_beside": int(within.sum()),
        "rows_outside": int(outside.sum()),
        "pads": int((within * ((before > 0) * 1 + (after > 0))).sum() + outside.sum()),
        "padded": int((within * (before + after)).sum() + outside.sum() * count),
        "borders": int((beside & (before > 0)).sum()),
        "far_borders": int((beside & (after > 0)).sum()),
    }
    return _tile_features(call, height * width) | _run_features(runs) | features


def _pack(call: KernelCall, name: str) -> tuple[Words, dict[str, str | int]]:
    """Packed constants and parameters of `tn_gemm_swar_w16`: firmware/kernels/conv_2d/gemm_swar_w16.h."""
    outputs, kernel_height, kernel_width, inputs = dense_shape(call)
    elements = kernel_height * kernel_width * inputs
    fours = -(-outputs // CHANNELS_AT_ONCE)
    rows = by_output(call).reshape(outputs, elements).astype(np.int8)
    affine = _affine_requantization(call)
    if affine is None:
        raise UnsupportedGraphError(
            f"{call.op.kind} {call.op.name!r}: its weights and scales do not suit it; choose another kernel"
        )
    start, scales = affine_words(call, affine, outputs)
    begin = start.reshape(fours, 2, 2)  # [fours, planes, lower and upper]
    head = np.concatenate((begin[..., 1], begin[..., 0] + (begin[..., 1] << 16)), axis=1)
    padded = np.pad(rows.astype(np.int64), ((0, -outputs % CHANNELS_AT_ONCE), (0, elements % 2)))
    lower, upper = padded.reshape(fours, 2, 2, -1, 2).transpose(2, 0, 3, 1, 4)  # [fours, pairs, planes, elements]
    weights = (lower + (upper << 16)).reshape(fours, -1)
    packed = np.concatenate((head, weights, scales.reshape(fours, -1)), axis=1)
    pairs = weights.shape[1] // 4
    return as_words(packed), {
        "constants": f"{name}_constants",
        "pairs": pairs,
        "output_channels": outputs,
        **output_fields(call),
        "general": _WITH_DROP if affine.drop else 0,
        "skipped": -pairs % _UNROLLED,
    }


CONV_1X1_SWAR_W16 = KernelVariant(
    name="conv_1x1_swar_w16",
    kinds=(OpKind.CONV_2D,),
    source="conv_2d/conv_1x1_swar_w16.c",
    helpers=("arithmetic/clamp_outputs.c", "conv_2d/gemm_swar_w16.c", "arithmetic/widen.c"),
    symbol="tn_conv_1x1_swar_w16",
    parameters=CONV_1X1_PARAMETERS,
    instruction_sets=frozenset({InstructionSet.ARMV6M}),
    for_speed=True,
    applies=lambda call: is_pointwise(call) and _applies(call),
    suits=_suits,
    constant_bytes=lambda call: _constant_bytes(call, CONV_1X1_PARAMETERS),
    pack=partial(conv_1x1_constants, packing=_pack),
    features=_conv_1x1_features,
    loops={**_TILE_LOOPS, **CLAMP_LOOPS, **_RUN_LOOPS},
    scratch_bytes=_scratch_bytes,
)

CONV_2D_SWAR_W16 = KernelVariant(
    name="conv_2d_swar_w16",
    kinds=(OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D),
    source="conv_2d/conv_2d_swar_w16.c",
    helpers=("arithmetic/clamp_outputs.c", "conv_2d/gemm_swar_w16.c", "arithmetic/widen.c"),
    symbol="tn_conv_2d_swar_w16",
    parameters=CONV_2D_IM2COL_PARAMETERS,
    instruction_sets=frozenset({InstructionSet.ARMV6M}),
    for_speed=True,
    applies=_applies,
    suits=_suits,
    constant_bytes=lambda call: _constant_bytes(call, CONV_2D_IM2COL_PARAMETERS),
    pack=partial(conv_2d_im2col_constants, packing=_pack),
    features=_conv_2d_features,
    loops={**_TILE_LOOPS, **CLAMP_LOOPS, **_RUN_LOOPS, **_WINDOW_LOOPS},
    scratch_bytes=_scratch_bytes,
)
