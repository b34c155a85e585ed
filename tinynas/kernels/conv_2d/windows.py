"""Trip counts of filling columns with what windows see."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinynas.kernels._constants import WORD
from tinynas.kernels._kernel import KernelCall, pairs
from tinynas.kernels.conv_2d.dense import dense_shape

_Counts = npt.NDArray[np.int64]

EXPANSION_LOOPS = {
    "runs_in_quads": "runs of four elements or more",
    "quads": "four elements of a run at once",
    "twos": "two elements that four left over in a run",
    "ones": "elements that were left over without a partner",
}
EXPANSION = tuple(EXPANSION_LOOPS)


def expansion(elements: int) -> tuple[int, ...]:
    """`EXPANSION` of a run of so many elements that is copied into a column."""
    return int(elements >= 4), elements // 4, elements // 2 % 2, elements % 2


WINDOW_LOOPS = {
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
    **EXPANSION_LOOPS,
}
WINDOW = tuple(WINDOW_LOOPS)


@dataclass(frozen=True)
class Windows:
    """The windows of a convolution, from which `WINDOW` is counted."""

    rows: int
    count: int
    in_words: bool
    before: tuple[int, ...]
    after: tuple[int, ...]
    inside: tuple[int, ...]

    @classmethod
    def of(cls, call: KernelCall) -> Windows:
        """By output column, elements of a row of the window left and right of the input; by output row, rows inside."""
        _, kernel_height, kernel_width, inputs = dense_shape(call)
        stride = call.window.stride
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
            np.zeros(len(WINDOW), np.int64),
        )

    def _window(self, inside: int, before: int, after: int) -> _Counts:
        features = dict.fromkeys(WINDOW, 0)
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
        for name, number in zip(EXPANSION, expansion(expanded), strict=True):
            features[name] = inside * number
        return np.array(tuple(features.values()), np.int64)
