"""Evolutionary search with mutation and crossover, as in MCUNet and Once-for-All."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from tinynas.search._base import BaseStrategy
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import SearchProblem, Trial
from tinynas.spaces import Genotype

Share = Annotated[float, Field(ge=0, le=1)]


class EvolutionOptions(StrategyOptions):
    """Options of `EvolutionarySearch`.

    Attributes:
        population: networks per generation. By default a thirtieth of the budget, as MCUNet (Lin et al. 2020) takes
            100 over 30 generations, but at least 10.
        parents: how many of the best breed; by default a fifth of the population, MCUNet's share, and at least 2.
        mutation_share: share of a generation that are mutations; the rest are crossovers.
        mutation_rate: probability that a mutation redraws a gene.
    """

    population: Annotated[int, Field(ge=2)] | None = None
    parents: Annotated[int, Field(ge=1)] | None = None
    mutation_share: Share = 0.5
    mutation_rate: Share = 0.1

    @model_validator(mode="after")
    def _parents_within_population(self) -> EvolutionOptions:
        if self.population is not None and self.parents is not None and self.parents > self.population:
            raise ValueError(f"parents ({self.parents}) must not exceed population ({self.population})")
        return self

    def sizes(self, evaluations: int) -> tuple[int, int]:
        """Population and parents under a budget."""
        population = self.population or max(10, evaluations // 30)
        return population, min(population, self.parents or max(2, population // 5))


class EvolutionarySearch(BaseStrategy):
    """Generations of `population` networks; the best of all scored so far are the parents of the next.

    The first generation is random. In each later one a share `mutation_share` are mutations of random parents, the
    rest uniform crossovers of two. MCUNet (Lin et al. 2020) takes a population of 100 over 30
    generations, parents the best 20, half and half, mutation rate 0.1. Children meet the constraints
    and are never repeated. A generation does not wait for scores: its parents are the best of those that were told
    when it begins and meet the constraints then; a revision chooses the parents again.

    Args:
        problem: what is searched; its initial networks are the first of the first generation.
        seed: the same seed and scores give the same sequence.
        options: sizes and rates.
    """

    name = "evolution"

    def __init__(self, problem: SearchProblem, seed: int, options: EvolutionOptions | None = None) -> None:
        options = options or EvolutionOptions()
        super().__init__(problem, seed, options)
        self._options = options
        self._population, self._parent_count = options.sizes(problem.evaluations)
        self._mutations = round(self._population * options.mutation_share)
        self._parents: list[Genotype] = []
        self._born = 0

    def next_trial(self) -> Trial:
        if self._born == self._population:
            self._parents = self._best()
            self._born = 0
        genotype = self.fresh(self.propose, repair_at_once=bool(self._parents))
        self._born += 1
        return Trial(genotype)

    def propose(self) -> Genotype:
        space = self.problem.space
        if not self._parents:
            return self.random_genotype()
        if self._born < self._mutations:
            return space.mutate(self._draw_parent(), self.rng, self._options.mutation_rate)
        return space.crossover(self._draw_parent(), self._draw_parent(), self.rng)

    def revised(self) -> None:
        if self._parents:
            self._parents = self._best()

    def own_state(self) -> dict[str, Any]:
        return {"generation": {"born": self._born, "parents": [list(genotype) for genotype in self._parents]}}

    def restore_own_state(self, state: dict[str, Any]) -> None:
        self._born = int(state["generation"]["born"])
        self._parents = [tuple(genotype) for genotype in state["generation"]["parents"]]

    def _best(self) -> list[Genotype]:
        return [observation.genotype for observation in self.ledger.ranked[: self._parent_count]]

    def _draw_parent(self) -> Genotype:
        return self._parents[int(self.rng.integers(len(self._parents)))]
