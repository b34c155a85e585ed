"""Random search: the baseline every strategy is reported against."""

from __future__ import annotations

from tinynas.search._base import BaseStrategy
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import SearchProblem
from tinynas.spaces import Genotype


class RandomSearch(BaseStrategy):
    """Random networks that meet the constraints, none twice (Bergstra and Bengio 2012).

    Of N feasible networks of which K are good, the median number of draws until the first good one is the least n
    with C(N - K, n) / C(N, n) <= 1/2.

    Args:
        problem: what is searched.
        seed: the same seed and scores give the same sequence.
        options: none.
    """

    name = "random"

    def __init__(self, problem: SearchProblem, seed: int, options: StrategyOptions | None = None) -> None:
        super().__init__(problem, seed, options or StrategyOptions())

    def propose(self) -> Genotype:
        return self.random_genotype()
