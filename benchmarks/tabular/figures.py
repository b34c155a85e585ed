"""What the searches of one strategy on a table come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tabular._random_search import expected_random_best, median_random_evaluations
from tabular._search import Search
from tabular._table import NasTable, good_networks

REGRET_AFTER = 60
COMPARED = 50
"""First and last networks whose means are compared."""

_RESAMPLES = 1000


def columns(table: NasTable) -> list[str]:
    """Heads of what `row` gives."""
    to_best = [head for share in table.shares for head in (f"to {100 * share:g} %", "of random's")]
    regret, gain = f"regret at {REGRET_AFTER}", f"last - first {COMPARED}"
    return ["strategy", *to_best, regret, gain, "hypervolume", "of random's", "seconds"]


def median_cost(searches: Sequence[Search], table: NasTable, share: float) -> tuple[float, float]:
    """The median cost until a network among the best share, in longest trainings, and its ratio to random search's.

    Both are infinite where half of the searches found none.
    """
    median = float(np.median([found.first_at_least(table.threshold(share)) for found in searches]))
    networks = len(table.ranked())
    return median, median / median_random_evaluations(networks, good_networks(networks, share))


def relative_regret(searches: Sequence[Search], table: NasTable, spent: int) -> tuple[float, float] | None:
    """The mean regret after `spent` longest trainings over that expected of random search, and its standard error.

    None where a search had no network trained to the end by then.
    """
    best = [found.best_after(spent) for found in searches]
    if None in best:
        return None
    ranked = table.ranked()
    expected = ranked[0] - expected_random_best(ranked, spent)
    regrets = (ranked[0] - np.array(best, dtype=np.float64)) / expected
    error = float(regrets.std(ddof=1)) / len(regrets) ** 0.5 if len(regrets) > 1 else 0.0
    return float(regrets.mean()), error


def improvement(searches: Sequence[Search]) -> float | None:
    """Mean of the last networks minus mean of the first, in points; None where they would overlap."""
    if min(len(found.scores) for found in searches) < 2 * COMPARED:
        return None
    differences = [np.mean(found.scores[-COMPARED:]) - np.mean(found.scores[:COMPARED]) for found in searches]
    return float(np.mean(differences))


def row(
    name: str, searches: Sequence[Search], random: Sequence[Search], table: NasTable, evaluations: int
) -> list[str]:
    """The figures of one strategy, as text.

    Args:
        name: of the strategy.
        searches: its searches.
        random: searches at random, of the same seeds.
        table: what was searched.
        evaluations: the budget.
    """
    cells = [name]
    for share in table.shares:
        median, ratio = median_cost(searches, table, share)
        cells += [f"> {evaluations}", ""] if np.isinf(median) else [f"{median:.1f}", f"{ratio:.2f}"]
    regret, gain = relative_regret(searches, table, REGRET_AFTER), improvement(searches)
    volume, random_volume = (np.mean([found.hypervolume for found in group]) for group in (searches, random))
    return [
        *cells,
        "" if regret is None else f"{regret[0]:.3f} ± {regret[1]:.3f}",
        "" if gain is None else f"{gain:+.2f}",
        f"{volume:.4f}",
        f"{volume / random_volume:.2f}",
        f"{np.mean([found.seconds for found in searches]):.1f}",
    ]


def regret_curve(
    searches: Sequence[Search], best: float, evaluations: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """The mean regret against what was spent, with a bootstrapped 90 % interval over searches.

    It begins where every search had its first network trained to the end.

    Args:
        searches: of one strategy.
        best: the best score there is.
        evaluations: the budget.
        rng: draws the resamples.
    """
    draws = rng.integers(len(searches), size=(_RESAMPLES, len(searches)))
    curve: list[dict[str, Any]] = []
    for spent in range(1, evaluations + 1):
        scores = [found.best_after(spent) for found in searches]
        if None in scores:
            continue
        regrets = best - np.array(scores, dtype=np.float64)
        low, high = np.quantile(regrets[draws].mean(axis=1), (0.05, 0.95))
        curve.append({"spent": spent, "mean": float(regrets.mean()), "low": float(low), "high": float(high)})
    return curve
