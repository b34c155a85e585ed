"""What most strategies have in common: books, hard constraints, nothing twice, resume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinynas.search._candidates import Candidates
from tinynas.search._ledger import Ledger, reading_state
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import Observation, SearchProblem, Trial
from tinynas.spaces import Genotype


class BaseStrategy:
    """A strategy that only says which network to propose next; the rest of the contract is here.

    Override `propose`, which gives a network near to what the strategy wants: it may violate constraints or have been
    asked before; see `Candidates`. A strategy that looks at many networks to choose one, or that chooses fidelities,
    overrides `next_trial` instead. What they return must be a function of the arguments, of `self.ledger` and of the
    numbers drawn from `self.rng`: these are what a state keeps. State of its own goes into `own_state` and
    `restore_own_state`; what it holds of scores or of feasible networks is put right in `revised`. Parents and the best
    are chosen among `self.ledger.feasible`.

    Args:
        problem: what is searched.
        seed: the same seed and scores give the same sequence.
        options: the strategy's own.

    Attributes:
        name: under which a state says whose it is.
        problem: what is searched.
        rng: the only source of random numbers.
        ledger: what was asked and told.
        candidates: what turns proposals into networks that meet the constraints and are new.
    """

    name = ""

    def __init__(self, problem: SearchProblem, seed: int, options: StrategyOptions) -> None:
        self.problem = problem
        self.rng = np.random.default_rng(seed)
        self.candidates = Candidates(problem.space, problem.constraint)
        self.ledger = Ledger(
            self.name,
            problem.space,
            {
                "seed": seed,
                "options": options.model_dump(mode="json"),
                "evaluations": problem.evaluations,
                "objectives": list(problem.objectives),
                "fidelities": list(problem.fidelities),
                "initial": [list(genotype) for genotype in problem.initial],
            },
        )

    @property
    def scored(self) -> Sequence[Observation]:
        """Everything told so far, in the order told."""
        return self.ledger.told

    @property
    def awaits_scores(self) -> bool:
        """See `SearchStrategy.awaits_scores`; override it where what comes next hangs on what is under way."""
        return False

    def propose(self) -> Genotype:
        """A network that the strategy would like to see scored."""
        raise NotImplementedError

    def next_trial(self) -> Trial:
        """What to ask next; it was never asked before."""
        return Trial(self.fresh(self.propose))

    def fresh(self, propose: Callable[[], Genotype], *, repair_at_once: bool = False) -> Genotype:
        """The next of the initial networks, and after those a feasible new one near to what `propose` gives."""
        genotype = self.next_initial()
        return genotype or self.candidates.fresh(propose, self.rng, repair_at_once=repair_at_once)

    def next_initial(self) -> Genotype | None:
        """The next of the problem's initial networks that is feasible and new, and now seen; None after the last."""
        return next((g for g in self.problem.initial if self.candidates.take(g)), None)

    def random_genotype(self) -> Genotype:
        """A random network of the space."""
        return self.problem.space.sample(self.rng)

    def revised(self) -> None:
        """Put right what was derived from earlier scores: called when everything told has been replaced."""

    def own_state(self) -> dict[str, Any]:
        """State beyond the ledger's, as JSON values."""
        return {}

    def restore_own_state(self, state: dict[str, Any]) -> None:
        """Take up what `own_state` returned; what a damaged state raises here becomes a `StrategyError`."""

    def ask(self) -> Trial:
        """See `SearchStrategy.ask`."""
        trial = self.ledger.asked_again()
        if trial is None:
            trial = self.next_trial()
            self.ledger.ask(trial)
        return trial

    def tell(self, trial: Trial, score: float, deviation: float | None = None) -> None:
        """See `SearchStrategy.tell`."""
        self.ledger.tell(trial, score, deviation)

    def revise(self, observations: Sequence[Observation]) -> None:
        """See `SearchStrategy.revise`."""
        self.ledger.revise(observations, self.problem.constraint)
        self.revised()

    def state(self) -> dict[str, Any]:
        """See `SearchStrategy.state`."""
        return {**self.ledger.state(self.rng), **self.own_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """See `SearchStrategy.restore`."""
        self.ledger.restore(state, self.rng)
        self.candidates.seen = self.ledger.asked
        with reading_state():
            self.restore_own_state(state)
