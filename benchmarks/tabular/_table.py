"""A table of trained networks: a space, the score of each network at each fidelity, what it costs, and a limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tinynas.search import SearchProblem
from tinynas.spaces import Architecture, Genotype, SearchSpace, SpaceError, Variable, VariableSpace

Scores = Mapping[float, Mapping[Genotype, float]]
"""Of each network, by fidelity: the share of the longest training."""


class TableOnlySpace(VariableSpace):
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
        scores: accuracy of each, in per cent, the mean over training seeds, by fidelity in ascending order; the last
            fidelity is 1.
        deviations: standard error of each score, in points; a network that was trained once has none.
        costs: `macs` and `params` of each network, and what else the table knows.
        limit: hard limit on `macs`.
        shares: the best shares of the feasible networks that a search may look for: of less, seeds decide.
    """

    space: SearchSpace
    scores: Scores
    deviations: Scores
    costs: Mapping[Genotype, Mapping[str, float]]
    limit: float
    shares: tuple[float, ...]

    @property
    def fidelities(self) -> tuple[float, ...]:
        """Shares of the longest training at which there are scores, ascending to 1."""
        return tuple(self.scores)

    def limited(self, share: float) -> NasTable:
        """The table with the limit on MACs at which that share of its networks is feasible."""
        return replace(self, limit=quantile_of_macs(self.costs, share))

    def violations(self, genotype: Genotype) -> tuple[str, ...]:
        """The hard constraint: MACs up to the limit."""
        macs = self.costs[genotype]["macs"]
        return () if macs <= self.limit else (f"{macs:.0f} of {self.limit:.0f} MACs",)

    def ranked(self) -> list[float]:
        """Scores of all feasible networks after the longest training, best first."""
        return sorted((score for g, score in self.scores[1.0].items() if not self.violations(g)), reverse=True)

    def threshold(self, share: float) -> float:
        """The score from which on a network is among the best `share` of the feasible ones."""
        ranked = self.ranked()
        return ranked[good_networks(len(ranked), share) - 1]

    def problem(self, evaluations: int, fidelities: tuple[float, ...] | None = None) -> SearchProblem:
        """The search for the best feasible network.

        Args:
            evaluations: the budget, in longest trainings.
            fidelities: those that may be asked; by default all.
        """
        return SearchProblem(
            self.space,
            self.violations,
            evaluations,
            costs=self.costs.__getitem__,
            objectives=("macs",),
            fidelities=fidelities or self.fidelities,
        )


def good_networks(networks: int, share: float) -> int:
    """How many networks are the best `share` of them; at least one."""
    return max(1, int(share * networks))


def quantile_of_macs(costs: Mapping[Genotype, Mapping[str, float]], share: float = 0.5) -> float:
    """MACs that a share of all networks does not exceed; by default the median."""
    return float(np.quantile([cost["macs"] for cost in costs.values()], share))
