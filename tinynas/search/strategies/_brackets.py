"""Brackets of successive halving: many networks at a low fidelity, the best of them at the next."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tinynas.search._base import BaseStrategy
from tinynas.search._errors import SpaceExhaustedError
from tinynas.search._problem import Observation, Trial
from tinynas.spaces import Genotype

Rungs = tuple[tuple[int, float], ...]
"""How many networks at which fidelity, rung by rung, from the lowest fidelity to the highest."""


def halving_rungs(fidelities: Sequence[float], evaluations: float) -> Rungs:
    """Rungs that all cost the same (Jamieson and Talwalkar 2016, figure 3): n_k f_k = B / K.

    Args:
        fidelities: f_k, ascending, K of them; where each is eta times the one before, a rung keeps 1 / eta.
        evaluations: B, the budget, in full evaluations.

    Returns:
        At least one network on each rung.
    """
    share = evaluations / len(fidelities)
    # A share of 9 at a fidelity of 1/9 is 81 networks, and not 80 because 9 / (1 / 9) is a little less.
    return tuple((max(1, math.floor(share / fidelity + 1e-9)), fidelity) for fidelity in fidelities)


def hyperband_rungs(fidelities: Sequence[float], skipped: int) -> Rungs:
    """The rungs of one bracket of Hyperband (Li et al. 2018, algorithm 1).

    n = ceil((s_max + 1) eta^s / (s + 1)) networks begin at a fidelity of eta^-s, and n eta^-i of them, rounded down,
    are left on rung i. Here eta^-s is the lowest fidelity of the bracket, so that steps need not be equal.

    Args:
        fidelities: all there are, ascending.
        skipped: how many of the lowest the bracket leaves out: s_max - s.
    """
    used = fidelities[skipped:]
    first = math.ceil(len(fidelities) / len(used) / used[0] - 1e-9)
    return tuple((max(1, math.floor(first * used[0] / fidelity + 1e-9)), fidelity) for fidelity in used)


class Bracket:
    """One bracket: which networks are on which rung so far.

    Args:
        rungs: its plan.
    """

    def __init__(self, rungs: Rungs) -> None:
        self.rungs = rungs
        self.members: list[list[Genotype]] = [[] for _ in rungs]
        self.closed = False  # the space has no further network for the lowest rung

    def wants_new(self) -> bool:
        """Whether the lowest rung has room for a network."""
        return not self.closed and len(self.members[0]) < self.rungs[0][0]

    def awaits(self, told: Mapping[Trial, Observation]) -> bool:
        """Whether all that can be said now is who entered: scores decide who moves up to a rung that has room."""
        if self.wants_new():
            return False
        for k in range(len(self.rungs) - 1):
            room = self.rungs[k + 1][0] - len(self.members[k + 1])
            if room > 0 and not all(Trial(genotype, self.rungs[k][1]) in told for genotype in self.members[k]):
                return True
        return False

    def promotion_of(self, told: Mapping[Trial, Observation]) -> tuple[Genotype, int] | None:
        """The next network to move up and its new rung: the best of a rung that is told that is not on the next."""
        if self.wants_new():
            return None
        for k in range(len(self.rungs) - 1):
            (_, fidelity), (room, _) = self.rungs[k], self.rungs[k + 1]
            trials = [Trial(genotype, fidelity) for genotype in self.members[k]]
            if not all(trial in told for trial in trials):
                return None
            ranked = sorted((told[trial] for trial in trials), key=lambda observation: -observation.score)
            best = [observation.genotype for observation in ranked if observation.feasible][:room]
            for genotype in best:
                if genotype not in self.members[k + 1]:
                    return genotype, k + 1
        return None

    def promotion(self, told: Mapping[Trial, Observation]) -> Trial | None:
        """Move the next network up; None if there is none."""
        if (found := self.promotion_of(told)) is None:
            return None
        genotype, rung = found
        self.members[rung].append(genotype)
        return Trial(genotype, self.rungs[rung][1])


class Brackets:
    """Brackets one after the other; one whose scores are still awaited does not keep the next from beginning.

    Args:
        plans: the rungs of the brackets, in order; after the last the first begins anew.
    """

    def __init__(self, plans: Sequence[Rungs]) -> None:
        self._plans = tuple(plans)
        self._open: list[Bracket] = []

    def awaits_scores(self, strategy: BaseStrategy) -> bool:
        """Whether an ask would begin the next bracket although the last one goes on when scores are told."""
        told = {observation.trial: observation for observation in strategy.ledger.told}
        return (
            bool(self._open)
            and self._open[-1].awaits(told)
            and all(bracket.promotion_of(told) is None for bracket in self._open)
        )

    def next_trial(self, strategy: BaseStrategy, new: Callable[[], Genotype]) -> Trial:
        """What to ask next.

        Args:
            strategy: whose ledger counts.
            new: a network for the lowest rung of a bracket.

        Raises:
            SpaceExhaustedError: nothing new is left, and nothing that was told can move up.
        """
        told = {observation.trial: observation for observation in strategy.ledger.told}
        for bracket in self._open:
            if (trial := bracket.promotion(told)) is not None:
                return trial
        if not self._open or not self._open[-1].wants_new():
            genotype = new()
            self._open.append(Bracket(self._plans[len(self._open) % len(self._plans)]))
        else:
            try:
                genotype = new()
            except SpaceExhaustedError:
                self._open[-1].closed = True
                trial = self._open[-1].promotion(told)
                if trial is None:
                    raise
                return trial
        bracket = self._open[-1]
        bracket.members[0].append(genotype)
        return Trial(genotype, bracket.rungs[0][1])

    def state(self) -> list[dict[str, Any]]:
        """As JSON values."""
        return [
            {"members": [[list(genotype) for genotype in rung] for rung in bracket.members], "closed": bracket.closed}
            for bracket in self._open
        ]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Take up what `state` returned."""
        self._open = []
        for saved in state:
            bracket = Bracket(self._plans[len(self._open) % len(self._plans)])
            bracket.members = [[tuple(genotype) for genotype in rung] for rung in saved["members"]]
            bracket.closed = bool(saved["closed"])
            self._open.append(bracket)
