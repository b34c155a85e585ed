"""What can go wrong in a search."""

from __future__ import annotations

from tinynas.errors import AnswerIsNo, UsageError
from tinynas.spaces import Genotype


class StrategyError(UsageError):
    """A strategy was used out of order, asked for what it cannot do, or restored from a state that is not its own."""


class MethodError(UsageError):
    """There is no such search method, or it cannot search this space."""


class InfeasibleError(AnswerIsNo):
    """No network of the space meets the constraints, as far as was looked.

    Carries the nearest miss: its `genotype` and `violations`.
    """

    def __init__(self, genotype: Genotype, violations: tuple[str, ...], tried: int, exhaustive: bool) -> None:
        misses = "; ".join(violations)
        answer = (
            f"none of the {tried} networks of the space meets the constraints; the nearest misses by: {misses}"
            if exhaustive
            else f"not even the smallest network of the space meets the constraints, nor any of {tried} random ones; "
            f"it misses by: {misses}"
        )
        super().__init__(f"{answer}. Relax the budget, or search at a smaller width or resolution")
        self.genotype = genotype
        self.violations = violations


class SpaceExhaustedError(AnswerIsNo):
    """Every network that meets the constraints, as far as was looked, has been asked already."""

    def __init__(self, asked: int) -> None:
        super().__init__(f"no further network meets the constraints: all {asked} that were found have been asked")
        self.asked = asked
