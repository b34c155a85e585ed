"""The dense convolutions on Armv6-M: columns, packed two by two, meet the output channels in blocks of eight."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from tinynas.graph import OpKind
from tinynas.kernels._channel_scales import channel_scales, is_general
from tinynas.kernels._clamp import CLAMP_LOOPS, clamp_features
from tinynas.kernels._constants import WORD
from tinynas.kernels._fields import output_fields
from tinynas.kernels._kernel import NO_PADDING, InstructionSet, KernelCall, KernelVariant, ParameterStructure, words
from tinynas.kernels._weights import SMALLEST_WEIGHT, by_output, quantization_of
from tinynas.kernels.conv_2d.dense import (
    COLUMNS,
    CONV_1X1_PARAMETERS,
    CONV_2D_IM2COL_PARAMETERS,
    Words,
    column_pairs,
    columns_bytes,
    conv_1x1_constants,
    conv_2d_im2col_constants,
    dense_shape,
    is_dense,
    is_pointwise,
    overhang,
)

_BLOCK = 8
"""Output channels whose weights lie side by side: BLOCK in `firmware/kernels/conv_2d/gemm_swar.c`."""

_UNROLLED = 7
"""Pairs of elements in a round of the innermost loop: `firmware/kernels/conv_2d/gemm_swar.c`."""

_CHANNEL_WORDS = 3  # a channel's bias, multiplier and shift

_Indices = npt.NDArray[np.int64]


def _applies(call: KernelCall) -> bool:
    # By its columns, as on other cores, whose kernels need no rows of bytes beside them.
    return is_dense(call, columns_bytes(call), worth=1)


def _scratch_bytes(call: KernelCall) -> int:
    """Four columns; and two rows of the window as bytes where there is padding."""
    _, _, kernel_width, inputs = dense_shape(call)
    return columns_bytes(call) + (0 if call.padding == NO_PADDING else words(2 * kernel_width * inputs))


def _constant_bytes(call: KernelCall, parameters: ParameterStructure) -> int:
    outputs = dense_shape(call)[0]
    return words(2 * column_pairs(call) * outputs) + WORD * _CHANNEL_WORDS * outputs + parameters.size_bytes


def _groups(pixels: int) -> tuple[int, int]:
    """Groups of four pixels, and of two: see `tn_next_planes` in `firmware/kernels/conv_2d/gemm_swar.h`."""
    if pixels < COLUMNS:
        return 0, -(-pixels // 2)
    four, left = divmod(pixels, COLUMNS)
    return (four + 1, 0) if left == COLUMNS - 1 else (four, int(left > 0))


def _planes(pixels: int) -> int:
    """Planes of two columns, over all groups."""
    four, two = _groups(pixels)
    return 2 * four + two


def _tile_features(call: KernelCall, pixels: int) -> dict[str, float]:
    outputs, in_column = dense_shape(call)[0], column_pairs(call)
    four, two = _groups(pixels)
    features = dict.fromkeys(_TILE_LOOPS, 0.0)
    if _is_general(call):
        groups, in_planes = four + two, _planes(pixels) * outputs
        features |= {
            "general_groups": groups,
            "general_blocks": groups * -(-outputs // _BLOCK),
            "general_channels": groups * outputs,
            "general_planes": in_planes,
            "general_pairs": in_planes * in_column,
        }
    else:
        features |= _tiles_of_groups(four, outputs, in_column, "")
        features |= _tiles_of_groups(two, outputs, in_column, _BY_TWO)
    features["left_over"] = int(pixels % COLUMNS > 0 if four else two > 1)
    return {"calls": 1, **features, **clamp_features(call)}


def _tiles_of_groups(groups: int, outputs: int, in_column: int, prefix: str) -> dict[str, float]:
    """The tiles of so many groups of four pixels, or of two."""
    rest = groups * (outputs % _BLOCK)
    channels = groups * outputs - rest
    counts = {
        "groups": groups,
        "whole_groups": groups * (outputs >= _BLOCK),
        "blocks": channels // _BLOCK,
        "channels": channels,
        "rounds": channels * -(-in_column // _UNROLLED),
        "pairs": channels * in_column,
        "rest_blocks": groups * (outputs % _BLOCK > 0),
        "rest_channels": rest,
        "rest_pairs": rest * in_column,
    }
    return {f"{prefix}{name}": count for name, count in counts.items()}


def _weight_pairs(call: KernelCall) -> npt.NDArray[np.int8]:
    """The weights of a layer as pairs [outputs, pairs, 2]: rows of the window take whole pairs, the rest is zero."""
    outputs, kernel_height, kernel_width, inputs = dense_shape(call)
    rows = by_output(call).reshape(outputs, kernel_height, kernel_width * inputs).astype(np.int8)
    return np.pad(rows, ((0, 0), (0, 0), (0, rows.shape[2] % 2))).reshape(outputs, -1, 2)


def _is_general(call: KernelCall) -> bool:
    """Whether a layer needs the general way: for its scales, or since two weights of -128 lie side by side."""
    return call.has_constants and (is_general(call) or bool((_weight_pairs(call) == SMALLEST_WEIGHT).all(axis=2).any()))


_LOOPS_OF_FOUR = {
    "groups": "groups of four pixels",
    "whole_groups": "groups of four pixels with blocks of eight output channels",
    "blocks": "blocks of eight output channels, over all groups",
    "channels": "output channels in them: tiles of four pixels by one channel",
    "rounds": "rounds of the innermost loop, seven pairs of elements each",
    "pairs": "pairs of elements, over all these tiles: eight MACs each",
    "rest_blocks": "blocks of fewer channels",
    "rest_channels": "output channels in them",
    "rest_pairs": "pairs of elements in them",
}
_BY_TWO = "by_two_"
_TILE_LOOPS = (
    {"left_over": "layers whose last group does not begin where the one before ends"}
    | _LOOPS_OF_FOUR
    | {f"{_BY_TWO}{name}": f"with two pixels in place of four: {text}" for name, text in _LOOPS_OF_FOUR.items()}
    | {
        "general_groups": "groups of pixels of a layer that needs the general requantization",
        "general_blocks": "blocks of up to eight output channels of such a layer",
        "general_channels": "output channels in them",
        "general_planes": "planes of two pixels over these",
        "general_pairs": "pairs of elements in these planes",
    }
)
_RUN_LOOPS = {
    "runs": "runs of elements, of two pixels each, that are packed",
    "long_runs": "those of two elements or more",
    "run_pairs": "pairs of elements in them",
    "odd_runs": "those with an odd number of elements",
}


def _run_features(runs: int, count: int) -> dict[str, float]:
    """Of so many runs of `count` elements."""
    return {
        "runs": runs,
        "long_runs": runs * (count > 1),
        "run_pairs": runs * (count // 2),
        "odd_runs": runs * (count % 2),
    }


def _conv_1x1_features(call: KernelCall) -> dict[str, float]:
    inputs = call.weights.shape[3]
    pixels = call.input.elements // inputs
    return _tile_features(call, pixels) | _run_features(_planes(pixels), inputs)


_WINDOW_LOOPS = {
    "ends": "ends of an output row within the four pixels of a group",
    "turns": "ends of an output row between the beginnings of groups",
    "planes_inside": "pairs of windows that both lie inside the input",
    "planes_beside": "pairs of windows of which one does not",
    "rows_beside": "rows of the latter",
    "rows_in_place": "rows of windows among them that lie inside the input",
    "rows_outside": "rows of windows above or below the input",
    "rows_partly": "rows of windows that reach over the left or right border",
    "filled": "bytes of padding in the latter two",
    "fills": "runs of it",
    "copies": "runs of input beside padding",
    "copied": "bytes in them",
}


def _conv_2d_features(call: KernelCall) -> dict[str, float]:
    _, kernel_height, kernel_width, inputs = dense_shape(call)
    stride_height, stride_width = call.window.stride
    _, height, width, _ = call.output.shape
    pixels, count = height * width, kernel_width * inputs
    planes = _pixels_of_planes(pixels)
    y, x = np.divmod(planes, width)
    left, top = (x * stride_width - call.padding[2]) * inputs, y * stride_height - call.padding[0]
    before, after, rows = overhang(call, left, top)
    inside = (rows == kernel_height) & (before + after == 0)
    both_inside = inside.all(axis=1, keepdims=True)
    beside = ~both_inside
    within, partly = beside * rows, (before + after > 0) & beside
    planes_inside = int(both_inside.sum())
    planes_beside = len(planes) - planes_inside
    features = {
        "ends": int((x == width - 1).sum()) if pixels > 1 else 0,
        "turns": max(0, pixels - (2 if _groups(pixels)[1] else COLUMNS)) // width,
        "planes_inside": planes_inside,
        "planes_beside": planes_beside,
        "rows_beside": planes_beside * kernel_height,
        "rows_in_place": int((within * ~partly).sum()),
        "rows_outside": int((beside * (kernel_height - rows)).sum()),
        "rows_partly": int((rows * partly).sum()),
        "filled": int((beside * (kernel_height - rows) * count + rows * partly * (before + after)).sum()),
        "fills": int((rows * partly * ((before > 0) * 1 + (after > 0))).sum()),
        "copies": int((rows * partly * (before + after < count)).sum()),
        "copied": int((rows * partly * (count - before - after)).sum()),
    }
    return _tile_features(call, pixels) | _run_features(len(planes) * kernel_height, count) | features


def _pixels_of_planes(pixels: int) -> _Indices:
    """The two pixels of each plane [planes, 2], as the kernel takes them: one alone stands for two."""
    four, two = _groups(pixels)
    of_four = np.minimum(COLUMNS * np.arange(four), pixels - COLUMNS)
    of_two = np.arange(two) if four == 0 else np.array([pixels - 2])[:two]
    return np.concatenate(
        (
            (of_four[:, np.newaxis, np.newaxis] + np.array([[0, 2], [1, 3]])).reshape(-1, 2),
            np.minimum(of_two[:, np.newaxis] + np.array([0, 1]), pixels - 1),
        )
    )


def _pack(call: KernelCall, name: str) -> tuple[Words, dict[str, str | int]]:
    """The packed constants and the parameters that `tn_gemm_swar` reads: firmware/kernels/conv_2d/gemm_swar.h."""
    pairs = _weight_pairs(call)
    outputs = len(pairs)
    scaling = channel_scales(call)
    doubled_zero_point = 2 * (quantization_of(call.output).zero_point + 128) + 1
    shifts = doubled_zero_point << 8 | (~scaling.shift & 0xFF)
    channels = np.stack((scaling.bias, scaling.multiplier, shifts), axis=1).astype(np.int32).view(np.uint32)
    columns = pairs.reshape(outputs, -1)
    blocks = [columns[first : first + _BLOCK].T for first in range(0, outputs, _BLOCK)]
    weights = np.concatenate([block.reshape(-1) for block in blocks])
    packed = np.concatenate((np.pad(weights, (0, -len(weights) % 4)).view("<u4"), channels.reshape(-1)))
    return packed.astype(np.uint32), {
        "constants": f"{name}_constants",
        "pairs": pairs.shape[1],
        "output_channels": outputs,
        **output_fields(call),
        "general": int(_is_general(call)),
        "skipped": -pairs.shape[1] % _UNROLLED,
    }


CONV_1X1_SWAR = KernelVariant(
    name="conv_1x1_swar",
    kinds=(OpKind.CONV_2D,),
    source="conv_2d/conv_1x1_swar.c",
    helpers=("arithmetic/clamp_outputs.c", "conv_2d/gemm_swar.c"),
    symbol="tn_conv_1x1_swar",
    parameters=CONV_1X1_PARAMETERS,
    instruction_sets=frozenset({InstructionSet.ARMV6M}),
    applies=lambda call: is_pointwise(call) and _applies(call),
    constant_bytes=lambda call: _constant_bytes(call, CONV_1X1_PARAMETERS),
    pack=partial(conv_1x1_constants, packing=_pack),
    features=_conv_1x1_features,
    loops={**_TILE_LOOPS, **CLAMP_LOOPS, **_RUN_LOOPS},
    scratch_bytes=columns_bytes,
)

CONV_2D_SWAR = KernelVariant(
    name="conv_2d_swar",
    kinds=(OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D),
    source="conv_2d/conv_2d_swar.c",
    helpers=("arithmetic/clamp_outputs.c", "conv_2d/gemm_swar.c"),
    symbol="tn_conv_2d_swar",
    parameters=CONV_2D_IM2COL_PARAMETERS,
    instruction_sets=frozenset({InstructionSet.ARMV6M}),
    applies=_applies,
    constant_bytes=lambda call: _constant_bytes(call, CONV_2D_IM2COL_PARAMETERS),
    pack=partial(conv_2d_im2col_constants, packing=_pack),
    features=_conv_2d_features,
    loops={**_TILE_LOOPS, **CLAMP_LOOPS, **_RUN_LOOPS, **_WINDOW_LOOPS},
    scratch_bytes=_scratch_bytes,
)
