"""Evolutionary search with mutation and crossover, as in MCUNet and Once-for-All."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from tinynas.search._candidates import Candidates
from tinynas.search._ledger import Ledger, reading_state
from tinynas.search._strategy import Constraint, StrategyError
from tinynas.spaces import Genotype, SearchSpace


class EvolutionarySearch:
    """Generations of `population` networks; the best of all scored so far are the parents of the next.

    The first generation is random. In each later one a share `mutation_share` are mutations of random parents, the
    rest uniform crossovers of two. MCUNet (Lin et al. 2020) takes a population of 100 over 30
    generations, parents the best 20, half and half, mutation rate 0.1: the defaults. Children meet the constraints
    and are never repeated. A generation does not wait for scores: its parents are the best of those that were told
    when it begins and meet the constraints then.

    Args:
        space: the search space.
        constraint: hard constraints; see `Constraint`.
        seed: the same seed and scores give the same sequence.
        population: networks per generation.
        parents: how many of the best breed.
        mutation_share: share of a generation that are mutations.
        mutation_rate: probability that a mutation redraws a gene.
        initial: genotypes of the first generation that are known to be worth a look, best first; the rest of it is
            random. Those that do not meet the constraints are passed over.

    Raises:
        StrategyError: an argument is out of range.
    """

    def __init__(
        self,
        space: SearchSpace,
        constraint: Constraint,
        seed: int,
        *,
        population: int = 100,
        parents: int = 20,
        mutation_share: float = 0.5,
        mutation_rate: float = 0.1,
        initial: Sequence[Genotype] = (),
    ) -> None:
        if population < 2 or not 1 <= parents <= population:
            raise StrategyError(
                f"evolution needs a population of at least 2 and between 1 and as many parents, "
                f"got population {population} and parents {parents}"
            )
        if not (0 <= mutation_share <= 1 and 0 <= mutation_rate <= 1):
            raise StrategyError("mutation_share and mutation_rate must lie between 0 and 1")
        self._space = space
        self._constraint = constraint
        self._rng = np.random.default_rng(seed)
        self._candidates = Candidates(space, constraint)
        self._ledger = Ledger(
            "evolution",
            space,
            {
                "seed": seed,
                "population": population,
                "parents": parents,
                "mutation_share": mutation_share,
                "mutation_rate": mutation_rate,
                "initial": [list(genotype) for genotype in initial],
            },
        )
        self._population = population
        self._parent_count = parents
        self._mutations = round(population * mutation_share)
        self._mutation_rate = mutation_rate
        self._initial = tuple(initial)
        self._parents: list[Genotype] = []
        self._born = 0

    @property
    def scored(self) -> Sequence[tuple[Genotype, float]]:
        """Every genotype told so far with its score, in the order told."""
        return self._ledger.told

    def ask(self) -> Genotype:
        """See `SearchStrategy.ask`."""
        again = self._ledger.asked_again()
        if again is not None:
            return again
        if self._born == self._population:
            self._parents = list(islice(self._best_that_fit(), self._parent_count))
            self._born = 0
        genotype = self._next_initial()
        if genotype is not None:
            self._candidates.seen.add(genotype)
        else:
            genotype = self._candidates.fresh(self._propose, self._rng, repair_at_once=bool(self._parents))
        self._born += 1
        self._ledger.ask(genotype)
        return genotype

    def tell(self, genotype: Genotype, score: float) -> None:
        """See `SearchStrategy.tell`."""
        self._ledger.tell(genotype, score)

    def state(self) -> dict[str, Any]:
        """See `SearchStrategy.state`."""
        return {
            **self._ledger.state(self._rng),
            "generation": {"born": self._born, "parents": [list(genotype) for genotype in self._parents]},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """See `SearchStrategy.restore`."""
        self._ledger.restore(state, self._rng)
        self._candidates.seen = self._ledger.asked
        with reading_state():
            self._born = int(state["generation"]["born"])
            self._parents = [tuple(genotype) for genotype in state["generation"]["parents"]]

    def _next_initial(self) -> Genotype | None:
        if self._parents:
            return None
        seen = self._candidates.seen
        return next((g for g in self._initial if g not in seen and not self._constraint(g)), None)

    def _propose(self) -> Genotype:
        if not self._parents:
            return self._space.sample(self._rng)
        if self._born < self._mutations:
            return self._space.mutate(self._draw_parent(), self._rng, self._mutation_rate)
        return self._space.crossover(self._draw_parent(), self._draw_parent(), self._rng)

    def _best_that_fit(self) -> Iterator[Genotype]:
        """Told genotypes, best first; of equal scores the one told first (sorted() is stable).

        Constraints are checked again, because they may have tightened since: measurements refine the latency model.
        """
        for genotype, _ in sorted(self._ledger.told, key=lambda entry: -entry[1]):
            if not self._constraint(genotype):
                yield genotype

    def _draw_parent(self) -> Genotype:
        return self._parents[int(self._rng.integers(len(self._parents)))]
