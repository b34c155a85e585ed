"""What is searched, and what a strategy asks for and is told."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tinynas.search._errors import StrategyError
from tinynas.spaces import Genotype, SearchSpace

Constraint = Callable[[Genotype], tuple[str, ...]]
"""The violations of a genotype, one readable line each; empty if it meets every hard constraint.

It must be cheap (microseconds: block costs cached by signature), deterministic, and should say by how much a budget
is exceeded, because its lines are what the user reads when nothing fits.
"""

Costs = Callable[[Genotype], Mapping[str, float]]
"""The predicted costs of a genotype by name (`macs`, `latency`, `sram_bytes`, ...), as cheap as a `Constraint`."""

Description = Callable[[Genotype], Mapping[str, float]]
"""What a genotype's network is like, in figures by name (`tinynas.spaces.describe`), as cheap as a `Constraint`."""


def no_costs(_: Genotype) -> Mapping[str, float]:
    """Nothing is known about what a network costs."""
    return {}


def no_description(_: Genotype) -> Mapping[str, float]:
    """Nothing is known about what a network is like, beyond the choices that make it."""
    return {}


@dataclass(frozen=True)
class SearchProblem:
    """Everything that a strategy may know before it is told a score.

    Attributes:
        space: the search space.
        constraint: hard constraints; see `Constraint`.
        evaluations: the budget, in full evaluations: one at fidelity 1/3 takes a third of one.
        costs: predicted costs; strategies that model scores may learn from them.
        describe: what networks are like; strategies that model scores may learn from it in place of the choices.
        objectives: the costs that a multi-objective strategy minimizes beside the score that it maximizes.
        fidelities: shares of the full training at which a network can be scored, ascending, the last of them 1.
        initial: networks that are known to be worth a look, best first. Every strategy asks them before its own;
            those that do not meet the constraints are passed over.

    Raises:
        StrategyError: a value is out of range.
    """

    space: SearchSpace
    constraint: Constraint
    evaluations: int
    costs: Costs = no_costs
    describe: Description = no_description
    objectives: tuple[str, ...] = ()
    fidelities: tuple[float, ...] = (1.0,)
    initial: tuple[Genotype, ...] = ()

    def __post_init__(self) -> None:
        if self.evaluations < 1:
            raise StrategyError(f"a search needs at least one evaluation, got {self.evaluations}")
        ascending = all(low < high for low, high in zip(self.fidelities, self.fidelities[1:], strict=False))
        if not self.fidelities or not ascending or self.fidelities[0] <= 0 or self.fidelities[-1] != 1:
            raise StrategyError(
                f"fidelities are shares of the full training, ascending and ending with 1, got {list(self.fidelities)}"
            )


@dataclass(frozen=True)
class Trial:
    """A network to score, and the share of the full training at which to score it."""

    genotype: Genotype
    fidelity: float = 1.0


@dataclass(frozen=True)
class Observation:
    """A trial and its score; larger is better.

    Attributes:
        trial: what was scored.
        score: what it scored.
        deviation: standard deviation of the score, in its units, where the evaluator knows it.
        feasible: whether the network meets the hard constraints still; a revision may say otherwise.
    """

    trial: Trial
    score: float
    deviation: float | None = None
    feasible: bool = True

    def __post_init__(self) -> None:
        if not math.isfinite(self.score):
            raise StrategyError(f"the score of genotype {self.genotype} must be a finite number, got {self.score}")
        if self.deviation is not None and not (math.isfinite(self.deviation) and self.deviation >= 0):
            raise StrategyError(
                f"the deviation of the score of genotype {self.genotype} must be a finite number of at least 0, "
                f"got {self.deviation}"
            )

    @property
    def genotype(self) -> Genotype:
        return self.trial.genotype
