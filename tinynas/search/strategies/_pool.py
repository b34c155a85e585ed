"""The networks among which a model chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from tinynas.search._base import BaseStrategy
from tinynas.search._problem import Costs, Observation
from tinynas.spaces import Genotype


def candidate_pool(
    strategy: BaseStrategy, random: int, best: int, draw: Callable[[], Genotype] | None = None
) -> list[Genotype]:
    """Feasible networks that were never asked, each once: random ones, and all neighbours of the best so far.

    Random networks keep a model from missing what is far away; neighbours are where the maximum of an acquisition is
    most often, and the only candidates that fit where constraints leave little (White et al. 2021 mutate the best).

    Args:
        strategy: whose ledger, random numbers and constraints count.
        random: how many random networks are drawn; those that do not fit are dropped.
        best: how many of the best have their neighbours looked at.
        draw: draws a random network; None: any of the space.
    """
    ranked = strategy.ledger.ranked
    draw = draw or strategy.random_genotype
    drawn = [draw() for _ in range(random)]
    near = neighbours_of(strategy, [observation.genotype for observation in ranked[:best]])
    return strategy.candidates.new(chain(drawn, near))


def neighbours_of(strategy: BaseStrategy, genotypes: Iterable[Genotype]) -> Iterator[Genotype]:
    """All that differ from one of `genotypes` in one choice."""
    return chain.from_iterable(map(strategy.problem.space.neighbours, genotypes))


def filling_most(genotypes: Sequence[Genotype], costs: Costs, count: int) -> list[Genotype]:
    """The `count` of `genotypes`, in their order, whose costs, each as a share of the largest, come to the most."""
    shares = _shares(genotypes, costs)
    if shares.size == 0:
        return list(genotypes[:count])
    order = np.argsort(-shares.sum(axis=1), kind="stable")
    return [genotypes[position] for position in sorted(order[:count])]


def _shares(genotypes: Sequence[Genotype], costs: Costs) -> np.ndarray:
    """[n, costs]: each cost as a share of the largest."""
    figures = np.array([list(costs(genotype).values()) for genotype in genotypes], dtype=np.float64)
    figures = figures.reshape(len(genotypes), figures.size // max(1, len(genotypes)))
    shares: np.ndarray = figures / np.maximum(np.abs(figures).max(axis=0, initial=0.0), 1e-300)
    return shares


def spread_over_costs(genotypes: Sequence[Genotype], costs: Costs, count: int) -> list[Genotype]:
    """Some of `genotypes` that fill the budget: each in turn the farthest from those chosen before it.

    Random networks cluster where most of a space is, at a fraction of what a board allows; the best are where little is
    left. Distances are Euclidean, between costs as shares of the largest of each (Kennard and Stone 1969); the first is
    the network of the largest costs.

    Args:
        genotypes: where to choose from.
        costs: of a genotype, by name; without any the first ones are taken.
        count: how many; all, if there are no more.
    """
    shares = _shares(genotypes, costs)
    if shares.size == 0:
        return list(genotypes[:count])
    chosen = [int(np.argmax(shares.sum(axis=1)))]
    distance = np.full(len(genotypes), np.inf)
    while len(chosen) < min(count, len(genotypes)):
        distance = np.minimum(distance, np.linalg.norm(shares - shares[chosen[-1]], axis=1))
        distance[chosen[-1]] = -np.inf
        chosen.append(int(np.argmax(distance)))
    return [genotypes[position] for position in chosen]


def incumbent(told: Sequence[Observation]) -> float:
    """f*, the score to improve on: the best of what meets the constraints.

    Where a revision left nothing that does, anything feasible is an improvement: then it is the lowest score.
    """
    feasible = [observation.score for observation in told if observation.feasible]
    return max(feasible) if feasible else min(observation.score for observation in told)
