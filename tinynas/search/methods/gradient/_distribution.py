"""Networks from a learned distribution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinynas.search._base import BaseStrategy
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import SearchProblem, Trial
from tinynas.spaces import INACTIVE, Genotype, Variable, active

_WARMING, _HIGHEST_TEMPERATURE = 1.05, 20.0


class LearnedDistribution(BaseStrategy):
    """The mode of a distribution, and then draws from it, each network once.

    A variable that is active has one of its values with the probability learned for it, whatever the others have. Where
    a draw was seen before, the next one is from a flatter distribution, p^(1/t) with t 5 % higher, so that a
    distribution that has settled on one network goes on with its surroundings rather than with random networks.

    Args:
        problem: what is searched.
        seed: of the draws.
        probabilities: for each variable, one for each value.
    """

    name = "gradient"

    def __init__(self, problem: SearchProblem, seed: int, probabilities: Sequence[npt.NDArray[np.float64]]) -> None:
        super().__init__(problem, seed, StrategyOptions())
        self._probabilities = probabilities
        self._temperature = 1.0
        self._mode: Genotype | None = mode(problem.space.variables, probabilities)

    def next_trial(self) -> Trial:
        self._temperature = 1.0
        return super().next_trial()

    def propose(self) -> Genotype:
        if self._mode is not None:
            first, self._mode = self._mode, None
            return first
        genotype = self._draw()
        if genotype in self.candidates.seen:
            self._temperature = min(_HIGHEST_TEMPERATURE, self._temperature * _WARMING)
        return genotype

    def own_state(self) -> dict[str, Any]:
        """Whether the mode was proposed."""
        return {"mode_proposed": self._mode is None}

    def restore_own_state(self, state: dict[str, Any]) -> None:
        """See `BaseStrategy.restore_own_state`."""
        if state["mode_proposed"]:
            self._mode = None

    def _draw(self) -> Genotype:
        def value(position: int) -> int:
            variable = self.problem.space.variables[position]
            flattened = self._probabilities[position] ** (1 / self._temperature)
            return variable.values[self.rng.choice(len(variable.values), p=flattened / flattened.sum())]

        return _assembled(self.problem.space.variables, value)


def mode(variables: Sequence[Variable], probabilities: Sequence[npt.NDArray[np.float64]]) -> Genotype:
    """The network in which every active variable has its most probable value."""
    return _assembled(variables, lambda position: variables[position].values[int(np.argmax(probabilities[position]))])


def _assembled(variables: Sequence[Variable], value: Callable[[int], int]) -> Genotype:
    """A genotype from the values of its active variables, by position."""
    genotype: list[int] = []
    for position in range(len(variables)):
        genotype.append(value(position) if active(variables, genotype, position) else INACTIVE)
    return tuple(genotype)
