"""Annealing keeps the contract of all strategies."""

from __future__ import annotations

from tinynas.search import SearchProblem, SearchStrategy, build_strategy
from tinynas.testing import BaseStrategyTestCase


class TestAnnealing(BaseStrategyTestCase):
    """The strategy, by its name."""

    def strategy(self, problem: SearchProblem, seed: int) -> SearchStrategy:
        return build_strategy("annealing", problem, seed)
