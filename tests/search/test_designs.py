"""The first networks of a search: spread over what networks cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinynas.search import SearchProblem
from tinynas.search.strategies._pool import filling_most, spread_over_costs
from tinynas.search.strategies._predictor_halving import PredictorHalving, PredictorHalvingOptions
from tinynas.spaces import Genotype, load_space

PLACES = np.random.default_rng(0).beta(1, 6, (300, 2))  # most are small, as random networks are


def costs(genotype: Genotype) -> Mapping[str, float]:
    x, y = PLACES[genotype[0]]
    return {"macs": 1e6 * float(x), "flash": 1e4 * float(y)}


def test_they_fill_the_budget_where_random_ones_cluster() -> None:
    genotypes = [(i,) for i in range(300)]
    chosen = spread_over_costs(genotypes, costs, 12)
    assert len(set(chosen)) == 12
    shares = PLACES / PLACES.max(axis=0)
    assert chosen[0] == (int(np.argmax(shares.sum(axis=1))),)

    def farthest(of: list[Genotype]) -> float:
        """How far the worst served network is from the nearest of `of`."""
        places = shares[[g[0] for g in of]]
        return float(np.linalg.norm(shares[:, None] - places[None], axis=2).min(axis=1).max())

    drawn = [farthest([genotypes[i] for i in np.random.default_rng(s).permutation(300)[:12]]) for s in range(50)]
    assert farthest(chosen) < min(drawn)


def test_no_more_than_there_are_and_each_once() -> None:
    genotypes = [(i,) for i in range(5)]
    assert sorted(spread_over_costs(genotypes, costs, 9)) == genotypes
    alike = spread_over_costs(genotypes, lambda _: {"macs": 7.0}, 3)
    assert len(set(alike)) == 3


def test_those_of_the_most_costs_are_kept_in_their_order() -> None:
    genotypes = [(i,) for i in reversed(range(300))]
    filling = filling_most(genotypes, costs, 225)
    assert len(filling) == 225
    assert filling == [genotype for genotype in genotypes if genotype in set(filling)]
    sums = (PLACES / PLACES.max(axis=0)).sum(axis=1)
    left_out = {g[0] for g in genotypes} - {g[0] for g in filling}
    assert max(sums[sorted(left_out)]) <= min(sums[[g[0] for g in filling]])
    assert filling_most(genotypes, costs, 300) == genotypes
    assert filling_most(genotypes, lambda _: {}, 2) == genotypes[:2]
    assert filling_most([], costs, 5) == []


def test_without_costs_the_first_are_taken() -> None:
    assert spread_over_costs([(3,), (1,), (2,)], lambda _: {}, 2) == [(3,), (1,)]


def test_climbing_finds_what_no_neighbour_beats() -> None:
    """Few random networks seldom hold the maximum of the acquisition; from neighbour to neighbour it is near."""
    space = load_space("tiny")

    def score(genotype: Genotype) -> float:
        return float(sum(genotype))

    def highest(climbs: int) -> tuple[float, float]:
        """The acquisition of what is asked after the first fit, and the highest among its neighbours."""
        problem = SearchProblem(space, lambda _: (), 12, costs=lambda genotype: {"sum": score(genotype)})
        options = PredictorHalvingOptions(initial_share=0.7, random_candidates=5, best_candidates=1, climbs=climbs)
        strategy = PredictorHalving(problem, 0, options)
        for _ in range(9):
            trial = strategy.ask()
            strategy.tell(trial, score(trial.genotype))
        asked = strategy.ask().genotype
        values = strategy._improvement([asked, *space.neighbours(asked)])
        return float(values[0]), float(values[1:].max())

    climbed, above = highest(climbs=200)
    assert climbed >= above - 1e-9
    assert climbed > highest(climbs=0)[0]
