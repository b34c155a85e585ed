"""Regularized evolution: the oldest leave, not the worst."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from tinynas.search._base import BaseStrategy
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import SearchProblem
from tinynas.spaces import Genotype


class AgingEvolutionOptions(StrategyOptions):
    """Options of `AgingEvolution`.

    Attributes:
        population: P, how many of the networks told last are alive. Real et al. take 100 of 20,000 evaluations; by
            default it is a tenth of the budget, but between 10 and 100.
        sample: S, of how many of them drawn at random the best is the parent; by default half of the population. The
            paper's quarter selects too little for a few hundred evaluations (`benchmarks/strategies.py`).
    """

    population: Annotated[int, Field(ge=2)] | None = None
    sample: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _sample_within_population(self) -> AgingEvolutionOptions:
        if self.population is not None and self.sample is not None and self.sample > self.population:
            raise ValueError(f"sample ({self.sample}) must not exceed population ({self.population})")
        return self

    def sizes(self, evaluations: int) -> tuple[int, int]:
        """Population and sample under a budget."""
        population = self.population or min(100, max(10, evaluations // 10))
        return population, min(population, self.sample or population // 2)


class AgingEvolution(BaseStrategy):
    """Aging evolution (Real et al. 2019, algorithm 1): a queue of P networks, each child a mutation of one variable.

    The parent is the best of S drawn from the queue at random, parent = argmax_{x in sample(P, S)} score(x); the child
    joins the queue when it is told, and the oldest leaves. So a network that was lucky once does not live for ever. One
    that a revision finds infeasible leaves at once.

    Args:
        problem: what is searched; its initial networks belong to the first P.
        seed: the same seed and scores give the same sequence.
        options: sizes.
    """

    name = "aging-evolution"

    def __init__(self, problem: SearchProblem, seed: int, options: AgingEvolutionOptions | None = None) -> None:
        options = options or AgingEvolutionOptions()
        super().__init__(problem, seed, options)
        self._population, self._sample = options.sizes(problem.evaluations)

    def propose(self) -> Genotype:
        alive = self.ledger.feasible[-self._population :]
        if len(self.ledger.told) < self._population or not alive:
            return self.random_genotype()
        drawn = self.rng.choice(len(alive), min(self._sample, len(alive)), replace=False)
        parent = max((alive[int(i)] for i in drawn), key=lambda observation: observation.score)
        return self.problem.space.mutate(parent.genotype, self.rng, rate=0.0)
