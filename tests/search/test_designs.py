"""The first networks of a search: spread over what networks cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinynas.search.strategies._pool import spread_over_costs
from tinynas.spaces import Genotype

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


def test_without_costs_the_first_are_taken() -> None:
    assert spread_over_costs([(3,), (1,), (2,)], lambda _: {}, 2) == [(3,), (1,)]
