"""Successive halving whose lowest rung a predictor fills: short trainings teach it where to look."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from tinynas.evaluation.regressors import Ridge
from tinynas.search._base import BaseStrategy
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import Observation, SearchProblem, Trial
from tinynas.search.strategies._brackets import Brackets, Rungs
from tinynas.search.strategies._pool import candidate_pool, filling_most, incumbent, neighbours_of, spread_over_costs
from tinynas.search.surrogates._gaussian_process import expected_improvement
from tinynas.spaces import Genotype
from tinynas.spaces.encodings import encode

_LEAST_DESIGN = 8
_LEAST_TO_FIT = 5


class PredictorHalvingOptions(StrategyOptions):
    """Options of `PredictorHalving`.

    Attributes:
        finalists: networks on the highest rung.
        initial_share: share of the lowest rung that enters before the first proposal; at least 8 networks.
        initial_candidates: random networks of which these are chosen, spread over their costs.
        initial_left_out: share of those that is left out first, of the least costs: what is far below the limits is
            seldom among the best. Less where too few would stay.
        random_candidates: random networks among which the acquisition is maximized, beside neighbours.
        best_candidates: of how many of the best all neighbours are candidates.
        near_initial: share of the random networks, before the first fit and among the candidates, that differ in one
            choice from one of the problem's initial networks: those are known to be worth a look.
        climbs: how often, at most, the neighbours of the candidates of the highest acquisition become candidates, too,
            as long as it rises.
    """

    finalists: Annotated[int, Field(ge=1)] = 4
    initial_share: Annotated[float, Field(gt=0, le=1)] = 0.75
    initial_candidates: Annotated[int, Field(ge=1)] = 500
    initial_left_out: Annotated[float, Field(ge=0, lt=1)] = 0.0
    random_candidates: Annotated[int, Field(ge=1)] = 2000
    best_candidates: Annotated[int, Field(ge=1)] = 4
    near_initial: Annotated[float, Field(ge=0, le=1)] = 0.0
    climbs: Annotated[int, Field(ge=0)] = 0


class PredictorHalving(BaseStrategy):
    """One bracket of successive halving over all fidelities; a ridge regression proposes what enters it.

    The highest rung has m finalists, and costs m evaluations. What is left of the budget B is shared by the others as
    in successive halving (Jamieson and Talwalkar 2016, figure 3), so that rung k of K has
    n_k = floor((B - m) / ((K - 1) f_k)) networks. The first of the lowest rung are spread over what networks cost; then
    a ridge regression of all scores at the lowest fidelity chooses by expected improvement (Jones et al. 1998,
    equation 15).
    Its features are what networks are like (`SearchProblem.describe`; where that is not known, the choices) and the
    logarithms of their costs: what choices come to together, which a linear model of the choices alone could not say.
    When the bracket is over, the next begins, and keeps what was learned.

    Args:
        problem: what is searched, and at which fidelities; with one, all the budget is one rung.
        seed: the same seed and scores give the same sequence.
        options: sizes.
    """

    name = "predictor-halving"

    def __init__(self, problem: SearchProblem, seed: int, options: PredictorHalvingOptions | None = None) -> None:
        options = options or PredictorHalvingOptions()
        super().__init__(problem, seed, options)
        self._options = options
        self._rungs = rungs_with_finalists(problem.fidelities, problem.evaluations, options.finalists)
        self._initial = max(_LEAST_DESIGN, math.ceil(options.initial_share * self._rungs[0][0]))
        self._brackets = Brackets([self._rungs])
        self._fitted: tuple[tuple[int, int], Ridge] | None = None
        self._design: list[Genotype] | None = None

    @property
    def awaits_scores(self) -> bool:
        return self._brackets.awaits_scores(self)

    def next_trial(self) -> Trial:
        return self._brackets.next_trial(self, self._new_genotype)

    def revised(self) -> None:
        self._fitted = None  # costs are features

    def own_state(self) -> dict[str, Any]:
        return {"brackets": self._brackets.state(), "design": self._design}

    def restore_own_state(self, state: dict[str, Any]) -> None:
        self._brackets.restore(state["brackets"])
        design = state["design"]
        self._design = None if design is None else [tuple(genotype) for genotype in design]

    def _new_genotype(self) -> Genotype:
        genotype = self.next_initial()
        told, pending = self._lowest()
        proposing = len(told) >= _LEAST_TO_FIT and len(told) + len(pending) >= self._initial
        if genotype is None and proposing:
            pool = candidate_pool(self, self._options.random_candidates, self._options.best_candidates, draw=self._draw)
            if pool:
                genotype = self._climb(pool)
                self.candidates.take(genotype)
        if genotype is None and not proposing:
            genotype = next((g for g in self._spread() if self.candidates.take(g)), None)
        return genotype or self.fresh(self.random_genotype)

    def _draw(self) -> Genotype:
        initial, share = self.problem.initial, self._options.near_initial
        if not initial or share == 0 or self.rng.random() >= share:
            return self.random_genotype()
        return self.problem.space.mutate(initial[int(self.rng.integers(len(initial)))], self.rng, rate=0.0)

    def _spread(self) -> list[Genotype]:
        """What enters before the first fit; more than that, for what is asked before the last of it is told."""
        if self._design is None:
            drawn = [self._draw() for _ in range(self._options.initial_candidates)]
            feasible = self.candidates.new(drawn)
            wanted = 2 * self._initial
            kept = max(wanted, len(feasible) - int(self._options.initial_left_out * len(feasible)))
            filling = filling_most(feasible, self.problem.costs, kept)
            self._design = spread_over_costs(filling, self.problem.costs, wanted)
        return self._design

    def _climb(self, pool: list[Genotype]) -> Genotype:
        """The candidate of the highest acquisition, after climbing from the best ones to their neighbours."""
        values, known = self._improvement(pool), set(pool)
        for _ in range(self._options.climbs):
            best = [pool[position] for position in np.argsort(-values, kind="stable")[: self._options.best_candidates]]
            near = [g for g in self.candidates.new(neighbours_of(self, best)) if g not in known]
            if not near or (found := self._improvement(near)).max() <= values.max():
                break
            pool, values, known = [*pool, *near], np.concatenate([values, found]), known.union(near)
        return pool[int(np.argmax(values))]

    def _lowest(self) -> tuple[list[Observation], list[Genotype]]:
        """What was told at the lowest fidelity, and what is pending there."""
        lowest = self._rungs[0][1]
        return (
            [observation for observation in self.ledger.told if observation.trial.fidelity == lowest],
            [trial.genotype for trial in self.ledger.pending if trial.fidelity == lowest],
        )

    def _improvement(self, pool: list[Genotype]) -> np.ndarray:
        """Expected improvement of each over the best at the lowest fidelity.

        What is pending counts as if it had scored what was expected (the Kriging believer of Ginsbourger et al. 2010),
        so that networks that are trained side by side are not all alike.
        """
        told, pending = self._lowest()
        asked = (len(told), len(pending))
        if self._fitted is None or self._fitted[0] != asked:
            features = self._features([observation.genotype for observation in told])
            scores = np.array([observation.score for observation in told])
            ridge = Ridge(features, scores)
            if pending:
                awaited = self._features(pending)
                believed, _ = ridge.predict(awaited)
                ridge = Ridge(np.vstack([features, awaited]), np.concatenate([scores, believed]))
            self._fitted = (asked, ridge)
        mean, deviation = self._fitted[1].predict(self._features(pool))
        return expected_improvement(mean, deviation + 1e-12, incumbent(told))

    def _features(self, genotypes: list[Genotype]) -> np.ndarray:
        """[n, d]: what networks are like, or else their choices, one-hot, and the logarithm of each cost."""
        problem = self.problem
        described = [list(problem.describe(genotype).values()) for genotype in genotypes]
        costs = [list(problem.costs(genotype).values()) for genotype in genotypes]
        features = np.array(described, dtype=np.float64).reshape(len(genotypes), -1)
        if features.shape[1] == 0:
            features = encode(problem.space, genotypes, "one-hot")
        return np.hstack([features, np.log1p(np.array(costs, dtype=np.float64).reshape(len(genotypes), -1))])


def rungs_with_finalists(fidelities: tuple[float, ...], evaluations: int, finalists: int) -> Rungs:
    """Rungs below the highest that share alike what `finalists` full evaluations leave of the budget.

    Returns:
        How many networks at which fidelity, from the lowest on; never more than on the rung below, and at least one.
    """
    if len(fidelities) == 1:
        return ((evaluations, fidelities[0]),)
    finalists = min(finalists, max(1, evaluations - 1))
    share = (evaluations - finalists) / (len(fidelities) - 1)
    rungs: list[tuple[int, float]] = []
    for fidelity in fidelities:
        wanted = finalists if fidelity == fidelities[-1] else max(1, math.floor(share / fidelity + 1e-9))
        rungs.append((min(wanted, rungs[-1][0]) if rungs else wanted, fidelity))
    return tuple(rungs)
