"""Local search: to the best neighbour, until none is better."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from tinynas.search._base import BaseStrategy
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import SearchProblem, Trial
from tinynas.spaces import Genotype


class LocalSearchOptions(StrategyOptions):
    """Options of `LocalSearch`.

    Attributes:
        initial: random networks, the best of which is where the first ascent begins.
    """

    initial: Annotated[int, Field(ge=1)] = 10


class LocalSearch(BaseStrategy):
    """Hill climbing (White, Nolen, Savani 2021, algorithm 1): v <- argmax_{u in N(v)} score(u), while that is better.

    All neighbours N(v) that are feasible and new are asked, in random order. When they are told and none is better than
    v, v is a local optimum, and a random network is where the next ascent begins. An ask that cannot wait for scores
    goes by those that were told: to the best, if it is better than v, or else to a random network, until they are. A
    centre that a revision finds infeasible is given up for the best of its neighbours.

    Args:
        problem: what is searched.
        seed: the same seed and scores give the same sequence.
        options: how to begin.
    """

    name = "local-search"

    def __init__(self, problem: SearchProblem, seed: int, options: LocalSearchOptions | None = None) -> None:
        options = options or LocalSearchOptions()
        super().__init__(problem, seed, options)
        self._options = options
        self._ascent: list[Genotype] = []  # the centre, and what was asked since that may be the next
        self._waiting: list[Genotype] = []  # neighbours of the centre that are not asked yet
        self._centre: Genotype | None = None

    def next_trial(self) -> Trial:
        genotype = self.next_initial()
        if genotype is None and len(self.ledger.told) >= self._options.initial:
            genotype = self._neighbour()
        if genotype is None:
            genotype = self.fresh(self.random_genotype)
        self._ascent.append(genotype)
        return Trial(genotype)

    def _neighbour(self) -> Genotype | None:
        """The next neighbour to ask; None if the ascent has ended, so that another begins."""
        while True:
            while self._waiting:
                genotype = self._waiting.pop()
                if self.candidates.take(genotype):
                    return genotype
            scores = {observation.genotype: observation.score for observation in self.ledger.feasible}
            pending = {trial.genotype for trial in self.ledger.pending}
            best = max((g for g in self._ascent if g in scores), key=lambda genotype: scores[genotype], default=None)
            awaited = [genotype for genotype in self._ascent if genotype in pending]
            if best is None or best == self._centre:
                if not awaited:
                    self._centre, self._ascent = None, []
                return None
            self._centre, self._ascent = best, [best, *awaited]
            neighbours = list(self.problem.space.neighbours(best))
            self._waiting = [neighbours[int(i)] for i in self.rng.permutation(len(neighbours))]

    def revised(self) -> None:
        if self._centre not in {observation.genotype for observation in self.ledger.feasible}:
            self._centre, self._waiting = None, []

    def own_state(self) -> dict[str, Any]:
        return {
            "centre": None if self._centre is None else list(self._centre),
            "ascent": [list(genotype) for genotype in self._ascent],
            "waiting": [list(genotype) for genotype in self._waiting],
        }

    def restore_own_state(self, state: dict[str, Any]) -> None:
        self._centre = None if state["centre"] is None else tuple(state["centre"])
        self._ascent = [tuple(genotype) for genotype in state["ascent"]]
        self._waiting = [tuple(genotype) for genotype in state["waiting"]]
