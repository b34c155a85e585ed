"""How (width, resolution) configurations of a space are compared, and the result of the comparison.

MCUNet (Lin et al. 2020, section 3.1) prefers the configuration whose networks, among those that fit, have the most
MACs: at a given memory, MACs are what accuracy follows. It compares the means and 80th percentiles of their
distributions and leaves open how few samples may fit. Conditional on fitting, a configuration in which 2 of 1000
samples fit looks as good as those two are, though a search would hardly find such networks and a supernet would spend
its weights on networks that can never be deployed.

We rank by one figure that has no such hole: the expected MACs of the best of `BEST_OF` random networks, where one that
does not fit counts as 0. It is near the top of the distribution where many fit, falls smoothly with the share that
fits (2 of 1000: 2 % of what those two have), needs no threshold, and is estimated without bias from all
samples at once: over all subsets of k of the m samples, the i-th smallest is the best in C(i-1, k-1) of C(m, k).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tinynas.spaces._variables import Genotype

BEST_OF = 10
CRITERION = (
    f"expected MACs of the best of {BEST_OF} random networks of the configuration, "
    "where one that does not fit counts as 0"
)


@dataclass(frozen=True, slots=True)
class ArchitectureCost:
    """What the optimizer must know of a sample.

    Attributes:
        macs: multiply-accumulates of one inference.
        fits: whether it meets every budget.
        excess: the largest overshoot of any budget relative to that budget (0.25 is a quarter too much), 0 if it fits.
        arena_bytes: what its activations take; None where that is not counted.
    """

    macs: int
    fits: bool
    excess: float = 0.0
    arena_bytes: int | None = None


@dataclass(frozen=True)
class ConfigurationResult:
    """The samples of one (width multiplier, resolution).

    Attributes:
        samples: number of networks sampled.
        share_fits: share of them that fit.
        mean_macs: mean MACs of those that fit; None if none does.
        p80_macs: 80th percentile of the MACs of those that fit (a fifth have more); None if none does.
        mean_arena_bytes: mean of what the activations of those that fit take; None if none does, or it is not counted.
        score: what the ranking is by, in MACs; see `CRITERION`.
        macs: MACs of the samples that fit, ascending.
    """

    width: float
    resolution: int
    samples: int
    share_fits: float
    mean_macs: float | None
    p80_macs: float | None
    mean_arena_bytes: float | None
    score: float
    macs: npt.NDArray[np.int64] = field(repr=False, compare=False)

    def cdf(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The empirical distribution of MACs among the samples that fit: values, and the share at or below each."""
        return self.macs, np.arange(1, len(self.macs) + 1) / max(1, len(self.macs))


@dataclass(frozen=True)
class NearestMiss:
    """The sample that came nearest to fitting, where none does."""

    width: float
    resolution: int
    genotype: Genotype
    cost: ArchitectureCost


@dataclass(frozen=True)
class SpaceRanking:
    """All configurations, best first.

    `chosen` is the first of them, or None if no sample of any configuration fits; then `nearest_miss` says how close
    it came.
    """

    configurations: tuple[ConfigurationResult, ...]
    chosen: ConfigurationResult | None
    criterion: str
    nearest_miss: NearestMiss | None


def expected_best(values: npt.NDArray[np.float64], draws: int) -> float:
    """Expected maximum of `draws` of the values drawn without replacement (of all of them, if there are fewer)."""
    ordered = np.sort(values)
    total = len(ordered)
    draws = min(draws, total)
    # Weight of the largest is k/m; the ratio of rank i-1's to rank i's is C(i-2,k-1)/C(i-1,k-1) = (i-k)/(i-1).
    expectation, weight = 0.0, draws / total
    for i in range(total, draws - 1, -1):
        expectation += weight * float(ordered[i - 1])
        weight *= (i - draws) / (i - 1) if i > 1 else 0.0
    return expectation


def summarize(width: float, resolution: int, costs: list[ArchitectureCost]) -> ConfigurationResult:
    """The result of one configuration from the costs of its samples (at least one)."""
    fitting = np.sort(np.array([cost.macs for cost in costs if cost.fits], dtype=np.int64))
    arenas = [cost.arena_bytes for cost in costs if cost.fits and cost.arena_bytes is not None]
    counted = np.zeros(len(costs), dtype=np.float64)
    counted[: len(fitting)] = fitting
    return ConfigurationResult(
        width=width,
        resolution=resolution,
        samples=len(costs),
        share_fits=len(fitting) / len(costs),
        mean_macs=float(fitting.mean()) if len(fitting) else None,
        p80_macs=float(np.quantile(fitting, 0.8)) if len(fitting) else None,
        mean_arena_bytes=float(np.mean(arenas)) if arenas else None,
        score=expected_best(counted, BEST_OF) if len(fitting) else 0.0,
        macs=fitting,
    )


def rank(results: list[ConfigurationResult], nearest_miss: NearestMiss | None) -> SpaceRanking:
    """Order by score; the higher resolution breaks a tie, for a fixed order."""
    ordered = tuple(sorted(results, key=lambda r: (-r.score, -r.resolution, -r.width)))
    chosen = ordered[0] if ordered and ordered[0].share_fits > 0 else None
    return SpaceRanking(ordered, chosen, CRITERION, None if chosen else nearest_miss)
