"""How well values rank networks: Kendall's tau, overall and among networks of about equal MACs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau

Floats = npt.NDArray[np.float64]

_NORMAL_90 = 1.645


@dataclass(frozen=True)
class Interval:
    """An estimate and its 90 % interval, from its standard deviation over resamples.

    Quantiles of resamples will not do: a network that is drawn twice is a pair tied in both, which raises tau-b.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau over all networks, and the mean of those within groups of about equal MACs."""

    overall: Interval
    within: Interval


def kendall(values: Floats, truth: Floats) -> float:
    """Tau-b (Kendall 1945): (P - Q) / sqrt((P + Q + T)(P + Q + U)).

    P pairs agree, Q disagree, T are tied in `values` only and U in `truth` only; pairs tied in both count nowhere.
    Values that do not differ rank nothing: 0.
    """
    if np.ptp(values) == 0 or np.ptp(truth) == 0:
        return 0.0
    return float(kendalltau(values, truth, variant="b").statistic)


def groups_of_equal_macs(macs: Sequence[float], groups: int) -> list[npt.NDArray[np.intp]]:
    """Positions of networks in order of MACs, cut into `groups` of equal size, give or take one."""
    return np.array_split(np.argsort(np.array(macs), kind="stable"), groups)


def stratified(macs: Sequence[float], count: int, groups: int, seed: int) -> list[npt.NDArray[np.intp]]:
    """Positions of `count` random networks, as many from each group of equal MACs, give or take one.

    Args:
        macs: of all networks.
        count: at least two for each group; all there are, if they are no more.
        groups: how many.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    shares = [len(part) for part in np.array_split(np.arange(min(count, len(macs))), groups)]
    return [
        np.sort(rng.permutation(group)[:share])
        for group, share in zip(groups_of_equal_macs(macs, groups), shares, strict=True)
    ]


def agreement(values: Floats, truth: Floats, groups: Sequence[npt.NDArray[np.intp]], resamples: int = 500) -> Agreement:
    """Tau with intervals from a bootstrap over networks, drawn anew within each group.

    Args:
        values: [networks], what an evaluator says.
        truth: [networks], what they are worth.
        groups: positions of the networks of about equal MACs; together all of them.
        resamples: how many.
    """
    rng = np.random.default_rng(0)
    drawn = ([rng.choice(group, len(group)) for group in groups] for _ in range(resamples))
    taus = np.array([_taus(values, truth, groups_drawn) for groups_drawn in drawn])
    margins = _NORMAL_90 * taus.std(axis=0, ddof=1)
    overall, within = (
        Interval(value, max(-1.0, value - float(margin)), min(1.0, value + float(margin)))
        for value, margin in zip(_taus(values, truth, groups), margins, strict=True)
    )
    return Agreement(overall, within)


def _taus(values: Floats, truth: Floats, groups: Sequence[npt.NDArray[np.intp]]) -> tuple[float, float]:
    every = np.concatenate(groups)
    within = [kendall(values[group], truth[group]) for group in groups]
    return kendall(values[every], truth[every]), float(np.mean(within))
