"""Intervals over seeds: those of textbooks, and of SciPy where it has them."""

from __future__ import annotations

import pytest
from scipy import stats

from tinynas.confidence import CONFIDENCE, Interval, difference_interval, mean_interval

FEW = [0.912, 0.921, 0.909]
OTHERS = [0.897, 0.895, 0.901, 0.888]


def test_a_mean_has_the_interval_of_student() -> None:
    """The 0.95 quantile of Student's t with two degrees of freedom is 2.920, in every table of it."""
    found = mean_interval([1.0, 2.0, 3.0])
    assert found.mean == 2
    assert found.half_width == pytest.approx(2.920 / 3**0.5, rel=1e-3)


@pytest.mark.parametrize(("first", "second"), [(FEW, OTHERS), (OTHERS, FEW), (FEW, FEW[:2])])
def test_a_difference_has_the_interval_of_welch(first: list[float], second: list[float]) -> None:
    found = difference_interval(first, second)
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval(CONFIDENCE)
    assert found.half_width is not None
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx(
        (expected.low, expected.high)
    )


def test_a_single_value_has_no_interval() -> None:
    assert mean_interval([0.9]) == Interval(0.9, None)
    assert difference_interval([0.9], FEW).half_width is None
    assert difference_interval(FEW, [0.9]).half_width is None


def test_values_without_spread_have_an_interval_without_width() -> None:
    assert mean_interval([0.5, 0.5]) == Interval(0.5, 0.0)
    assert difference_interval([0.5, 0.5], [0.25, 0.25]) == Interval(0.25, 0.0)


@pytest.mark.parametrize(
    ("found", "sign", "text"),
    [
        (Interval(0.923, 0.0012), "", "92.30 ± 0.12"),
        (Interval(0.008, 0.002), "+", "+0.80 ± 0.20"),
        (Interval(-0.008, None), "+", "-0.80"),
    ],
)
def test_for_readers_fractions_are_percent(found: Interval, sign: str, text: str) -> None:
    assert found.in_percent(sign) == text
