"""What a search strategy is: ask for a network, tell its score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from tinynas.errors import AnswerIsNo, UsageError
from tinynas.spaces import Genotype

Constraint = Callable[[Genotype], tuple[str, ...]]
"""The violations of a genotype, one readable line each; empty if it meets every hard constraint.

It must be cheap (microseconds: block costs cached by signature), deterministic, and should say by how much a budget
is exceeded, because its lines are what the user reads when nothing fits.
"""


class StrategyError(UsageError):
    """A strategy was used out of order, or restored from a state that is not its own."""


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


class SearchStrategy(Protocol):
    """The loop is: `genotype = ask()`, score it, `tell(genotype, score)`; larger scores are better.

    Every genotype that `ask` returns meets the hard constraints and was never returned before. Several may be asked
    before the first is told. Between any two calls `state` may be saved; a strategy built with the same arguments that
    `restore`s it continues exactly as the first would have, except that it first asks again for what was asked but not
    told, since a score that was under way when the process died is lost.

    Implementations pass `tinynas.testing.BaseStrategyTestCase`.
    """

    def ask(self) -> Genotype:
        """The next network to score.

        Raises:
            InfeasibleError: nothing in the space meets the constraints; raised by the first call at the latest.
            SpaceExhaustedError: everything that meets them was asked before: the search is over.
        """
        ...

    def tell(self, genotype: Genotype, score: float) -> None:
        """Report the score of a genotype that was asked; larger is better.

        Raises:
            StrategyError: it was not asked, is told already, or the score is not a finite number.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Everything needed to continue, as JSON values."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state`.

        Raises:
            StrategyError: `state` comes from another strategy or other settings.
        """
        ...
