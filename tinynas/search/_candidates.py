"""Fresh candidates: networks that meet the hard constraints and were not handed out before."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from tinynas.search._errors import InfeasibleError, SpaceExhaustedError
from tinynas.search._problem import Constraint
from tinynas.spaces import Genotype, SearchSpace

_ATTEMPTS = 200
# Enumerating a space up to this size takes about a second and gives a definite answer.
_ENUMERABLE = 50_000


class Candidates:
    """Turns proposals (a random network, a mutation, a child) into networks that are feasible and new.

    A proposal that was seen is dropped. One that violates a constraint is repaired by shrinking random genes until it
    meets them, either at once (a child that grew somewhere may only fit if it shrinks elsewhere: without repair, a
    budget that binds keeps evolution where it is) or only when half of the attempts have failed, which keeps the
    distribution of the proposals and still finds feasible networks where hardly any random one is. When proposals run
    dry, random networks follow, and in the end, if the space is small enough, all of it in order, so that the last
    feasible network is found and the end is known.

    Args:
        space: where the genotypes come from.
        constraint: the violations of a genotype.

    Attributes:
        seen: genotypes that are not returned again; a strategy that resumes sets it to what was asked before.
    """

    def __init__(self, space: SearchSpace, constraint: Constraint) -> None:
        self._space = space
        self._constraint = constraint
        self.seen: set[Genotype] = set()

    def fresh(
        self, propose: Callable[[], Genotype], rng: np.random.Generator, *, repair_at_once: bool = False
    ) -> Genotype:
        """A feasible network that was never returned, near to what `propose` gives; it is remembered as seen.

        Raises:
            InfeasibleError: nothing was ever returned and nothing feasible was found.
            SpaceExhaustedError: something was returned before, and nothing new was found.
        """
        for source in (propose, lambda: self._space.sample(rng)):
            for attempt in range(_ATTEMPTS):
                genotype: Genotype | None = source()
                if genotype is None or genotype in self.seen:
                    continue
                if self._constraint(genotype):
                    genotype = self._repair(genotype, rng) if repair_at_once or attempt >= _ATTEMPTS // 2 else None
                if genotype is not None and genotype not in self.seen:
                    self.seen.add(genotype)
                    return genotype
        return self._last_resort()

    def new(self, genotypes: Iterable[Genotype]) -> list[Genotype]:
        """Those of `genotypes` that are feasible and not seen, each once, in order; none of them is seen by that."""
        return [g for g in dict.fromkeys(genotypes) if g not in self.seen and not self._constraint(g)]

    def take(self, genotype: Genotype) -> bool:
        """Whether `genotype` is feasible and was not seen; if so, it is from now on."""
        if genotype in self.seen or self._constraint(genotype):
            return False
        self.seen.add(genotype)
        return True

    def _repair(self, genotype: Genotype, rng: np.random.Generator) -> Genotype | None:
        """The first feasible network on a random way down to the smallest; None if there is none."""
        smaller = self._space.shrink(genotype, rng)
        while smaller is not None and self._constraint(smaller):
            smaller = self._space.shrink(smaller, rng)
        return smaller

    def _last_resort(self) -> Genotype:
        exhaustive = self._space.size() <= _ENUMERABLE
        tried = 0
        smallest = self._space.smallest()
        nearest, nearest_violations = smallest, self._constraint(smallest)
        for genotype in self._space.enumerate() if exhaustive else (smallest,):
            tried += 1
            if genotype in self.seen:
                continue
            violations = self._constraint(genotype)
            if not violations:
                self.seen.add(genotype)
                return genotype
            if len(violations) < len(nearest_violations):
                nearest, nearest_violations = genotype, violations
        if self.seen:
            raise SpaceExhaustedError(len(self.seen))
        raise InfeasibleError(nearest, nearest_violations, tried if exhaustive else 2 * _ATTEMPTS, exhaustive)
