"""The tree-structured Parzen estimator.

Optuna has one, but its sampler keeps random numbers in a private place and draws a number of them that depends on how
often hard constraints rejected what it drew, so a study rebuilt from told scores does not continue as the first would
have. Over discrete variables the estimator is short.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from pydantic import Field

from tinynas.search._base import BaseStrategy
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import SearchProblem, Trial
from tinynas.search.surrogates._parzen import IndependentParzen
from tinynas.search.surrogates._places import places_of
from tinynas.spaces import Genotype

_DRAWS_PER_CANDIDATE = 20  # a draw that does not fit or is not new is drawn again, so often at most


class TpeOptions(StrategyOptions):
    """Options of `TpeSearch`.

    Attributes:
        initial: random networks before the first estimate.
        good_share: gamma, the share of scores that count as good. Bergstra et al. take 0.15 of hundreds; of a few dozen
            that leaves too few to count (`benchmarks/strategies.py`).
        candidates: networks drawn from the density of the good ones, of which the best ratio is asked.
        prior_weight: how many observations of each value the uniform prior counts as.
        bandwidth: how far an observation of an ordinal value counts for its neighbours.
    """

    initial: Annotated[int, Field(ge=2)] = 10
    good_share: Annotated[float, Field(gt=0, lt=1)] = 0.25
    candidates: Annotated[int, Field(ge=1)] = 24
    prior_weight: Annotated[float, Field(gt=0)] = 1.0
    bandwidth: Annotated[float, Field(ge=0, lt=1)] = 0.3


class TpeSearch(BaseStrategy):
    """Draws networks from a density of the good ones, and asks for the one that is likeliest good rather than bad.

    With y* the `good_share` quantile of the scores, l(x) the density of networks beyond it and g(x) that of the rest,
    EI(x) is proportional to (gamma + (1 - gamma) g(x) / l(x))^-1: it grows with l / g (Bergstra et al. 2011, section 4
    and equation 2 there). What is asked but not told counts as bad, so that a batch does not ask for one thing,
    and so does what does not meet the constraints any more.

    Args:
        problem: what is searched.
        seed: the same seed and scores give the same sequence.
        options: sizes.
    """

    name = "tpe"

    def __init__(self, problem: SearchProblem, seed: int, options: TpeOptions | None = None) -> None:
        options = options or TpeOptions()
        super().__init__(problem, seed, options)
        self._options = options

    def next_trial(self) -> Trial:
        genotype = self.next_initial()
        if genotype is None and len(self.ledger.told) >= self._options.initial:
            genotype = self._likeliest_good()
        return Trial(genotype or self.fresh(self.random_genotype))

    def _likeliest_good(self) -> Genotype | None:
        told, ranked = self.ledger.told, self.ledger.ranked
        if not ranked:
            return None
        good = min(len(ranked), math.ceil(self._options.good_share * len(told)))
        scored = [observation.genotype for observation in ranked]
        infeasible = [observation.genotype for observation in told if not observation.feasible]
        rest = [*scored[good:], *infeasible, *(trial.genotype for trial in self.ledger.pending)]
        variables, options = self.problem.space.variables, self._options
        likely = IndependentParzen(variables, scored[:good], options.prior_weight, options.bandwidth)
        unlikely = IndependentParzen(variables, rest, options.prior_weight, options.bandwidth)
        drawn: dict[Genotype, None] = {}
        for _ in range(_DRAWS_PER_CANDIDATE * options.candidates):
            drawn.update(dict.fromkeys(self.candidates.new([likely.sample(self.rng)])))
            if len(drawn) == options.candidates:
                break
        if not drawn:
            return None
        pool = list(drawn)
        places = places_of(variables, pool)
        genotype = pool[int(np.argmax(likely.log_density(places) - unlikely.log_density(places)))]
        self.candidates.take(genotype)
        return genotype
