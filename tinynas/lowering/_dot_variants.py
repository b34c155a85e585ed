"""The dense convolutions: what an output pixel sees becomes a column, and four columns meet all output channels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tinynas.graph import OpKind
from tinynas.lowering._geometry import window_of
from tinynas.lowering._variants import NO_PADDING, STRUCTURE_BYTES, WORD, KernelCall, KernelVariant, pairs

COLUMNS = 4
"""Columns at a time: TN_COLUMNS in `firmware/include/tinynas/dot_tiles.h`."""

_UNROLLED = 4  # pairs of elements in a round of the innermost loop: dot_tiles.c

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


def dot_stream_words(pairs_in_column: int, outputs: int) -> int:
    """Words of the constants of a layer: see `firmware/include/tinynas/dot_tiles.h`."""
    return pairs(outputs) * (pairs_in_column + 5)


def _is_dense(call: KernelCall) -> bool:
    """A convolution without groups and dilation, of two output channels or more."""
    outputs, _, _, inputs = dense_shape(call)
    _, _, dilation = window_of(call.graph, call.op)
    return (
        inputs == call.input.shape[3]
        and dilation == (1, 1)
        and outputs > 1
        and _scratch_bytes(call) <= call.input.size_bytes + call.output.size_bytes
    )


def _is_pointwise(call: KernelCall) -> bool:
    if not _is_dense(call) or call.padding != NO_PADDING:
        return False
    filter_size, stride, _ = window_of(call.graph, call.op)
    return filter_size == (1, 1) and stride == (1, 1)


def _columns_bytes(call: KernelCall) -> int:
    return COLUMNS * WORD * column_pairs(call)


def _scratch_bytes(call: KernelCall) -> int:
    """Four columns; and a row of the window as bytes where channels are no whole words and it may be padded."""
    _, _, kernel_width, inputs = dense_shape(call)
    return _columns_bytes(call) + (kernel_width * inputs if inputs % WORD else 0)


def _constants(call: KernelCall, parameters: str) -> int:
    return WORD * dot_stream_words(column_pairs(call), dense_shape(call)[0]) + STRUCTURE_BYTES[parameters]


def _groups(pixels: int) -> int:
    """Groups of columns: of four pixels, or of one where there are fewer than four."""
    return -(-pixels // COLUMNS) if pixels >= COLUMNS else pixels


def _tile_features(call: KernelCall, pixels: int) -> dict[str, float]:
    groups = _groups(pixels)
    tiles = groups * pairs(dense_shape(call)[0])
    in_column = column_pairs(call)
    return {
        "calls": 1,
        "groups": groups,
        "tiles": tiles,
        "rounds": tiles * -(-(in_column - 1) // _UNROLLED),
        "pairs": tiles * in_column,
    }


_TILE_LOOPS = {
    "groups": "groups of four pixels",
    "tiles": "tiles of four pixels by two output channels",
    "rounds": "rounds of the innermost loop, four pairs of elements each, the first pair of a tile apart",
    "pairs": "pairs of elements, over all tiles: sixteen MACs each",
}
_EXPANSION_LOOPS = {
    "quads": "four elements copied into a column at once",
    "tails": "pairs of elements that four left over",
    "singles": "elements that were left over without a partner",
}


def _expansion(elements: int) -> tuple[int, int, int]:
    """(quads, tails, singles) of one call of `tn_expand`."""
    return elements // 4, pairs(elements % 4), elements % 2


def _conv_1x1_features(call: KernelCall) -> dict[str, float]:
    inputs = call.weights.shape[3]
    pixels = call.input.elements // inputs
    groups = _groups(pixels)
    quads, tails, singles = (groups * count for count in _expansion(inputs))
    return _tile_features(call, pixels) | {"quads": quads, "tails": tails, "singles": singles}


_ROW_FEATURES = ("rows_inside", "rows_partly", "padded", "filled", "copied", "quads", "tails", "singles")


@lru_cache(maxsize=65536)
def _row_counts(before: int, after: int, count: int, in_words: bool) -> tuple[int, ...]:
    """`_ROW_FEATURES` of a row of the window of `count` elements, some of which are padding."""
    if before + after == 0:
        return (1, 0, 0, 0, 0, *_expansion(count))
    inside = count - before - after
    if in_words:
        return (0, 1, (before + after) // 2, 0, 0, *_expansion(inside))
    return (0, 1, 0, before + after, inside, *_expansion(count))


def _im2col_features(call: KernelCall) -> dict[str, float]:
    _, height, width, _ = call.output.shape
    _, kernel_height, kernel_width, inputs = dense_shape(call)
    _, stride, _ = window_of(call.graph, call.op)
    pixels, count, row = height * width, kernel_width * inputs, call.input.shape[2] * inputs
    by_column: list[tuple[int, ...]] = []
    for x in range(width):
        left = (x * stride[1] - call.padding[2]) * inputs
        before = min(max(0, -left), count)
        after = min(max(0, left + count - row), count - before)
        by_column.append(_row_counts(before, after, count, inputs % WORD == 0))
    columns: _Counts = np.array(by_column, np.int64)
    tops = np.arange(height) * stride[0] - call.padding[0]
    inside = np.clip(np.minimum(tops + kernel_height, call.input.shape[1]) - np.maximum(tops, 0), 0, kernel_height)
    rows = inside.sum() * columns.sum(axis=0)
    outside = width * int((kernel_height - inside).sum())
    wraps = height
    groups = _groups(pixels)
    if pixels < COLUMNS:  # each pixel is computed as four equal columns
        rows, outside, wraps = COLUMNS * rows, COLUMNS * outside, 0
    else:  # some of the last four pixels were computed before
        for pixel in range(pixels - COLUMNS, (groups - 1) * COLUMNS):
            y, x = divmod(pixel, width)
            rows = rows + inside[y] * columns[x]
            outside += kernel_height - int(inside[y])
            wraps += x == width - 1
    features = dict(zip(_ROW_FEATURES, map(int, rows), strict=True))
    features["padded"] += outside * pairs(count)
    return _tile_features(call, pixels) | {"rows_outside": outside, "wraps": wraps} | features


CONV_1X1 = KernelVariant(
    name="conv_1x1",
    kinds=(OpKind.CONV_2D,),
    source="conv_1x1.c",
    helpers=("clamp_outputs.c", "dot_tiles.c"),
    symbol="tn_conv_1x1",
    parameters="tn_conv_1x1_params",
    applies=_is_pointwise,
    constant_bytes=lambda call: _constants(call, "tn_conv_1x1_params"),
    features=_conv_1x1_features,
    loops={**_TILE_LOOPS, **_EXPANSION_LOOPS},
    scratch_bytes=_columns_bytes,
)

CONV_2D_IM2COL = KernelVariant(
    name="conv_2d_im2col",
    kinds=(OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D),
    source="conv_2d_im2col.c",
    helpers=("clamp_outputs.c", "dot_tiles.c"),
    symbol="tn_conv_2d_im2col",
    parameters="tn_conv_2d_im2col_params",
    applies=_is_dense,
    constant_bytes=lambda call: _constants(call, "tn_conv_2d_im2col_params"),
    features=_im2col_features,
    loops={
        **_TILE_LOOPS,
        "wraps": "ends of an output row",
        "rows_inside": "rows of a window that lie inside the input",
        "rows_partly": "rows of a window that reach over the input's sides",
        "rows_outside": "rows of a window above or below the input",
        "padded": "pairs of elements of padding",
        "filled": "bytes of padding where channels are no whole words",
        "copied": "bytes of input beside them",
        **_EXPANSION_LOOPS,
    },
    scratch_bytes=_scratch_bytes,
)
