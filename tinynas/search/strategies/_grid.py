"""Grid search: every network."""

from __future__ import annotations

from collections.abc import Iterator

from tinynas.search._base import BaseStrategy
from tinynas.search._errors import StrategyError
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import SearchProblem, Trial
from tinynas.spaces import Genotype

# Counting what fits looks at every network: a second or so up to here.
_COUNTABLE = 50_000


class GridSearch(BaseStrategy):
    """Every network that meets the constraints, exactly once, in the order of the space: argmax over all of it.

    The seed changes nothing.

    Args:
        problem: what is searched; its budget must hold all of it.
        seed: of no effect.
        options: none.

    Raises:
        StrategyError: there are more feasible networks than the budget has evaluations.
    """

    name = "grid"

    def __init__(self, problem: SearchProblem, seed: int, options: StrategyOptions | None = None) -> None:
        super().__init__(problem, seed, options or StrategyOptions())
        size = problem.space.size()
        networks = f"space {problem.space.name!r} has {size} networks"
        if size > problem.evaluations and size <= _COUNTABLE:
            size = sum(not problem.constraint(genotype) for genotype in problem.space.enumerate())
            networks += f", {size} of which meet the constraints"
        if size > problem.evaluations:
            raise StrategyError(
                f"{networks}: grid search needs a budget of as many evaluations, not {problem.evaluations}; "
                "raise it, or take another strategy"
            )
        self._rest: Iterator[Genotype] = problem.space.enumerate()

    def next_trial(self) -> Trial:
        genotype = self.next_initial()
        if genotype is None:
            genotype = next((g for g in self._rest if self.candidates.take(g)), None)
        return Trial(genotype or self.fresh(self.random_genotype))  # raises, as nothing new is left
