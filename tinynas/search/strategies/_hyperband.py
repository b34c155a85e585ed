"""Hyperband: brackets of successive halving that begin at every fidelity."""

from __future__ import annotations

from typing import Any

from tinynas.search._base import BaseStrategy
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import SearchProblem, Trial
from tinynas.search.strategies._brackets import Brackets, hyperband_rungs
from tinynas.spaces import Genotype


class Hyperband(BaseStrategy):
    """Hyperband (Li et al. 2018, algorithm 1): successive halving, hedged against fidelities that mislead.

    Bracket s = s_max, ..., 0 begins n = ceil((s_max + 1) eta^s / (s + 1)) random networks at fidelity eta^-s and keeps
    1 / eta of them from rung to rung; each bracket costs about as much as the others. After the last, the first again.

    Args:
        problem: what is searched, and at which fidelities.
        seed: the same seed and scores give the same sequence.
        options: none.
    """

    name = "hyperband"

    def __init__(self, problem: SearchProblem, seed: int, options: StrategyOptions | None = None) -> None:
        super().__init__(problem, seed, options or StrategyOptions())
        fidelities = problem.fidelities
        self._brackets = Brackets([hyperband_rungs(fidelities, skipped) for skipped in range(len(fidelities))])

    @property
    def awaits_scores(self) -> bool:
        return self._brackets.awaits_scores(self)

    def next_trial(self) -> Trial:
        return self._brackets.next_trial(self, self.new_genotype)

    def new_genotype(self) -> Genotype:
        """A network for the lowest rung of a bracket."""
        return self.fresh(self.random_genotype)

    def own_state(self) -> dict[str, Any]:
        return {"brackets": self._brackets.state()}

    def restore_own_state(self, state: dict[str, Any]) -> None:
        self._brackets.restore(state["brackets"])
