"""Random search without replacement, in closed form."""

from __future__ import annotations

import math


def median_random_evaluations(networks: int, good: int) -> int:
    """Median number of random networks until the first of `good` among `networks`.

    The least n with C(networks - good, n) / C(networks, n) <= 1/2.
    """
    missed = 1.0
    for drawn in range(networks):
        missed *= (networks - good - drawn) / (networks - drawn)
        if missed <= 0.5:
            return drawn + 1
    return networks


def expected_random_best(scores: list[float], evaluations: int) -> float:
    """Expected best score of random networks.

    The i-th best (from 1) is the best of n drawn with probability C(N - i, n - 1) / C(N, n).

    Args:
        scores: of all feasible networks, best first.
        evaluations: n.
    """
    total, n = len(scores), min(evaluations, len(scores))

    def log_choose(a: int, b: int) -> float:
        return math.lgamma(a + 1) - math.lgamma(b + 1) - math.lgamma(a - b + 1)

    return sum(
        score * math.exp(log_choose(total - i, n - 1) - log_choose(total, n))
        for i, score in enumerate(scores[: total - n + 1], start=1)
    )
