"""Ranking by several objectives at once: non-dominated sorting and crowding distance (Deb et al. 2002)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def non_dominated_ranks(objectives: Array) -> npt.NDArray[np.int64]:
    """The front of each point: 0 for what nothing dominates, 1 for what only front 0 does (Deb et al. 2002, III-A).

    A point dominates another if it is at most as large in every objective and smaller in one.

    Args:
        objectives: [n, m], to be minimized.

    Returns:
        [n].
    """
    at_most = np.all(objectives[:, None, :] <= objectives[None, :, :], axis=2)
    less = np.any(objectives[:, None, :] < objectives[None, :, :], axis=2)
    dominates = at_most & less
    dominated_by = dominates.sum(axis=0)
    ranks = np.full(len(objectives), -1, dtype=np.int64)
    rank = 0
    while (front := np.flatnonzero((dominated_by == 0) & (ranks < 0))).size:
        ranks[front] = rank
        dominated_by -= dominates[front].sum(axis=0)
        rank += 1
    return ranks


def crowding_distances(objectives: Array) -> Array:
    """How far the neighbours of each point of one front are apart, summed over objectives (Deb et al. 2002, III-B).

    Each objective is in units of its range over the front; the ends of an objective are infinitely far from all.

    Args:
        objectives: [n, m] of the points of one front.

    Returns:
        [n].
    """
    distances = np.zeros(len(objectives))
    for values in objectives.T:
        order = np.argsort(values, kind="stable")
        span = values[order[-1]] - values[order[0]]
        if span > 0:
            distances[order[1:-1]] += (values[order[2:]] - values[order[:-2]]) / span
        distances[order[[0, -1]]] = np.inf
    return distances


def crowded_order(objectives: Array) -> list[int]:
    """Indices of the points, best first: by front, within one by crowding distance, larger first (their III-B, <_n)."""
    ranks = non_dominated_ranks(objectives)
    distances = np.zeros(len(objectives))
    for rank in range(int(ranks.max(initial=-1)) + 1):
        front = np.flatnonzero(ranks == rank)
        distances[front] = crowding_distances(objectives[front])
    return sorted(range(len(objectives)), key=lambda i: (ranks[i], -distances[i]))
