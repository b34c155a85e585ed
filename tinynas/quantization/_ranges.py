"""How ranges are chosen from the values that a tensor takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from tinynas.quantization._parameters import affine

_BINS = 2048
# Of the whole range, all that are tried.
_SHARES = tuple(1 - i / 100 for i in range(71))
_WEIGHT_SHARES = tuple(1 - i / 200 for i in range(61))


class RangeMethod(StrEnum):
    """How a range is chosen from the values seen."""

    MIN_MAX = "min-max"
    MEAN_SQUARED_ERROR = "mse"


@dataclass(frozen=True)
class Histogram:
    """How often values of equal bins of [low, high] were seen.

    Attributes:
        low: the smallest value, at most 0.
        high: the largest value, at least 0.
        counts: [bins] values in each bin.
        sums: [bins] their sums; a bin's mean stands for its values, and so zeros stay zeros.
    """

    low: float
    high: float
    counts: npt.NDArray[np.int64]
    sums: npt.NDArray[np.float64]

    @classmethod
    def empty(cls, low: float, high: float) -> Histogram:
        """Of a range that is known to hold all values that will be added."""
        return cls(min(low, 0.0), max(high, 0.0), np.zeros(_BINS, np.int64), np.zeros(_BINS))

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Count values, of any shape."""
        flat = values.reshape(-1)
        width = (self.high - self.low) / _BINS or 1.0
        bins = np.clip(((flat - np.float32(self.low)) * np.float32(1 / width)).astype(np.int32), 0, _BINS - 1)
        self.counts[:] += np.bincount(bins, minlength=_BINS)
        self.sums[:] += np.bincount(bins, weights=flat, minlength=_BINS)

    def range_by(self, method: RangeMethod) -> tuple[float, float]:
        """The range that `method` chooses, which holds zero.

        MIN_MAX covers every value. MEAN_SQUARED_ERROR moves one end at a time towards zero while that lowers the mean
        squared error of rounding and clipping together (Nagel et al. 2021, "A White Paper on Neural Network
        Quantization", section 3.1: range setting by mean squared error, in a grid search).
        """
        if method is RangeMethod.MIN_MAX:
            return self.low, self.high
        seen = self.counts > 0
        counts, means = self.counts[seen], self.sums[seen] / self.counts[seen]

        def error(candidate: tuple[float, float]) -> float:
            return float(counts @ np.square(_rounded(means, *candidate) - means))

        best = (self.low, self.high)
        for _ in range(2):  # the best place of an end depends a little on where the other is
            best = min((best, *((best[0], self.high * share) for share in _SHARES)), key=error)
            if self.low < 0:
                best = min((best, *((self.low * share, best[1]) for share in _SHARES)), key=error)
        return best


def _rounded(values: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.float64]:
    q = affine(low, high)
    codes = np.clip(np.rint(values / q.scale) + q.zero_point, -128, 127)
    result: npt.NDArray[np.float64] = (codes - q.zero_point) * q.scale
    return result


def least_error_scales(
    rows: npt.NDArray[np.float32], scales: npt.NDArray[np.float32], smallest: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Shrink the symmetric scale of each row where that lowers the squared error of rounding and clipping its weights.

    Args:
        rows: [O, n], the weights that share a scale.
        scales: [O], which cover each row: max |w| / 127.
        smallest: [O], below which no scale may fall.

    Returns:
        [O] scales, none larger than before.
    """
    chosen, least = scales, np.full(len(scales), np.inf)
    for share in _WEIGHT_SHARES:
        candidates = np.maximum(scales * np.float32(share), smallest)
        codes = np.clip(np.rint(rows / candidates[:, None]), -127, 127)
        errors = np.square(codes * candidates[:, None] - rows).sum(axis=1, dtype=np.float64)
        chosen = np.where(errors < least, candidates, chosen)
        least = np.minimum(errors, least)
    return chosen
