"""The dense convolutions: what an output pixel sees becomes a column, and four columns meet two output channels."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from tinynas.graph import OpKind
from tinynas.kernels._channel_scales import channel_scales, is_general
from tinynas.kernels._clamp import CLAMP_LOOPS, clamp_features
from tinynas.kernels._constants import WORD
from tinynas.kernels._fields import output_fields
from tinynas.kernels._kernel import (
    ALL_INSTRUCTION_SETS,
    InstructionSet,
    KernelCall,
    KernelVariant,
    ParameterStructure,
    pairs,
)
from tinynas.kernels._weights import by_output
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
    groups_of_columns,
    is_dense,
    is_pointwise,
    pixels_alone,
)
from tinynas.kernels.conv_2d.windows import EXPANSION, EXPANSION_LOOPS, WINDOW, WINDOW_LOOPS, Windows, expansion

# Bytes of scratch for each of a layer's input and output. A 3x3 convolution from 32 to 64 channels of 4x4 pixels takes
# 275,759 predicted instructions on a Cortex-M4 with 2,304 bytes of scratch, 1.5 for each, and 935,031 as `conv_2d`.
_WORTH = 2

_INSTRUCTION_SETS = ALL_INSTRUCTION_SETS - {InstructionSet.ARMV6M}  # which has variants of its own
# Pairs of elements in a round of the innermost loop, by the words that a tile's weights take for each.
_UNROLLED = {1: 4, 2: 8}  # gemm_2x4.c, gemm_2x4_w16.c


def column_order(elements: int) -> list[int]:
    """Which element of a row of the window each place of a column holds; `elements` stands for padding.

    Of each four elements 0, 2, 1, 3; what four leave over in its own order (`tn_expand`).
    """
    quads = elements // 4 * 4
    order = [first + i for first in range(0, quads, 4) for i in (0, 2, 1, 3)]
    return [*order, *range(quads, elements), *([elements] if elements % 2 else [])]


def gemm_words(pairs_in_column: int, outputs: int, words_of_weights: int) -> int:
    """Words of the constants of a layer: see `firmware/kernels/conv_2d/gemm_2x4.h`."""
    return pairs(outputs) * (words_of_weights * pairs_in_column + 5)


def _applies(call: KernelCall) -> bool:
    return is_dense(call, _scratch_bytes(call), worth=_WORTH)


def _scratch_bytes(call: KernelCall) -> int:
    """Four columns; and a row of the window as bytes where channels are no whole words and it may be padded."""
    _, _, kernel_width, inputs = dense_shape(call)
    return columns_bytes(call) + (kernel_width * inputs if inputs % WORD else 0)


def _constants(call: KernelCall, parameters: ParameterStructure, words_of_weights: int) -> int:
    packed = gemm_words(column_pairs(call), dense_shape(call)[0], words_of_weights)
    return WORD * packed + parameters.size_bytes


def _tile_features(call: KernelCall, pixels: int, words_of_weights: int) -> dict[str, float]:
    alone = pixels_alone(pixels)
    features = dict.fromkeys(_TILE_LOOPS, 0.0)
    features |= _tiles_of_groups(call, groups_of_columns(pixels) - alone, words_of_weights, "")
    features |= _tiles_of_groups(call, alone, words_of_weights, _ALONE)
    return {"calls": 1, **features, **clamp_features(call)}


def _tiles_of_groups(call: KernelCall, groups: int, words_of_weights: int, prefix: str) -> dict[str, float]:
    """The tiles of so many groups of four pixels, or of single pixels."""
    outputs, in_column = dense_shape(call)[0], column_pairs(call)
    tiles = groups * pairs(outputs)
    if is_general(call):
        counts = {"general_groups": groups, "general_tiles": tiles, "general_pairs": tiles * in_column}
    else:
        counts = {
            "groups": groups,
            "tiles": tiles,
            "odd_groups": groups * (outputs % 2),
            "rounds": tiles * max(1, -(-(in_column - 1) // _UNROLLED[words_of_weights])),
            "pairs": tiles * in_column,
        }
    return {f"{prefix}{name}": count for name, count in counts.items()}


_LOOPS_OF_FOUR = {
    "groups": "groups of four pixels",
    "tiles": "tiles of four pixels by two output channels",
    "odd_groups": "groups of four pixels by an odd number of output channels",
    "rounds": "rounds of the innermost loop, four or eight pairs of elements each, the first pair of a tile apart",
    "pairs": "pairs of elements, over all tiles: sixteen MACs each",
    "general_groups": "groups of four pixels of a layer that needs the general requantization",
    "general_tiles": "tiles of such a layer",
    "general_pairs": "pairs of elements over these",
}
_ALONE = "alone_"
_ALONE_EXPANSION = {f"{_ALONE}{name}": f"of single pixels: {text}" for name, text in EXPANSION_LOOPS.items()}
_TILE_LOOPS = _LOOPS_OF_FOUR | {
    f"{_ALONE}{name}": f"with one pixel in place of four: {text}" for name, text in _LOOPS_OF_FOUR.items()
}


def _conv_1x1_features(call: KernelCall, words_of_weights: int) -> dict[str, float]:
    inputs = call.weights.shape[3]
    pixels = call.input.elements // inputs
    alone = pixels_alone(pixels)
    groups = groups_of_columns(pixels) - alone
    runs = {name: groups * count for name, count in zip(EXPANSION, expansion(inputs), strict=True)}
    of_alone = {f"{_ALONE}{name}": alone * count for name, count in zip(EXPANSION, expansion(inputs), strict=True)}
    ends = {"tails": groups * (inputs % 4 > 0), "left_over": int(groups > 0 and alone > 0)}
    return _tile_features(call, pixels, words_of_weights) | ends | runs | of_alone


def _im2col_features(call: KernelCall, words_of_weights: int) -> dict[str, float]:
    _, height, width, _ = call.output.shape
    pixels = height * width
    windows = Windows.of(call)
    in_groups = COLUMNS * (groups_of_columns(pixels) - pixels_alone(pixels))
    total, wraps = windows.total(), height
    for pixel in range(pixels - COLUMNS, in_groups - COLUMNS):  # of the last four, those that were computed before
        y, x = divmod(pixel, width)
        total = total + windows.window(y, x)
        wraps += x == width - 1
    return (
        _tile_features(call, pixels, words_of_weights)
        | {"wraps": wraps}
        | dict(zip(WINDOW, map(int, total), strict=True))
    )


def _pack_int8(call: KernelCall, name: str) -> tuple[Words, dict[str, str | int]]:
    """Packed constants and parameters of `tn_gemm_2x4`: firmware/kernels/conv_2d/gemm_2x4.h has the order."""
    return _pack(call, name, w16=False)


def _pack_w16(call: KernelCall, name: str) -> tuple[Words, dict[str, str | int]]:
    """The same for `tn_gemm_2x4_w16`."""
    return _pack(call, name, w16=True)


def _pack(call: KernelCall, name: str, *, w16: bool) -> tuple[Words, dict[str, str | int]]:
    """Of either, with weights as bytes or in 16 bits."""
    outputs, kernel_height, kernel_width, inputs = dense_shape(call)
    rows = by_output(call).reshape(outputs, kernel_height, kernel_width * inputs).astype(np.int8)
    order = column_order(kernel_width * inputs)
    # An element that is missing has weight zero: whatever the column holds there counts for nothing.
    padded = np.concatenate((rows, np.zeros((outputs, kernel_height, 1), np.int8)), axis=2)
    columns = padded[:, :, order].reshape(outputs, -1)
    first = np.arange(0, outputs, 2)
    first[1:] -= outputs % 2  # of an odd number of channels the second is computed twice
    pair = np.stack((first, first + 1), axis=1)
    of_tiles = columns[pair]
    if w16:
        pairs = of_tiles.astype("<i2").reshape(len(pair), 2, -1, 2).transpose(0, 2, 1, 3)
    else:
        pairs = of_tiles.transpose(0, 2, 1)
    interleaved = pairs.reshape(len(pair), -1).view("<u4")
    scaling = channel_scales(call)
    shifts = (~scaling.shift[pair] & 0xFF) << np.array([0, 8])
    bias = scaling.bias if scaling.general else 2 * scaling.bias
    channels = np.stack((bias, scaling.multiplier), axis=1)
    packed = np.column_stack(
        (interleaved, channels[pair].reshape(len(pair), 4).view(np.uint32), shifts.sum(axis=1).astype(np.uint32))
    )
    return packed.astype(np.uint32), {
        "constants": f"{name}_constants",
        "pairs": column_pairs(call),
        "output_channels": outputs,
        **output_fields(call),
        "general": int(scaling.general),
    }


_PACKINGS = {1: _pack_int8, 2: _pack_w16}  # by the words of a tile's weights for each pair of elements


def _conv_1x1(suffix: str, words_of_weights: int) -> KernelVariant:
    return KernelVariant(
        name=f"conv_1x1{suffix}",
        kinds=(OpKind.CONV_2D,),
        source=f"conv_2d/conv_1x1{suffix}.c",
        helpers=("arithmetic/clamp_outputs.c", f"conv_2d/gemm_2x4{suffix}.c", "conv_2d/pixel_columns.c"),
        symbol=f"tn_conv_1x1{suffix}",
        parameters=CONV_1X1_PARAMETERS,
        instruction_sets=_INSTRUCTION_SETS,
        applies=lambda call: is_pointwise(call) and _applies(call),
        constant_bytes=lambda call: _constants(call, CONV_1X1_PARAMETERS, words_of_weights),
        pack=partial(conv_1x1_constants, packing=_PACKINGS[words_of_weights]),
        features=lambda call: _conv_1x1_features(call, words_of_weights),
        loops={
            **_TILE_LOOPS,
            **CLAMP_LOOPS,
            "tails": "groups whose pixels are no whole words",
            "left_over": "calls whose last pixel is alone behind groups of four",
            **EXPANSION_LOOPS,
            **_ALONE_EXPANSION,
        },
        scratch_bytes=columns_bytes,
    )


def _conv_2d_im2col(suffix: str, words_of_weights: int) -> KernelVariant:
    return KernelVariant(
        name=f"conv_2d_im2col{suffix}",
        kinds=(OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D),
        source=f"conv_2d/conv_2d_im2col{suffix}.c",
        helpers=("arithmetic/clamp_outputs.c", f"conv_2d/gemm_2x4{suffix}.c", "conv_2d/window_columns.c"),
        symbol=f"tn_conv_2d_im2col{suffix}",
        parameters=CONV_2D_IM2COL_PARAMETERS,
        instruction_sets=_INSTRUCTION_SETS,
        applies=_applies,
        constant_bytes=lambda call: _constants(call, CONV_2D_IM2COL_PARAMETERS, words_of_weights),
        pack=partial(conv_2d_im2col_constants, packing=_PACKINGS[words_of_weights]),
        features=lambda call: _im2col_features(call, words_of_weights),
        loops={**_TILE_LOOPS, **CLAMP_LOOPS, "wraps": "ends of an output row", **WINDOW_LOOPS},
        scratch_bytes=_scratch_bytes,
    )


# Weights as bytes, and w16 to 16 bits: faster on cores with DSP instructions, for twice the flash.
CONV_1X1 = _conv_1x1("", 1)
CONV_2D_IM2COL = _conv_2d_im2col("", 1)
W16 = tuple(
    replace(variant, instruction_sets=frozenset({InstructionSet.DSP}), for_speed=True)
    for variant in (_conv_1x1("_w16", 2), _conv_2d_im2col("_w16", 2))
)
