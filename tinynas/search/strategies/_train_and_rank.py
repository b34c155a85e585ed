"""Train on T, rank N >> T."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from tinynas.evaluation.regressors import MlpEnsemble
from tinynas.search._base import BaseStrategy
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import SearchProblem, Trial
from tinynas.search.strategies._predictor import EncodingName
from tinynas.spaces import Genotype
from tinynas.spaces.encodings import encode


class TrainAndRankOptions(StrategyOptions):
    """Options of `TrainAndRank`.

    Attributes:
        train: T, random networks to fit the predictor to; by default half of the budget, and at least 2.
        rank: N, random networks that the predictor ranks.
        encoding: of genotypes.
        members: networks of the ensemble whose mean ranks.
        hidden: units of each.
    """

    train: Annotated[int, Field(ge=2)] | None = None
    rank: Annotated[int, Field(ge=1)] = 10_000
    encoding: EncodingName = "one-hot"
    members: Annotated[int, Field(ge=1)] = 5
    hidden: Annotated[int, Field(ge=1)] = 32


class TrainAndRank(BaseStrategy):
    """Neural Predictor (Wen et al. 2020): score T random networks, fit a predictor once, score the best of N in order.

    Which is the k-th to be asked after the first T is the k-th of N random networks by the predicted score; nothing
    is learned from what they score. The paper's predictor is a graph network; here an ensemble of perceptrons.

    Args:
        problem: what is searched.
        seed: the same seed and scores give the same sequence.
        options: T, N and the predictor.
    """

    name = "train-and-rank"

    def __init__(self, problem: SearchProblem, seed: int, options: TrainAndRankOptions | None = None) -> None:
        options = options or TrainAndRankOptions()
        super().__init__(problem, seed, options)
        self._options = options
        self._seed = seed
        self._train = options.train or max(2, problem.evaluations // 2)
        self._ranking: list[Genotype] | None = None

    def next_trial(self) -> Trial:
        genotype = self.next_initial()
        if genotype is None and len(self.ledger.told) >= self._train:
            if self._ranking is None:
                self._ranking = self._rank()
            genotype = next((g for g in self._ranking if self.candidates.take(g)), None)
        return Trial(genotype or self.fresh(self.random_genotype))

    def revised(self) -> None:
        self._ranking = None

    def _rank(self) -> list[Genotype]:
        """N networks by their predicted score, best first: a function of the seed and the first T scores."""
        space, options, told = self.problem.space, self._options, self.ledger.told[: self._train]
        rng = np.random.default_rng((self._seed, self._train))
        features = encode(space, [observation.genotype for observation in told], options.encoding)
        scores = np.array([observation.score for observation in told])
        ensemble = MlpEnsemble(features, scores, rng, members=options.members, hidden=options.hidden)
        drawn = list(dict.fromkeys(space.sample(rng) for _ in range(options.rank)))
        fitting = [genotype for genotype in drawn if not self.problem.constraint(genotype)]
        if not fitting:
            return []
        predicted, _ = ensemble.predict(encode(space, fitting, options.encoding))
        return [fitting[int(i)] for i in np.argsort(-predicted, kind="stable")]
