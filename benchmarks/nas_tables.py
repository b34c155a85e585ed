"""Tables of trained networks as search problems: a space, the score of each of its networks, and what it costs.

A public table is read from where it lies; none is part of this project.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinynas.search import SearchProblem
from tinynas.spaces import Architecture, Genotype, SpaceError, Variable, VariableSpace


class TableSpace(VariableSpace):
    """A space whose networks exist in a table only: it can be searched, and not built.

    Args:
        name: the table's.
        variables: one per position of a genotype.
    """

    def __init__(self, name: str, variables: tuple[Variable, ...]) -> None:
        super().__init__(name, variables, description="a table of trained networks", resolutions=(32,))

    def decode(
        self, genotype: Genotype, width: float, resolution: int, input_channels: int = 3, classes: int = 1000
    ) -> Architecture:
        raise SpaceError(f"{self.name} is a table: its networks cannot be built here")


@dataclass(frozen=True)
class NasTable:
    """A table of trained networks.

    Attributes:
        space: the networks.
        scores: accuracy of each at full training, in per cent.
        deviations: standard deviation of each score over training seeds, in points.
        costs: `macs` and `params` of each.
        limit: hard limit on `macs`: their median, so that half of the table is feasible.
    """

    space: TableSpace
    scores: Mapping[Genotype, float]
    deviations: Mapping[Genotype, float]
    costs: Mapping[Genotype, Mapping[str, float]]
    limit: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "limit", float(np.median([costs["macs"] for costs in self.costs.values()])))

    def violations(self, genotype: Genotype) -> tuple[str, ...]:
        """The hard constraint: MACs up to the median."""
        macs = self.costs[genotype]["macs"]
        return () if macs <= self.limit else (f"{macs:.0f} of {self.limit:.0f} MACs",)

    def ranked(self) -> list[float]:
        """Scores of all feasible networks, best first."""
        return sorted((score for g, score in self.scores.items() if not self.violations(g)), reverse=True)

    def problem(self, evaluations: int, fidelities: tuple[float, ...] = (1.0,)) -> SearchProblem:
        """The search for the best feasible network."""
        return SearchProblem(
            self.space,
            self.violations,
            evaluations,
            costs=self.costs.__getitem__,
            objectives=("macs",),
            fidelities=fidelities,
        )


def nas_bench_macro(path: Path) -> NasTable:
    """NAS-Bench-Macro (Su et al. 2021, "Prioritized Architecture Sampling with Monto-Carlo Tree Search").

    3^8 = 6561 networks for CIFAR-10, of eight layers that are each nothing, an inverted bottleneck of expansion 3 and
    kernel 3, or one of expansion 6 and kernel 5; three trainings each.
    """
    rows = json.loads(path.read_text())
    labels = ("identity", "expansion 3, kernel 3", "expansion 6, kernel 5")
    layers = tuple(Variable(f"layer{i}", (0, 1, 2), ordinal=False, labels=labels) for i in range(1, 9))
    genotypes = {name: tuple(map(int, name)) for name in rows}
    return NasTable(
        TableSpace("nas-bench-macro", layers),
        {genotypes[name]: float(row["mean_acc"]) for name, row in rows.items()},
        {genotypes[name]: float(row["std"]) for name, row in rows.items()},
        {genotypes[name]: {"macs": float(row["flops"]), "params": float(row["params"])} for name, row in rows.items()},
    )


def hypervolume(points: list[tuple[float, float]], reference: tuple[float, float]) -> float:
    """Area that a set of (score, cost) dominates, up to a reference of low score and high cost (Zitzler 1999)."""
    area, best = 0.0, reference[0]
    front = []
    for score, cost in sorted(points, key=lambda point: (point[1], -point[0])):
        if score > best and cost < reference[1]:
            front.append((score, cost))
            best = score
    for i, (score, cost) in enumerate(front):
        following = front[i + 1][1] if i + 1 < len(front) else reference[1]
        area += (score - reference[0]) * (following - cost)
    return area


def median_random_evaluations(networks: int, good: int) -> int:
    """Median number of random networks, without replacement, until the first of `good` among `networks`.

    The least n with C(networks - good, n) / C(networks, n) <= 1/2.
    """
    missed = 1.0
    for drawn in range(networks):
        missed *= (networks - good - drawn) / (networks - drawn)
        if missed <= 0.5:
            return drawn + 1
    return networks


def expected_random_best(scores: list[float], evaluations: int) -> float:
    """Expected best score of random networks, without replacement, in closed form.

    The i-th best (from 1) is the best of n drawn with probability C(N - i, n - 1) / C(N, n).

    Args:
        scores: of all feasible networks, best first.
        evaluations: n.
    """
    total, n = len(scores), min(evaluations, len(scores))

    def log_choose(a: int, b: int) -> float:
        return math.lgamma(a + 1) - math.lgamma(b + 1) - math.lgamma(a - b + 1)

    return sum(
        score * math.exp(log_choose(total - i, n - 1) - log_choose(total, n))
        for i, score in enumerate(scores[: total - n + 1], start=1)
    )
