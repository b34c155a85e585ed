"""Bayesian optimization with a Gaussian process."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from tinynas.search._base import BaseStrategy
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import Observation, SearchProblem, Trial
from tinynas.search.strategies._pool import candidate_pool, incumbent
from tinynas.search.surrogates._gaussian_process import GaussianProcess, Hyperparameters, expected_improvement
from tinynas.search.surrogates._places import places_of

_GROWTH = 1.1  # lengths are fitted again when there are a tenth more scores: fitting is most of the time


class GaussianProcessOptions(StrategyOptions):
    """Options of `GaussianProcessSearch`.

    Attributes:
        initial: random networks before the first fit.
        random_candidates: random networks among which expected improvement is maximized, beside neighbours.
        best_candidates: of how many of the best all neighbours are candidates.
        most_observations: the process is fitted to as many of the best scores at most: time grows with their cube.
    """

    initial: Annotated[int, Field(ge=2)] = 10
    random_candidates: Annotated[int, Field(ge=1)] = 500
    best_candidates: Annotated[int, Field(ge=1)] = 3
    most_observations: Annotated[int, Field(ge=10)] = 400


class GaussianProcessSearch(BaseStrategy):
    """Asks for the network of largest expected improvement under a Gaussian process of the score.

    EI(x) = (m(x) - f*) Phi(z) + s(x) phi(z), z = (m(x) - f*) / s(x), where m and s are the posterior of
    `GaussianProcess` and f* is the best feasible score (Mockus 1975; Jones, Schonlau and Welch 1998, equation 15). What
    is asked but not told counts as if it had scored m (Ginsbourger et al. 2010, the kriging believer). Kandasamy et al.
    2018 (NASBOT) and Ru et al. 2021 (NAS-BOWL) search architectures so, with kernels of graphs; here it is one of
    variables.

    Args:
        problem: what is searched.
        seed: the same seed and scores give the same sequence.
        options: sizes.
    """

    name = "gaussian-process"

    def __init__(self, problem: SearchProblem, seed: int, options: GaussianProcessOptions | None = None) -> None:
        options = options or GaussianProcessOptions()
        super().__init__(problem, seed, options)
        self._options = options
        self._fitted: tuple[int, Hyperparameters] | None = None

    def next_trial(self) -> Trial:
        genotype = self.next_initial()
        if genotype is None and len(self.ledger.told) >= self._options.initial:
            pool = candidate_pool(self, self._options.random_candidates, self._options.best_candidates)
            if pool:
                process = self._process()
                places = places_of(self.problem.space.variables, pool)
                improvement = expected_improvement(*process.predict(places), incumbent(self.ledger.told))
                genotype = pool[int(np.argmax(improvement))]
                self.candidates.take(genotype)
        return Trial(genotype or self.fresh(self.random_genotype))

    def revised(self) -> None:
        self._fitted = None

    def _process(self) -> GaussianProcess:
        """The posterior given everything told, and what is pending as if it had scored what was expected."""
        hyperparameters = self._hyperparameters()
        process = self._posterior(self.ledger.told, hyperparameters)
        if not self.ledger.pending:
            return process
        pending = list(self.ledger.pending)
        means, _ = process.predict(places_of(self.problem.space.variables, [trial.genotype for trial in pending]))
        believed = [Observation(trial, float(mean)) for trial, mean in zip(pending, means, strict=True)]
        return self._posterior([*self.ledger.told, *believed], hyperparameters)

    def _hyperparameters(self) -> Hyperparameters:
        """Those fitted to the first n scores, the largest n of a sequence that everything told reaches.

        So they follow from what was told, and a resumed search has the same.
        """
        n = following = self._options.initial
        while following <= len(self.ledger.told):
            n, following = following, max(following + 1, int(following * _GROWTH))
        if self._fitted is None or self._fitted[0] != n:
            self._fitted = (n, self._posterior(self.ledger.told[:n], None).hyperparameters)
        return self._fitted[1]

    def _posterior(self, observations: list[Observation], hyperparameters: Hyperparameters | None) -> GaussianProcess:
        kept = sorted(observations, key=lambda observation: -observation.score)[: self._options.most_observations]
        variables = self.problem.space.variables
        return GaussianProcess(
            variables,
            places_of(variables, [observation.genotype for observation in kept]),
            np.array([observation.score for observation in kept]),
            np.array([(observation.deviation or 0.0) ** 2 for observation in kept]),
            hyperparameters,
        )
