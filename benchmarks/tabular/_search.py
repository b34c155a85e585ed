"""One search on a table."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabular._hypervolume import hypervolume
from tabular._table import NasTable
from tinynas.search import SpaceExhaustedError, build_strategy

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Search:
    """What a search saw.

    Attributes:
        scores: of the longest trainings in the order asked, in per cent.
        spent: what was spent up to and with each of those, in longest trainings: the sum of all fidelities asked.
        hypervolume: that their accuracies and MACs dominate, as a share of the box from the median feasible network to
            the best.
        seconds: of the strategy itself.
    """

    scores: list[float]
    spent: list[float]
    hypervolume: float
    seconds: float

    def first_at_least(self, threshold: float) -> float:
        """What was spent until the first longest training of at least that score; infinite if there is none."""
        return next((cost for score, cost in zip(self.scores, self.spent, strict=True) if score >= threshold), np.inf)

    def best_after(self, spent: float) -> float | None:
        """The best score of the longest trainings by then; None before the first."""
        seen = [s for s, cost in zip(self.scores, self.spent, strict=True) if cost <= spent + _ROUNDING]
        return max(seen, default=None)


def search(
    table: NasTable,
    strategy_name: str,
    options: Mapping[str, Any],
    evaluations: int,
    seed: int,
    fidelities: tuple[float, ...] | None = None,
) -> Search:
    """Run one strategy until its budget is spent, or everything was asked.

    Args:
        table: what is searched.
        strategy_name: as in a configuration.
        options: of the strategy.
        evaluations: the budget, in longest trainings.
        seed: of the strategy.
        fidelities: of the table that may be asked; by default all.

    Raises:
        StrategyError: there is no such strategy or option, or it refuses the budget.
    """
    began = time.process_time()
    strategy = build_strategy(strategy_name, table.problem(evaluations, fidelities), seed, options)
    scores: list[float] = []
    costs: list[float] = []
    points: list[tuple[float, float]] = []
    spent = 0.0
    while True:
        try:
            trial = strategy.ask()
        except SpaceExhaustedError:
            break
        spent += trial.fidelity
        if spent > evaluations + _ROUNDING:
            break
        score = table.scores[trial.fidelity][trial.genotype]
        strategy.tell(trial, score, table.deviations[trial.fidelity].get(trial.genotype))
        if trial.fidelity == 1:
            scores.append(score)
            costs.append(spent)
            points.append((score, table.costs[trial.genotype]["macs"]))
    seconds = time.process_time() - began
    best, median = table.ranked()[0], float(np.median(table.ranked()))
    box = table.limit * (best - median)
    return Search(scores, costs, hypervolume(points, (median, table.limit)) / box, seconds)
