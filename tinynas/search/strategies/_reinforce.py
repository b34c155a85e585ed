"""REINFORCE: a controller that learns to decide."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from tinynas.search._base import BaseStrategy
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import Observation, SearchProblem, Trial
from tinynas.search.strategies._controller import Controller
from tinynas.spaces import Genotype

# A network that was asked before is drawn again with flatter decisions: so a settled controller gives what is new, and
# still near to what it has learned.
_WARMING, _HIGHEST_TEMPERATURE = 1.05, 20.0


class ReinforceOptions(StrategyOptions):
    """Options of `Reinforce`.

    Attributes:
        hidden: units of the controller.
        batch: scores per update.
        learning_rate: of Adam.
        baseline_decay: how much of the moving averages an update keeps.
        entropy_weight: of the entropy of decisions, in units of the spread of scores.
    """

    hidden: Annotated[int, Field(ge=1)] = 32
    batch: Annotated[int, Field(ge=1)] = 5
    learning_rate: Annotated[float, Field(gt=0)] = 0.02
    baseline_decay: Annotated[float, Field(ge=0, lt=1)] = 0.9
    entropy_weight: Annotated[float, Field(ge=0)] = 0.02


class Reinforce(BaseStrategy):
    """Neural architecture search with reinforcement learning (Zoph and Le 2017; NASNet, Zoph et al. 2018).

    The gradient of the expected score is estimated by 1/m sum_k sum_t grad log pi(a_t | a_<t) (R_k - b) (their section
    3.2), b an exponential moving average of earlier scores, plus an entropy bonus that keeps decisions open (Williams
    and Peng 1991). R_k - b is divided by a moving average of its magnitude, so that it does not matter whether scores
    are fractions or per cent. Networks that were repaired are credited as what was scored. As no network is asked
    twice, one that a settled controller draws again makes the next draw one of a higher temperature.

    Args:
        problem: what is searched.
        seed: the same seed and scores give the same sequence.
        options: of the controller and its training.
    """

    name = "reinforce"

    def __init__(self, problem: SearchProblem, seed: int, options: ReinforceOptions | None = None) -> None:
        options = options or ReinforceOptions()
        super().__init__(problem, seed, options)
        self._options = options
        self._seed = seed
        self._temperature = 1.0
        self._begin()

    def next_trial(self) -> Trial:
        self._temperature = 1.0
        return super().next_trial()

    def propose(self) -> Genotype:
        genotype = self._controller.sample(self.rng, self._temperature)
        if genotype in self.candidates.seen:
            self._temperature = min(_HIGHEST_TEMPERATURE, self._temperature * _WARMING)
        return genotype

    def tell(self, trial: Trial, score: float, deviation: float | None = None) -> None:
        super().tell(trial, score, deviation)
        self._learn()

    def restore_own_state(self, state: dict[str, Any]) -> None:
        self.revised()

    def revised(self) -> None:
        """The controller follows from what was told and is feasible: it learns all of it again."""
        self._begin()
        self._learn()

    def _begin(self) -> None:
        rng = np.random.default_rng((self._seed, self._options.hidden))
        self._controller = Controller(self.problem.space.variables, self._options.hidden, rng)
        zeros = {name: np.zeros_like(value) for name, value in self._controller.parameters.items()}
        self._moments = (zeros, {name: value.copy() for name, value in zeros.items()})
        self._updates = 0
        self._baseline = 0.0
        self._magnitude = 0.0

    def _learn(self) -> None:
        """One update for each full batch of scores of feasible networks that had none yet."""
        batch, feasible = self._options.batch, self.ledger.feasible
        while (self._updates + 1) * batch <= len(feasible):
            self._update(feasible[self._updates * batch : (self._updates + 1) * batch])

    def _update(self, batch: list[Observation]) -> None:
        scores = np.array([observation.score for observation in batch])
        decay = self._options.baseline_decay if self._updates else 0.0
        if not self._updates:
            self._baseline = float(scores.mean())  # before there is anything to average
        differences = scores - self._baseline
        self._magnitude = decay * self._magnitude + (1 - decay) * float(np.abs(differences).mean())
        self._baseline = decay * self._baseline + (1 - decay) * float(scores.mean())
        self._updates += 1
        total: dict[str, np.ndarray] = {}
        for observation, difference in zip(batch, differences, strict=True):
            advantage = float(difference) / (self._magnitude or 1.0)
            _, gradients = self._controller.gradient(observation.genotype, advantage, self._options.entropy_weight)
            for name, gradient in gradients.items():
                total[name] = total.get(name, 0.0) + gradient / len(batch)
        self._ascend(total)

    def _ascend(self, gradients: dict[str, np.ndarray]) -> None:
        """A step of Adam (Kingma and Ba 2015) towards larger values."""
        first, second = self._moments
        for name, gradient in gradients.items():
            first[name] += 0.1 * (gradient - first[name])
            second[name] += 0.001 * (gradient**2 - second[name])
            mean, square = first[name] / (1 - 0.9**self._updates), second[name] / (1 - 0.999**self._updates)
            self._controller.parameters[name] += self._options.learning_rate * mean / (np.sqrt(square) + 1e-8)
