"""Which networks to measure: a small set whose layers tell the coefficients of every variant apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tinynas.graph import Graph
from tinynas.latency._random_constants import with_random_constants
from tinynas.latency._random_networks import NetworkLimits, random_network
from tinynas.lowering import Schedule, lower

CANDIDATES_PER_NETWORK = 12
"""Random networks looked at for each one measured."""


def calibration_networks(
    count: int,
    *,
    fits: Callable[[Schedule], bool] = lambda schedule: True,
    limits: NetworkLimits | None = None,
    seed: int = 0,
) -> list[Graph]:
    """Choose networks to measure on a board, by greedy D-optimal design.

    Of many random networks that fit the board, each round takes the one that adds most to the sum over variants of
    log det(information matrix), the matrix of the relative fit with ticks taken as proportional to the sum of the
    loop counts. So layers that no chosen layer resembles come first, and no variant is forgotten.
    (V. Fedorov, "Theory of Optimal Experiments", 1972, chapter 2.)

    Args:
        count: How many networks to return.
        fits: Whether the board can hold a network.
        limits: Sizes of the layers; the defaults suit a board of 12 KB SRAM and 64 KB flash.
        seed: The same seed gives the same networks.

    Returns:
        Graphs with random weights and quantization, ready to be generated. Fewer than `count` where fewer fit.
    """
    bounds = limits or NetworkLimits()
    pool: list[tuple[int, Graph, Schedule]] = []
    for candidate in range(seed * 1_000_003, seed * 1_000_003 + count * CANDIDATES_PER_NETWORK):
        graph = random_network(candidate, bounds)
        schedule = lower(graph)
        if fits(schedule):
            pool.append((candidate, graph, schedule))
    names = _feature_names([schedule for _, _, schedule in pool])
    rows = [_rows(schedule, names) for _, _, schedule in pool]
    # A ridge stands for what is not measured yet; it makes the first determinants finite.
    information = {variant: 1e-3 * np.eye(len(features)) for variant, features in names.items()}
    chosen: list[Graph] = []
    left = list(range(len(pool)))
    while left and len(chosen) < count:
        best = max(left, key=lambda i: (_gain(information, rows[i]), -i))
        for variant, added in rows[best].items():
            information[variant] = information[variant] + added.T @ added
        left.remove(best)
        chosen.append(with_random_constants(pool[best][1], seed=pool[best][0]))
    return chosen


def _feature_names(schedules: list[Schedule]) -> dict[str, list[str]]:
    names: dict[str, dict[str, None]] = {}
    for schedule in schedules:
        for step in schedule.steps:
            names.setdefault(step.variant, {}).update(dict.fromkeys(step.features))
    return {variant: list(features) for variant, features in names.items()}


def _rows(schedule: Schedule, names: dict[str, list[str]]) -> dict[str, npt.NDArray[np.float64]]:
    """Per variant, the relative features of its layers. Shape [layers, features]."""
    rows: dict[str, list[list[float]]] = {}
    for step in schedule.steps:
        features = [step.features.get(name, 0.0) for name in names[step.variant]]
        rows.setdefault(step.variant, []).append([value / sum(features) for value in features])
    return {variant: np.array(values) for variant, values in rows.items()}


def _gain(information: dict[str, npt.NDArray[np.float64]], added: dict[str, npt.NDArray[np.float64]]) -> float:
    """How much the network's layers raise the sum of log determinants."""
    return sum(
        float(np.linalg.slogdet(information[v] + rows.T @ rows)[1] - np.linalg.slogdet(information[v])[1])
        for v, rows in added.items()
    )
