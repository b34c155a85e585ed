"""The dense convolutions: what an output pixel sees becomes a column, and four columns meet all output channels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinynas.graph import OpKind
from tinynas.lowering._channel_scales import is_general
from tinynas.lowering._clamp import CLAMP_LOOPS, clamp_features
from tinynas.lowering._geometry import window_of
from tinynas.lowering._variants import (
    ALL_INSTRUCTION_SETS,
    NO_PADDING,
    STRUCTURE_BYTES,
    WORD,
    InstructionSet,
    KernelCall,
    KernelVariant,
    pairs,
)

COLUMNS = 4
"""Columns at a time: TN_COLUMNS in `firmware/kernels/conv_2d/pixel_groups.h`."""

# Bytes of scratch for each of a layer's input and output. A 3x3 convolution from 32 to 64 channels of 4x4 pixels takes
# 275,759 predicted instructions on a Cortex-M4 with 2,304 bytes of scratch, 1.5 for each, and 935,031 as `conv_2d`.
_WORTH = 2

_INSTRUCTION_SETS = ALL_INSTRUCTION_SETS - {InstructionSet.ARMV6M}  # which has variants of its own
# Pairs of elements in a round of the innermost loop, by the words that a tile's weights take for each.
_UNROLLED = {1: 4, 2: 8}  # dot_tiles.c, dot_tiles_expanded.c

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


def column_order(elements: int) -> list[int]:
    """Which element of a row of the window each place of a column holds; `elements` stands for padding.

    Of each four elements 0, 2, 1, 3; what four leave over in its own order (`tn_expand`).
    """
    quads = elements // 4 * 4
    order = [first + i for first in range(0, quads, 4) for i in (0, 2, 1, 3)]
    return [*order, *range(quads, elements), *([elements] if elements % 2 else [])]


def dot_stream_words(pairs_in_column: int, outputs: int, words_of_weights: int) -> int:
    """Words of the constants of a layer: see `firmware/kernels/conv_2d/dot_tiles.h`."""
    return pairs(outputs) * (words_of_weights * pairs_in_column + 5)


def is_dense(call: KernelCall, scratch_bytes: int, worth: int) -> bool:
    """A convolution without groups and dilation, of two output channels or more, that is worth its scratch.

    Args:
        call: of the convolution.
        scratch_bytes: that it would take.
        worth: for how many bytes of scratch one of its input or output may stand.
    """
    outputs, _, _, inputs = dense_shape(call)
    _, _, dilation = window_of(call.graph, call.op)
    return (
        inputs == call.input.shape[3]
        and dilation == (1, 1)
        and outputs > 1
        and scratch_bytes <= worth * (call.input.size_bytes + call.output.size_bytes)
    )


def _applies(call: KernelCall) -> bool:
    return is_dense(call, _scratch_bytes(call), worth=_WORTH)


def is_pointwise(call: KernelCall) -> bool:
    """Whether an output pixel sees the input pixel in its place and nothing else."""
    filter_size, stride, _ = window_of(call.graph, call.op)
    return filter_size == (1, 1) and stride == (1, 1) and call.padding == NO_PADDING


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


def _scratch_bytes(call: KernelCall) -> int:
    """Four columns; and a row of the window as bytes where channels are no whole words and it may be padded."""
    _, _, kernel_width, inputs = dense_shape(call)
    return columns_bytes(call) + (kernel_width * inputs if inputs % WORD else 0)


def _constants(call: KernelCall, parameters: str, words_of_weights: int) -> int:
    stream = dot_stream_words(column_pairs(call), dense_shape(call)[0], words_of_weights)
    return WORD * stream + STRUCTURE_BYTES[parameters]


def groups_of_columns(pixels: int) -> int:
    """Groups of columns: of four pixels, or of one where there are fewer than four."""
    return -(-pixels // COLUMNS) if pixels >= COLUMNS else pixels


def _tile_features(call: KernelCall, pixels: int, words_of_weights: int) -> dict[str, float]:
    groups = groups_of_columns(pixels)
    tiles = groups * pairs(dense_shape(call)[0])
    in_column = column_pairs(call)
    features = dict.fromkeys(_TILE_LOOPS, 0.0)
    if is_general(call):
        features |= {"general_groups": groups, "general_tiles": tiles, "general_pairs": tiles * in_column}
    else:
        features |= {
            "groups": groups,
            "tiles": tiles,
            "odd_groups": groups * (dense_shape(call)[0] % 2),
            "rounds": tiles * max(1, -(-(in_column - 1) // _UNROLLED[words_of_weights])),
            "pairs": tiles * in_column,
        }
    return {"calls": 1, **features, **clamp_features(call)}


_TILE_LOOPS = {
    "groups": "groups of four pixels",
    "tiles": "tiles of four pixels by two output channels",
    "odd_groups": "groups of four pixels by an odd number of output channels",
    "rounds": "rounds of the innermost loop, four or eight pairs of elements each, the first pair of a tile apart",
    "pairs": "pairs of elements, over all tiles: sixteen MACs each",
    "general_groups": "groups of four pixels of a layer that needs the general requantization",
    "general_tiles": "tiles of such a layer",
    "general_pairs": "pairs of elements over these",
}
_EXPANSION_LOOPS = {
    "runs_in_quads": "runs of four elements or more",
    "quads": "four elements of a run at once",
    "twos": "two elements that four left over in a run",
    "ones": "elements that were left over without a partner",
}
_EXPANSION = tuple(_EXPANSION_LOOPS)


def _expansion(elements: int) -> tuple[int, ...]:
    """`_EXPANSION` of a run of so many elements that is copied into a column."""
    return int(elements >= 4), elements // 4, elements // 2 % 2, elements % 2


def _conv_1x1_features(call: KernelCall, words_of_weights: int) -> dict[str, float]:
    inputs = call.weights.shape[3]
    pixels = call.input.elements // inputs
    groups = groups_of_columns(pixels)
    runs = {name: groups * count for name, count in zip(_EXPANSION, _expansion(inputs), strict=True)}
    return _tile_features(call, pixels, words_of_weights) | {"tails": groups * (inputs % 4 > 0)} | runs


_WINDOW_LOOPS = {
    "windows_inside": "windows that lie inside the input",
    "rows_inside": "their rows",
    "rows_in_words": "rows of other windows, where there is input and channels are whole words",
    "rows_in_bytes": "the same where they are not",
    "rows_outside": "rows of windows above or below the input",
    "pads": "runs of padding, in pairs of elements",
    "padded": "pairs of elements in them",
    "fills": "runs of padding in bytes, where channels are no whole words",
    "filled": "bytes in them",
    "copies": "runs of input beside them",
    "copied": "bytes in them",
    **_EXPANSION_LOOPS,
}
_WINDOW = tuple(_WINDOW_LOOPS)


@dataclass(frozen=True)
class _Windows:
    """The windows of a convolution, from which `_WINDOW` is counted."""

    rows: int
    count: int
    in_words: bool
    before: tuple[int, ...]
    after: tuple[int, ...]
    inside: tuple[int, ...]

    @classmethod
    def of(cls, call: KernelCall) -> _Windows:
        """By output column, elements of a row of the window left and right of the input; by output row, rows inside."""
        _, kernel_height, kernel_width, inputs = dense_shape(call)
        _, stride, _ = window_of(call.graph, call.op)
        _, input_height, input_width, _ = call.input.shape
        count = kernel_width * inputs
        lefts = [(x * stride[1] - call.padding[2]) * inputs for x in range(call.output.shape[2])]
        before = [min(max(0, -left), count) for left in lefts]
        after = [min(max(0, x + count - input_width * inputs), count - b) for x, b in zip(lefts, before, strict=True)]
        tops = [y * stride[0] - call.padding[0] for y in range(call.output.shape[1])]
        inside = [max(0, min(top + kernel_height, input_height) - max(top, 0)) for top in tops]
        return cls(kernel_height, count, inputs % WORD == 0, tuple(before), tuple(after), tuple(inside))

    def window(self, y: int, x: int) -> _Counts:
        """The features of the window of one output pixel."""
        return self._window(self.inside[y], self.before[x], self.after[x])

    def total(self) -> _Counts:
        """The features of all windows, each pixel once."""
        columns = Counter(zip(self.before, self.after, strict=True))
        rows = Counter(self.inside)
        return sum(
            (
                n * m * self._window(inside, before, after)
                for inside, n in rows.items()
                for (before, after), m in columns.items()
            ),
            np.zeros(len(_WINDOW), np.int64),
        )

    def _window(self, inside: int, before: int, after: int) -> _Counts:
        features = dict.fromkeys(_WINDOW, 0)
        if inside == self.rows and before + after == 0:
            features |= {"windows_inside": 1, "rows_inside": inside}
            expanded = self.count
        else:
            outside, within = self.rows - inside, self.count - before - after
            runs = (before > 0) + (after > 0)
            features |= {"rows_in_words" if self.in_words else "rows_in_bytes": inside, "rows_outside": outside}
            features |= {"pads": outside, "padded": outside * pairs(self.count)}
            if self.in_words:
                features["pads"] += inside * runs
                features["padded"] += inside * (before + after) // 2
                expanded = within
            else:
                features |= {"fills": inside * runs, "filled": inside * (before + after)}
                features |= {"copies": inside * (within > 0), "copied": inside * within}
                expanded = self.count
        for name, number in zip(_EXPANSION, _expansion(expanded), strict=True):
            features[name] = inside * number
        return np.array(tuple(features.values()), np.int64)


def _im2col_features(call: KernelCall, words_of_weights: int) -> dict[str, float]:
    _, height, width, _ = call.output.shape
    pixels = height * width
    windows = _Windows.of(call)
    total, wraps = windows.total(), height
    if pixels < COLUMNS:  # each pixel is computed as four equal columns
        total, wraps = COLUMNS * total, 0
    else:  # some of the last four pixels were computed before
        for pixel in range(pixels - COLUMNS, (groups_of_columns(pixels) - 1) * COLUMNS):
            y, x = divmod(pixel, width)
            total = total + windows.window(y, x)
            wraps += x == width - 1
    return (
        _tile_features(call, pixels, words_of_weights)
        | {"wraps": wraps}
        | dict(zip(_WINDOW, map(int, total), strict=True))
    )


def _conv_1x1(suffix: str, words_of_weights: int) -> KernelVariant:
    return KernelVariant(
        name=f"conv_1x1{suffix}",
        kinds=(OpKind.CONV_2D,),
        source=f"conv_2d/conv_1x1{suffix}.c",
        helpers=("arithmetic/clamp_outputs.c", f"conv_2d/dot_tiles{suffix}.c", "conv_2d/pixel_columns.c"),
        symbol=f"tn_conv_1x1{suffix}",
        parameters="tn_conv_1x1_params",
        instruction_sets=_INSTRUCTION_SETS,
        applies=lambda call: is_pointwise(call) and _applies(call),
        constant_bytes=lambda call: _constants(call, "tn_conv_1x1_params", words_of_weights),
        features=lambda call: _conv_1x1_features(call, words_of_weights),
        loops={**_TILE_LOOPS, **CLAMP_LOOPS, "tails": "groups whose pixels are no whole words", **_EXPANSION_LOOPS},
        scratch_bytes=columns_bytes,
    )


def _conv_2d_im2col(suffix: str, words_of_weights: int) -> KernelVariant:
    return KernelVariant(
        name=f"conv_2d_im2col{suffix}",
        kinds=(OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D),
        source=f"conv_2d/conv_2d_im2col{suffix}.c",
        helpers=("arithmetic/clamp_outputs.c", f"conv_2d/dot_tiles{suffix}.c", "conv_2d/window_columns.c"),
        symbol=f"tn_conv_2d_im2col{suffix}",
        parameters="tn_conv_2d_im2col_params",
        instruction_sets=_INSTRUCTION_SETS,
        applies=_applies,
        constant_bytes=lambda call: _constants(call, "tn_conv_2d_im2col_params", words_of_weights),
        features=lambda call: _im2col_features(call, words_of_weights),
        loops={**_TILE_LOOPS, **CLAMP_LOOPS, "wraps": "ends of an output row", **_WINDOW_LOOPS},
        scratch_bytes=_scratch_bytes,
    )


# Weights as bytes, and expanded to 16 bits: faster on cores with DSP instructions, for twice the flash.
CONV_1X1 = _conv_1x1("", 1)
CONV_2D_IM2COL = _conv_2d_im2col("", 1)
EXPANDED = tuple(
    replace(variant, instruction_sets=frozenset({InstructionSet.DSP}), for_speed=True)
    for variant in (_conv_1x1("_expanded", 2), _conv_2d_im2col("_expanded", 2))
)
