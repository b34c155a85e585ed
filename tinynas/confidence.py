"""Confidence intervals of what was repeated under several seeds, by Student's t."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CONFIDENCE = 0.9
"""The share of intervals that hold the true mean, where values are normal: of every interval over seeds."""


@dataclass(frozen=True)
class Interval:
    """A mean, or a difference of two, with half of its interval.

    Attributes:
        mean: in the unit of the values.
        half_width: in the same unit; None where a single value says nothing of how far values spread.
    """

    mean: float
    half_width: float | None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Interval:
        """The interval that a result has as `mean` and `half_width`."""
        return cls(document["mean"], document["half_width"])

    def in_percent(self, sign: str = "") -> str:
        """A fraction for readers, as `92.30 ± 0.12`; with `sign` "+", `+0.80 ± 0.20`."""
        mean = f"{100 * self.mean:{sign}.2f}"
        return mean if self.half_width is None else f"{mean} ± {100 * self.half_width:.2f}"


def each_in_percent(fractions: Sequence[float], diverged: int) -> str:
    """Fractions for readers, as `92.30, 92.10, 1 diverged`."""
    return ", ".join(
        [f"{100 * fraction:.2f}" for fraction in fractions] + ([f"{diverged} diverged"] if diverged else [])
    )


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean of values, with the interval of Student's t with n - 1 degrees of freedom.

    Args:
        values: at least one.
    """
    mean, count = statistics.fmean(values), len(values)
    if count == 1:
        return Interval(mean, None)
    return Interval(mean, _quantile(count - 1) * math.sqrt(_error(values)))


def difference_interval(first: Sequence[float], second: Sequence[float]) -> Interval:
    """The mean of `first` minus that of `second`, two independent samples, their variances equal or not.

    The interval is Welch's, its degrees of freedom those of Welch (1947) and Satterthwaite (1946).

    Args:
        first: at least one value.
        second: the same.
    """
    difference = statistics.fmean(first) - statistics.fmean(second)
    if min(len(first), len(second)) == 1:
        return Interval(difference, None)
    errors = [_error(values) for values in (first, second)]
    if sum(errors) == 0:
        return Interval(difference, 0.0)
    spread = sum(error**2 / (len(values) - 1) for error, values in zip(errors, (first, second), strict=True))
    return Interval(difference, _quantile(sum(errors) ** 2 / spread) * math.sqrt(sum(errors)))


def _error(values: Sequence[float]) -> float:
    """The squared standard error of the mean."""
    return statistics.variance(values) / len(values)


def _quantile(degrees_of_freedom: float) -> float:
    from scipy.stats import t as student  # takes a second to import, which most commands do without

    return float(student.ppf((1 + CONFIDENCE) / 2, degrees_of_freedom))
