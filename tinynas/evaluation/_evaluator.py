"""The protocol of evaluators: what a candidate is worth, at which fidelity, and how sure that is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from tinynas.evaluation._errors import EvaluatorError
from tinynas.spaces import Genotype


@dataclass(frozen=True)
class Estimate:
    """What one candidate is worth.

    Attributes:
        value: larger is better; an accuracy in [0, 1] where the evaluator measures one, else in units of its own.
        deviation: standard deviation of `value`, in its units; None where the evaluator does not know it.
        seconds: what the answer took, in seconds of one process; 0 where it was looked up.
        details: what else is worth keeping, as JSON values.

    Raises:
        EvaluatorError: `value` is not finite, or `deviation` is not a finite number of at least 0.
    """

    value: float
    deviation: float | None = None
    seconds: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", float(self.value))  # what NumPy computes is no JSON
        object.__setattr__(self, "deviation", None if self.deviation is None else float(self.deviation))
        if not math.isfinite(self.value):
            raise EvaluatorError(f"the value of a candidate must be a finite number, got {self.value}")
        if self.deviation is not None and not (math.isfinite(self.deviation) and self.deviation >= 0):
            raise EvaluatorError(f"a deviation must be a finite number of at least 0, got {self.deviation}")


EvaluationProgress = Callable[[int, Estimate], None]
"""Called with the position of a genotype and its estimate, as soon as that is known."""


@runtime_checkable
class Evaluator(Protocol):
    """What candidates are worth.

    The estimate of a genotype at a fidelity, `seconds` aside, is a function of these two and the key: neither what was
    asked before nor what is asked in the same call nor the number of processes changes it. So a journal may answer in
    place of an evaluator, and work that was killed goes on where it was.

    Implementations pass `tinynas.testing.BaseEvaluatorTestCase`.
    """

    @property
    def name(self) -> str:
        """By which it is named in configurations and reports."""
        ...

    @property
    def key(self) -> str:
        """Changes whenever an answer may: with settings, data, weights, the space, and the method itself."""
        ...

    @property
    def fidelities(self) -> tuple[float, ...]:
        """The shares of full effort at which it answers: ascending, in (0, 1], the last one 1."""
        ...

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        """What each of `genotypes` is worth, in their order.

        Args:
            genotypes: members of the space; give many at once, so that all processes have work.
            fidelity: one of `fidelities`.
            progress: told each estimate as soon as it is known, in any order. Work that continues after it was killed
                may be thrown away once an estimate was told.

        Raises:
            EvaluatorError: there is no such fidelity, or no answer for a genotype.
        """
        ...

    def close(self) -> None:
        """End processes and give memory back; an evaluator that is asked again after that starts them again."""
        ...


@runtime_checkable
class QueuedEvaluator(Evaluator, Protocol):
    """An evaluator that is given candidates one by one, while it works on others: what takes long should be one.

    Answers are had in the order of the questions, whatever was finished first. Until all are collected `evaluate`
    raises an `EvaluatorError`; after a failure, or `close`, what was submitted is forgotten.
    """

    def submit(self, genotype: Genotype, fidelity: float = 1.0) -> None:
        """Ask for a candidate; an idle process begins at once, and where there is one alone, it begins in `collect`.

        Raises:
            EvaluatorError: there is no such fidelity.
        """
        ...

    def collect(self, keep: Callable[[Estimate], None] | None = None) -> Estimate:
        """What the earliest candidate is worth that was submitted and not collected; waits for it.

        Args:
            keep: told the estimate before work is thrown away that continues after it was killed.

        Raises:
            EvaluatorError: there is none, or no answer for it.
        """
        ...


def check_fidelities(fidelities: Sequence[float]) -> tuple[float, ...]:
    """`fidelities` as a tuple.

    Raises:
        EvaluatorError: they do not ascend, or do not end with 1, or one is not in (0, 1].
    """
    ascending = all(low < high for low, high in itertools.pairwise(fidelities))
    if not fidelities or not ascending or fidelities[0] <= 0 or fidelities[-1] != 1:
        raise EvaluatorError(f"fidelities are shares of full effort, ascending to 1, got {list(fidelities)}")
    return tuple(fidelities)


def check_fidelity(evaluator: Evaluator, fidelity: float) -> None:
    """Check that an evaluator answers at a fidelity.

    Raises:
        EvaluatorError: it does not; names those at which it does.
    """
    if fidelity not in evaluator.fidelities:
        raise EvaluatorError(
            f"evaluator {evaluator.name!r} has no fidelity {fidelity:g}; "
            f"one of {', '.join(f'{share:g}' for share in evaluator.fidelities)}"
        )
