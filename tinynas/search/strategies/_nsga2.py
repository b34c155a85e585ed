"""NSGA-II: evolution towards the front of score and costs."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from tinynas.search._base import BaseStrategy
from tinynas.search._dominance import crowded_order
from tinynas.search._errors import StrategyError
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import SearchProblem, Trial
from tinynas.spaces import Genotype


class Nsga2Options(StrategyOptions):
    """Options of `Nsga2`.

    Attributes:
        population: networks per generation, by default a tenth of the budget, but between 10 and 100, which Deb et al.
            take over 250 generations.
        crossover_share: probability that a child has two parents (Deb et al.: 0.9).
        mutation_rate: probability that a variable of a child is redrawn; by default 1 over the number of variables, as
            in the paper.
    """

    population: Annotated[int, Field(ge=4)] | None = None
    crossover_share: Annotated[float, Field(ge=0, le=1)] = 0.9
    mutation_rate: Annotated[float, Field(ge=0, le=1)] | None = None


class Nsga2(BaseStrategy):
    """The fast elitist non-dominated sorting genetic algorithm (Deb et al. 2002) over score and `problem.objectives`.

    x dominates y if it is nowhere worse and somewhere better. The next population is the best of the last one and its
    children under the crowded comparison: x before y if rank(x) < rank(y), or if their ranks are equal and the
    crowding distance of x is larger. Parents win a tournament of two under the same order. Lu et al. 2019 (NSGA-Net)
    search architectures so. A generation does not wait for scores: who is told late joins the next one. A revision
    selects again from all that took part so far.

    Args:
        problem: what is searched; without objectives it is a search for the score alone.
        seed: the same seed and scores give the same sequence.
        options: sizes and rates.

    Raises:
        StrategyError: the costs of a network lack one of the objectives.
    """

    name = "nsga2"

    def __init__(self, problem: SearchProblem, seed: int, options: Nsga2Options | None = None) -> None:
        options = options or Nsga2Options()
        super().__init__(problem, seed, options)
        self._size = options.population or min(100, max(10, problem.evaluations // 10))
        self._crossover_share = options.crossover_share
        rate = options.mutation_rate
        self._mutation_rate = 1 / max(1, len(problem.space.variables)) if rate is None else rate
        self._parents: list[Genotype] = []  # best first
        self._merged = 0  # how many of the told took part in the selection of the parents
        self._born = 0

    def next_trial(self) -> Trial:
        if self._born >= self._size and self._merged < len(self.ledger.told):
            self._select()
        genotype = self.fresh(self.propose, repair_at_once=bool(self._parents))
        self._born += 1
        return Trial(genotype)

    def propose(self) -> Genotype:
        space = self.problem.space
        if not self._parents:
            return self.random_genotype()
        child = self._winner()
        if self.rng.random() < self._crossover_share:
            child = space.crossover(child, self._winner(), self.rng)
        # `mutate` changes at least one variable, which a rate of 1 / n does in 1 - 1 / e of all children.
        if self.rng.random() < 1 - (1 - self._mutation_rate) ** len(space.variables):
            child = space.mutate(child, self.rng, self._mutation_rate)
        return child

    def _winner(self) -> Genotype:
        """The better of two parents drawn at random; they stand best first."""
        return self._parents[int(self.rng.integers(len(self._parents), size=2).min())]

    def revised(self) -> None:
        self._parents = self._best([observation.genotype for observation in self.ledger.told[: self._merged]])

    def _select(self) -> None:
        joined = [*self._parents, *(observation.genotype for observation in self.ledger.told[self._merged :])]
        self._parents = self._best(joined)
        self._merged = len(self.ledger.told)
        self._born = 0

    def _best(self, joined: list[Genotype]) -> list[Genotype]:
        """A population of the feasible ones among what was told, best first."""
        scores = {observation.genotype: observation.score for observation in self.ledger.feasible}
        joined = [genotype for genotype in joined if genotype in scores]
        objectives = np.array([[-scores[genotype], *self._costs(genotype)] for genotype in joined])
        return [joined[i] for i in crowded_order(objectives)[: self._size]] if joined else []

    def _costs(self, genotype: Genotype) -> list[float]:
        costs = self.problem.costs(genotype)
        missing = [name for name in self.problem.objectives if name not in costs]
        if missing:
            raise StrategyError(f"nothing is known of the objective {', '.join(missing)}; known: {', '.join(costs)}")
        return [float(costs[name]) for name in self.problem.objectives]

    def own_state(self) -> dict[str, Any]:
        return {
            "generation": {
                "parents": [list(genotype) for genotype in self._parents],
                "merged": self._merged,
                "born": self._born,
            }
        }

    def restore_own_state(self, state: dict[str, Any]) -> None:
        generation = state["generation"]
        self._parents = [tuple(genotype) for genotype in generation["parents"]]
        self._merged, self._born = int(generation["merged"]), int(generation["born"])
