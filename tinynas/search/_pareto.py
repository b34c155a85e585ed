"""The Pareto front: networks that no other beats in every respect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tinynas.search._errors import StrategyError
from tinynas.spaces import Genotype


@dataclass(frozen=True)
class Evaluation:
    """A scored network.

    Attributes:
        genotype: the network.
        accuracy: larger is better; a fraction between 0 and 1 where it is one.
        costs: by name (`latency`, `sram_bytes`, ...); smaller is better.
    """

    genotype: Genotype
    accuracy: float
    costs: Mapping[str, float] = field(default_factory=dict)


class ParetoArchive:
    """The non-dominated evaluations of all that were added, under maximal accuracy and minimal costs.

    One evaluation dominates another if it is at least as good in every objective and better in one. Of evaluations
    equal in all, the first added stays.

    Args:
        costs: names of the costs that count, beside the accuracy; any number.
    """

    def __init__(self, costs: Sequence[str]) -> None:
        self.costs = tuple(costs)
        self._members: list[tuple[tuple[float, ...], Evaluation]] = []

    @property
    def members(self) -> tuple[Evaluation, ...]:
        """The front, most accurate first."""
        return tuple(evaluation for _, evaluation in sorted(self._members, key=lambda member: member[0]))

    def add(self, evaluation: Evaluation) -> bool:
        """Add an evaluation; returns whether it is on the front now. Members that it dominates leave.

        Raises:
            StrategyError: the evaluation lacks a cost of this archive, or an objective is not a number.
        """
        point = self._point(evaluation)
        if any(_at_least_as_good(member, point) for member, _ in self._members):
            return False
        self._members = [member for member in self._members if not _at_least_as_good(point, member[0])]
        self._members.append((point, evaluation))
        return True

    def add_all(self, evaluations: Iterable[Evaluation]) -> None:
        """Add evaluations in order."""
        for evaluation in evaluations:
            self.add(evaluation)

    def _point(self, evaluation: Evaluation) -> tuple[float, ...]:
        missing = [name for name in self.costs if name not in evaluation.costs]
        if missing:
            raise StrategyError(f"evaluation of {evaluation.genotype} lacks the cost {', '.join(missing)}")
        point = (-evaluation.accuracy, *(evaluation.costs[name] for name in self.costs))
        if any(value != value for value in point):
            raise StrategyError(f"evaluation of {evaluation.genotype} has an objective that is not a number")
        return point


def _at_least_as_good(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True))
