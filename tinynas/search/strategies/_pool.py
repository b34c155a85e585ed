"""The networks among which a model chooses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from tinynas.search._base import BaseStrategy
from tinynas.search._problem import Observation
from tinynas.spaces import Genotype


def candidate_pool(strategy: BaseStrategy, random: int, best: int) -> list[Genotype]:
    """Feasible networks that were never asked, each once: random ones, and all neighbours of the best so far.

    Random networks keep a model from missing what is far away; neighbours are where the maximum of an acquisition is
    most often, and the only candidates that fit where constraints leave little (White et al. 2021 mutate the best).

    Args:
        strategy: whose ledger, random numbers and constraints count.
        random: how many random networks are drawn; those that do not fit are dropped.
        best: how many of the best have their neighbours looked at.
    """
    space = strategy.problem.space
    ranked = strategy.ledger.ranked
    drawn = [space.sample(strategy.rng) for _ in range(random)]
    near = chain.from_iterable(space.neighbours(observation.genotype) for observation in ranked[:best])
    return strategy.candidates.new(chain(drawn, near))


def incumbent(told: Sequence[Observation]) -> float:
    """f*, the score to improve on: the best of what meets the constraints.

    Where a revision left nothing that does, anything feasible is an improvement: then it is the lowest score.
    """
    feasible = [observation.score for observation in told if observation.feasible]
    return max(feasible) if feasible else min(observation.score for observation in told)
