"""A network that was scored, its figures, and the front of several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tinynas.pipeline.costs import NetworkCost
from tinynas.pipeline.run import SearchConfig
from tinynas.search import Evaluation, ParetoArchive, SoftConstraint, mnasnet_product, weighted_sum
from tinynas.spaces import Genotype


@dataclass(frozen=True)
class Scored:
    """A network that was scored.

    Attributes:
        origin: the strategy that asked for it.
        round: in which round.
        genotype: what it is.
        score: what the evaluator said: its held-out accuracy, of most evaluators.
        fidelity: the share of the full training at which it was scored.
        cost: its predicted costs.
        worth: what it is ranked by: the score, or what a soft constraint makes of it.
    """

    origin: str
    round: int
    genotype: Genotype
    score: float
    fidelity: float
    cost: NetworkCost
    worth: float

    def as_json(self) -> dict[str, Any]:
        return {
            "origin": self.origin,
            "round": self.round,
            "genotype": list(self.genotype),
            "score": self.score,
            "fidelity": self.fidelity,
            "worth": self.worth,
            "cost": self.cost.as_json(),
        }


def pareto_front(entries: Iterable[Scored], costs: Sequence[str]) -> set[Genotype]:
    """Genotypes on the front of score and `costs`."""
    archive = ParetoArchive(costs)
    for entry in entries:
        archive.add(Evaluation(entry.genotype, entry.score, figures_of(entry.cost)))
    return {evaluation.genotype for evaluation in archive.members}


def figures_of(cost: NetworkCost) -> dict[str, float]:
    """What strategies and soft constraints know of a network's costs; what is not known is left out."""
    figures = {
        "latency": cost.latency,
        "macs": cost.macs,
        "sram_bytes": cost.sram_bytes,
        "flash_bytes": cost.flash_bytes,
    }
    return {name: float(value) for name, value in figures.items() if value is not None}


def soft_constraint(settings: SearchConfig) -> SoftConstraint:
    """What a score is worth beside what a network costs: the score itself where nothing is said."""
    soft = settings.soft_constraint
    if soft is None:
        return lambda score, _: score
    if soft.form == "product":
        return mnasnet_product(soft.cost, soft.target, soft.weight)
    return weighted_sum({soft.cost: soft.weight}, {soft.cost: soft.target})
