"""Random search: the baseline every strategy is reported against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynas.search._candidates import Candidates
from tinynas.search._ledger import Ledger
from tinynas.search._strategy import Constraint
from tinynas.spaces import Genotype, SearchSpace


class RandomSearch:
    """Random networks that meet the constraints, none twice.

    Args:
        space: the search space.
        constraint: hard constraints; see `Constraint`.
        seed: the same seed and scores give the same sequence.
    """

    def __init__(self, space: SearchSpace, constraint: Constraint, seed: int) -> None:
        self._space = space
        self._rng = np.random.default_rng(seed)
        self._candidates = Candidates(space, constraint)
        self._ledger = Ledger("random", space, {"seed": seed})

    @property
    def scored(self) -> Sequence[tuple[Genotype, float]]:
        """Every genotype told so far with its score, in the order told."""
        return self._ledger.told

    def ask(self) -> Genotype:
        """See `SearchStrategy.ask`."""
        again = self._ledger.asked_again()
        if again is not None:
            return again
        genotype = self._candidates.fresh(lambda: self._space.sample(self._rng), self._rng)
        self._ledger.ask(genotype)
        return genotype

    def tell(self, genotype: Genotype, score: float) -> None:
        """See `SearchStrategy.tell`."""
        self._ledger.tell(genotype, score)

    def state(self) -> dict[str, Any]:
        """See `SearchStrategy.state`."""
        return self._ledger.state(self._rng)

    def restore(self, state: dict[str, Any]) -> None:
        """See `SearchStrategy.restore`."""
        self._ledger.restore(state, self._rng)
        self._candidates.seen = self._ledger.asked
