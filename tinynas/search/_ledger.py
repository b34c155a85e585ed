"""The books of a strategy: what was asked, what was told, and both as JSON."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from tinynas.search._errors import StrategyError
from tinynas.search._problem import Constraint, Observation, Trial
from tinynas.spaces import Genotype, SearchSpace


@contextmanager
def reading_state() -> Iterator[None]:
    """Turns what reading a damaged state raises into a `StrategyError` of one line."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise StrategyError(f"cannot resume the search: its state is damaged: {error!r}") from error


class Ledger:
    """Asked and told trials in order, and their state.

    Args:
        strategy: name of the strategy that keeps the ledger.
        space: the search space; a state restores only into one of that name that has all its genotypes.
        settings: the strategy's arguments, as JSON values; a state restores only under equal ones.

    Attributes:
        told: every trial told so far with its score, in the order told; replaced by a revision.
        pending: every trial asked but not told, in the order asked.
    """

    def __init__(self, strategy: str, space: SearchSpace, settings: Mapping[str, Any]) -> None:
        self._identity = {"strategy": strategy, "space": space.name, **settings}
        self._check = space.check
        self.told: list[Observation] = []
        self.pending: dict[Trial, None] = {}
        self._again: deque[Trial] = deque()

    @property
    def asked(self) -> set[Genotype]:
        """Every genotype ever asked, at whichever fidelity."""
        return {observation.genotype for observation in self.told} | {trial.genotype for trial in self.pending}

    @property
    def feasible(self) -> list[Observation]:
        """What was told and meets the hard constraints still, in the order told."""
        return [observation for observation in self.told if observation.feasible]

    @property
    def ranked(self) -> list[Observation]:
        """What was told and meets the hard constraints still, best first; of equal scores the one told first."""
        return sorted(self.feasible, key=lambda observation: -observation.score)

    def asked_again(self) -> Trial | None:
        """After `restore`: the next trial that was asked but not told, until each was returned once."""
        while self._again:
            trial = self._again.popleft()
            if trial in self.pending:
                return trial
        return None

    def ask(self, trial: Trial) -> None:
        """Enter a trial that is about to be returned for the first time."""
        self.pending[trial] = None

    def tell(self, trial: Trial, score: float, deviation: float | None = None) -> None:
        """Enter a score; raises what `SearchStrategy.tell` does."""
        if trial not in self.pending:
            raise StrategyError(
                f"genotype {trial.genotype} at fidelity {trial.fidelity:g} was told without being asked, or told twice"
            )
        observation = Observation(trial, float(score), None if deviation is None else float(deviation))
        del self.pending[trial]
        self.told.append(observation)

    def revise(self, observations: Sequence[Observation], constraint: Constraint) -> None:
        """Replace everything told; raises what `SearchStrategy.revise` does."""
        if [observation.trial for observation in observations] != [observation.trial for observation in self.told]:
            raise StrategyError(
                f"a revision needs the {len(self.told)} trials that were told, in their order; "
                f"got {len(observations)} others"
            )
        self.told = [replace(o, feasible=not constraint(o.genotype)) for o in observations]

    def state(self, rng: np.random.Generator) -> dict[str, Any]:
        """Everything entered, and where the strategy's random numbers are, as JSON values."""
        return {
            **self._identity,
            "rng": rng.bit_generator.state,
            "told": [[list(o.genotype), o.trial.fidelity, o.score, o.deviation, o.feasible] for o in self.told],
            "pending": [[list(trial.genotype), trial.fidelity] for trial in self.pending],
        }

    def restore(self, state: Mapping[str, Any], rng: np.random.Generator) -> None:
        """Take up `state`, random numbers included; raises what `SearchStrategy.restore` does."""
        for key, value in self._identity.items():
            if state.get(key) != value:
                raise StrategyError(
                    f"cannot resume the search: its state has {key} = {state.get(key)!r}, this search has {value!r}"
                )
        with reading_state():
            told = [
                Observation(self._trial(genotype, fidelity), float(score), deviation, bool(feasible))
                for genotype, fidelity, score, deviation, feasible in state["told"]
            ]
            pending = {self._trial(genotype, fidelity): None for genotype, fidelity in state["pending"]}
            rng.bit_generator.state = state["rng"]
        self.told, self.pending, self._again = told, pending, deque(pending)

    def _trial(self, genotype: Sequence[int], fidelity: float) -> Trial:
        self._check(genotype)
        return Trial(tuple(genotype), float(fidelity))
