"""What a search strategy is: ask for a network, tell its score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tinynas.search._problem import Observation, Trial


class SearchStrategy(Protocol):
    """The loop is: `trial = ask()`, score it, `tell(trial, score)`; larger scores are better.

    Every network that `ask` returns meets the hard constraints, and no trial is returned twice: a strategy of several
    fidelities may ask for a network again, at another fidelity. Several trials may be asked before the first is told.
    Between any two calls `state` may be saved; a strategy built with the same arguments that `restore`s it continues
    exactly as the first would have, except that it first asks again for what was asked but not told, since a score
    that was under way when the process died is lost. When the costs of networks are predicted anew, `revise` replaces
    all that was told.

    Implementations pass `tinynas.testing.BaseStrategyTestCase`.
    """

    @property
    def awaits_scores(self) -> bool:
        """Whether it would rather be told what it asked than be asked now, where that is possible.

        Never while nothing is under way. Who asks all the same is answered, with what the scores might have made
        needless.
        """
        ...

    def ask(self) -> Trial:
        """The next network to score, and at which fidelity.

        Raises:
            InfeasibleError: nothing in the space meets the constraints; raised by the first call at the latest.
            SpaceExhaustedError: there is nothing left to ask: the search is over.
        """
        ...

    def tell(self, trial: Trial, score: float, deviation: float | None = None) -> None:
        """Report the score of a trial that was asked; larger is better.

        Args:
            trial: what `ask` returned.
            score: a finite number.
            deviation: standard deviation of the score, where it is known.

        Raises:
            StrategyError: it was not asked, is told already, or a number is not finite.
        """
        ...

    def revise(self, observations: Sequence[Observation]) -> None:
        """Take back what was told: costs are predicted better now, so soft-constrained scores and feasibility change.

        From here on only what is given here counts: no decision rests on an earlier score, and nothing that violates
        the hard constraints now is a parent, a centre or the best. What was asked is not asked again.

        Args:
            observations: every trial told so far, in the order told, with the score it has now. Which of them meet the
                hard constraints the strategy asks `SearchProblem.constraint`; what they say of that is ignored.

        Raises:
            StrategyError: they are not the trials that were told.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Everything needed to continue, as JSON values."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state`.

        Raises:
            StrategyError: `state` comes from another strategy or other settings, or is damaged.
        """
        ...
