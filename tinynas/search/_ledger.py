"""The books of a strategy: what was asked, what was told, and both as JSON."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinynas.search._strategy import StrategyError
from tinynas.spaces import Genotype, SearchSpace


@contextmanager
def reading_state() -> Iterator[None]:
    """Turns what reading a damaged state raises into a `StrategyError` of one line."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise StrategyError(f"cannot resume the search: its state is damaged: {error!r}") from error


class Ledger:
    """Asked and told genotypes in order, and their state.

    Args:
        strategy: name of the strategy that keeps the ledger.
        space: the search space; a state restores only into one of that name that has all its genotypes.
        settings: the strategy's arguments, as JSON values; a state restores only under equal ones.

    Attributes:
        told: every genotype told so far with its score, in the order told.
    """

    def __init__(self, strategy: str, space: SearchSpace, settings: Mapping[str, Any]) -> None:
        self._identity = {"strategy": strategy, "space": space.name, **settings}
        self._check = space.check
        self.told: list[tuple[Genotype, float]] = []
        self._pending: dict[Genotype, None] = {}
        self._again: deque[Genotype] = deque()

    @property
    def asked(self) -> set[Genotype]:
        """Every genotype ever asked."""
        return {genotype for genotype, _ in self.told} | set(self._pending)

    def asked_again(self) -> Genotype | None:
        """After `restore`: the next genotype that was asked but not told, until each was returned once."""
        while self._again:
            genotype = self._again.popleft()
            if genotype in self._pending:
                return genotype
        return None

    def ask(self, genotype: Genotype) -> None:
        """Enter a genotype that is about to be returned for the first time."""
        self._pending[genotype] = None

    def tell(self, genotype: Genotype, score: float) -> None:
        """Enter a score; raises what `SearchStrategy.tell` does."""
        genotype = tuple(genotype)
        if genotype not in self._pending:
            raise StrategyError(f"genotype {genotype} was told without being asked, or told twice")
        if not math.isfinite(score):
            raise StrategyError(f"the score of genotype {genotype} must be a finite number, got {score}")
        del self._pending[genotype]
        self.told.append((genotype, float(score)))

    def state(self, rng: np.random.Generator) -> dict[str, Any]:
        """Everything entered, and where the strategy's random numbers are, as JSON values."""
        return {
            **self._identity,
            "rng": rng.bit_generator.state,
            "told": [[list(genotype), score] for genotype, score in self.told],
            "pending": [list(genotype) for genotype in self._pending],
        }

    def restore(self, state: Mapping[str, Any], rng: np.random.Generator) -> None:
        """Take up `state`, random numbers included; raises what `SearchStrategy.restore` does."""
        for key, value in self._identity.items():
            if state.get(key) != value:
                raise StrategyError(
                    f"cannot resume the search: its state has {key} = {state.get(key)!r}, this search has {value!r}"
                )
        with reading_state():
            told = [(self._member(genotype), float(score)) for genotype, score in state["told"]]
            pending = {self._member(genotype): None for genotype in state["pending"]}
            rng.bit_generator.state = state["rng"]
        self.told, self._pending, self._again = told, pending, deque(pending)

    def _member(self, genotype: Sequence[int]) -> Genotype:
        self._check(genotype)
        return tuple(genotype)
