"""Successive halving over fidelities."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from tinynas.search._base import BaseStrategy
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import SearchProblem, Trial
from tinynas.search.strategies._brackets import Brackets, halving_rungs


class SuccessiveHalvingOptions(StrategyOptions):
    """Options of `SuccessiveHalving`.

    Attributes:
        bracket_evaluations: the budget of one bracket, in full evaluations; by default all of the search's.
    """

    bracket_evaluations: Annotated[int, Field(ge=1)] | None = None


class SuccessiveHalving(BaseStrategy):
    """Random networks at the lowest fidelity, the best of them at the next, until some are fully trained.

    Jamieson and Talwalkar 2016, figure 3: with K fidelities f_k and a budget of B evaluations, rung k has
    n_k = floor(B / (K f_k)) networks, the best of rung k - 1, so that each rung costs B / K. Where each fidelity is eta
    times the one before, a rung keeps 1 / eta of the last. When a bracket is over, the next begins.

    Args:
        problem: what is searched, and at which fidelities.
        seed: the same seed and scores give the same sequence.
        options: the size of a bracket.
    """

    name = "successive-halving"

    def __init__(self, problem: SearchProblem, seed: int, options: SuccessiveHalvingOptions | None = None) -> None:
        options = options or SuccessiveHalvingOptions()
        super().__init__(problem, seed, options)
        budget = options.bracket_evaluations or problem.evaluations
        self._brackets = Brackets([halving_rungs(problem.fidelities, budget)])

    @property
    def awaits_scores(self) -> bool:
        return self._brackets.awaits_scores(self)

    def next_trial(self) -> Trial:
        return self._brackets.next_trial(self, lambda: self.fresh(self.random_genotype))

    def own_state(self) -> dict[str, Any]:
        return {"brackets": self._brackets.state()}

    def restore_own_state(self, state: dict[str, Any]) -> None:
        self._brackets.restore(state["brackets"])
