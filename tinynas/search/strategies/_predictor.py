"""Predictor-guided search: an ensemble of networks predicts scores, and chooses what is scored next."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tinynas.evaluation.regressors import MlpEnsemble
from tinynas.search._base import BaseStrategy
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import SearchProblem, Trial
from tinynas.search.strategies._pool import candidate_pool, incumbent
from tinynas.search.surrogates._gaussian_process import expected_improvement
from tinynas.spaces import Genotype
from tinynas.spaces.encodings import encode

EncodingName = Literal["one-hot", "ordinal", "adjacency", "path"]


class PredictorOptions(StrategyOptions):
    """Options of `PredictorSearch`.

    Attributes:
        initial: random networks before the first fit.
        batch: networks that are chosen by one fit.
        acquisition: `its`, independent Thompson sampling, or `ei`, expected improvement.
        encoding: of genotypes.
        members: networks of the ensemble.
        hidden: units of each.
        random_candidates: random networks among which the acquisition is maximized, beside neighbours.
        best_candidates: of how many of the best all neighbours are candidates.
    """

    initial: Annotated[int, Field(ge=2)] = 15
    batch: Annotated[int, Field(ge=1)] = 5
    acquisition: Literal["its", "ei"] = "its"
    encoding: EncodingName = "one-hot"
    members: Annotated[int, Field(ge=2)] = 5
    hidden: Annotated[int, Field(ge=1)] = 32
    random_candidates: Annotated[int, Field(ge=1)] = 500
    best_candidates: Annotated[int, Field(ge=1)] = 3


class PredictorSearch(BaseStrategy):
    """BANANAS (White, Neiswanger, Savani 2021): an ensemble of neural predictors and independent Thompson sampling.

    The acquisition of a candidate is a draw from N(m(x), s(x)^2), the mean and the standard deviation of the members'
    predictions (their section on acquisition functions); the largest is asked. Candidates are random networks and the
    neighbours of the best, where the paper mutates the best. Features are an encoding of the space.

    Args:
        problem: what is searched.
        seed: the same seed and scores give the same sequence.
        options: sizes.
    """

    name = "predictor"

    def __init__(self, problem: SearchProblem, seed: int, options: PredictorOptions | None = None) -> None:
        options = options or PredictorOptions()
        super().__init__(problem, seed, options)
        self._options = options
        self._seed = seed
        self._fitted: tuple[int, MlpEnsemble] | None = None

    def next_trial(self) -> Trial:
        genotype = self.next_initial()
        if genotype is None and len(self.ledger.told) >= self._options.initial:
            pool = candidate_pool(self, self._options.random_candidates, self._options.best_candidates)
            if pool:
                genotype = pool[int(np.argmax(self._acquisition(pool)))]
                self.candidates.take(genotype)
        return Trial(genotype or self.fresh(self.random_genotype))

    def revised(self) -> None:
        self._fitted = None

    def _acquisition(self, pool: list[Genotype]) -> np.ndarray:
        ensemble = self._ensemble()
        mean, deviation = ensemble.predict(encode(self.problem.space, pool, self._options.encoding))
        if self._options.acquisition == "ei":
            return expected_improvement(mean, deviation + 1e-12, incumbent(self.ledger.told))
        return self.rng.normal(mean, deviation)

    def _ensemble(self) -> MlpEnsemble:
        """The ensemble fitted to the first n scores, n the last multiple of the batch: a function of what was told."""
        told, options = self.ledger.told, self._options
        n = options.initial + (len(told) - options.initial) // options.batch * options.batch
        if self._fitted is None or self._fitted[0] != n:
            features = encode(self.problem.space, [observation.genotype for observation in told[:n]], options.encoding)
            scores = np.array([observation.score for observation in told[:n]])
            rng = np.random.default_rng((self._seed, n))
            ensemble = MlpEnsemble(features, scores, rng, members=options.members, hidden=options.hidden)
            self._fitted = (n, ensemble)
        return self._fitted[1]
