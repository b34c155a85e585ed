"""Simulated annealing (Kirkpatrick, Gelatt and Vecchi 1983, "Optimization by Simulated Annealing")."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import Field

from tinynas.search import BaseStrategy, SearchProblem, StrategyOptions, StrategySpec, Trial
from tinynas.spaces import Genotype


class AnnealingOptions(StrategyOptions):
    """Options of `Annealing`.

    Attributes:
        temperature: at the beginning, in units of the score; it falls to zero over the budget.
    """

    temperature: Annotated[float, Field(gt=0)] = 0.01


class Annealing(BaseStrategy):
    """A walk from network to network that takes a worse one with probability exp(difference / temperature)."""

    name = "annealing"

    def __init__(self, problem: SearchProblem, seed: int, options: AnnealingOptions | None = None) -> None:
        options = options or AnnealingOptions()
        super().__init__(problem, seed, options)
        self._temperature = options.temperature
        self._here: Genotype | None = None
        self._score = -math.inf

    def propose(self) -> Genotype:
        if self._here is None:
            return self.random_genotype()
        return self.problem.space.mutate(self._here, self.rng)

    def tell(self, trial: Trial, score: float, deviation: float | None = None) -> None:
        super().tell(trial, score, deviation)
        left = max(1e-9, 1 - len(self.ledger.told) / self.problem.evaluations)
        worse = min(0.0, score - self._score)
        if self._here is None or self.rng.random() < math.exp(worse / (self._temperature * left)):
            self._here, self._score = trial.genotype, score

    def revised(self) -> None:
        """The walk goes on from the network told last that meets the constraints still."""
        feasible = self.ledger.feasible
        self._here = feasible[-1].genotype if feasible else None
        self._score = feasible[-1].score if feasible else -math.inf

    def own_state(self) -> dict[str, Any]:
        here = None if self._here is None else {"genotype": list(self._here), "score": self._score}
        return {"here": here}

    def restore_own_state(self, state: dict[str, Any]) -> None:
        here = state["here"]
        self._here = None if here is None else tuple(here["genotype"])
        self._score = -math.inf if here is None else float(here["score"])


ANNEALING = StrategySpec("annealing", "a walk that accepts worse networks less and less", Annealing, AnnealingOptions)
