"""Stage: evolution and, beside it, random search, in rounds between which measurements refine the constraints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tinynas.evaluation import Estimate, Evaluator
from tinynas.pipeline.costs import CostModel, NetworkCost
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.search import (
    Evaluation,
    EvolutionarySearch,
    ParetoArchive,
    RandomSearch,
    SearchStrategy,
    SpaceExhaustedError,
)
from tinynas.spaces import Genotype

# Counting MACs costs microseconds, so the MACs-only choice may look at many more networks than there are evaluations.
_MACS_ONLY_EVALUATIONS = 2000


@dataclass(frozen=True)
class Scored:
    """A network that was scored: where it came from, its held-out accuracy, and its predicted costs."""

    origin: str
    round: int
    genotype: Genotype
    score: float
    cost: NetworkCost

    def as_json(self) -> dict[str, Any]:
        return {
            "origin": self.origin,
            "round": self.round,
            "genotype": list(self.genotype),
            "score": self.score,
            "cost": self.cost.as_json(),
        }


class Search:
    """Evolution and random search over the same space, constraints and number of evaluations.

    `run_round` may be called once per round. All state follows from the seed and the scores, and those are
    journalled: after an interruption the same calls replay in moments what was done before.
    """

    def __init__(self, context: RunContext, chosen: ChosenSpace, costs: CostModel, evaluator: Evaluator) -> None:
        settings, seed = context.config.search, context.config.seed
        self._context = context
        self._chosen = chosen
        self._evaluator = evaluator
        self.costs = costs
        self.scored: list[Scored] = []
        self._strategies: dict[str, SearchStrategy] = {
            "evolution": EvolutionarySearch(
                chosen.space,
                self.violations,
                seed,
                population=settings.population,
                parents=max(2, settings.population // 4),
                # What capacity alone would choose is worth one evaluation: evolution never ends below it.
                initial=(self.most_macs(),),
            ),
            "random": RandomSearch(chosen.space, self.violations, seed),
        }

    def cost(self, genotype: Genotype) -> NetworkCost:
        """Predicted costs of a network, by the latency model of the current round."""
        return self.costs.of(self._chosen.architecture(genotype))

    def violations(self, genotype: Genotype) -> tuple[str, ...]:
        """The hard constraints that a network violates, one line each."""
        return self.cost(genotype).violations

    def run_round(self, number: int, costs: CostModel) -> list[Scored]:
        """Search under `costs`; returns what this round scored. Everything scored before is re-costed."""
        self.recost(costs)
        settings = self._context.config.search
        evaluations = _share(settings.evaluations, settings.rounds, number)
        self._context.progress.begin(f"search, round {number}", 2 * evaluations)
        found: list[Scored] = []
        remaining = evaluations
        while remaining > 0:
            asked = {
                origin: _ask(strategy, min(settings.population, remaining))
                for origin, strategy in self._strategies.items()
            }
            if not any(asked.values()):
                break  # every network that meets the constraints has been scored
            found += self._score(number, asked, done=len(found))
            remaining -= settings.population
        self.scored += found
        best = {origin: self.best(origin) for origin in self._strategies}
        self._context.progress.end(
            ", ".join(f"{origin} {100 * entry.score:.2f} %" for origin, entry in best.items() if entry is not None)
            + " held-out, shared weights"
        )
        return found

    def recost(self, costs: CostModel) -> None:
        """Predict the costs of everything scored so far anew, under a refined latency model."""
        self.costs = costs
        self.scored = [replace(entry, cost=self.cost(entry.genotype)) for entry in self.scored]

    def _score(self, number: int, asked: dict[str, list[Genotype]], done: int) -> list[Scored]:
        found: list[Scored] = []

        def seen(_: int, estimate: Estimate) -> None:
            known.append(estimate)
            self._context.progress.advance(done + len(known))

        known: list[Estimate] = []
        genotypes = [genotype for batch in asked.values() for genotype in batch]
        estimates = self._evaluator.evaluate(genotypes, progress=seen)
        scores = {genotype: estimate.value for genotype, estimate in zip(genotypes, estimates, strict=True)}
        for origin, batch in asked.items():
            for genotype in batch:
                self._strategies[origin].tell(genotype, scores[genotype])
                found.append(Scored(origin, number, genotype, scores[genotype], self.cost(genotype)))
        return found

    def ranked(self, origin: str) -> list[Scored]:
        """What `origin` found that meets the current constraints, best first; fewer MACs break a tie."""
        feasible = [entry for entry in self.scored if entry.origin == origin and not entry.cost.violations]
        return sorted(feasible, key=lambda entry: (-entry.score, entry.cost.macs, entry.genotype))

    def best(self, origin: str) -> Scored | None:
        """The best that `origin` found under the current constraints."""
        ranked = self.ranked(origin)
        return ranked[0] if ranked else None

    def most_macs(self) -> Genotype:
        """The choice of who only counts MACs: the network with the most that meets the current constraints."""
        settings = self._context.config.search
        strategy = EvolutionarySearch(
            self._chosen.space, self.violations, self._context.config.seed, population=100, parents=20
        )
        best: tuple[int, Genotype] | None = None
        for _ in range(max(_MACS_ONLY_EVALUATIONS, settings.evaluations)):
            genotypes = _ask(strategy, 1)
            if not genotypes:
                break
            macs = self.cost(genotypes[0]).macs
            strategy.tell(genotypes[0], float(macs))
            if best is None or macs > best[0]:
                best = (macs, genotypes[0])
        if best is None:
            raise RuntimeError("no feasible network, although the search found some")
        return best[1]


def pareto_front(entries: Iterable[Scored], costs: Sequence[str] = ("latency", "sram_bytes")) -> set[Genotype]:
    """Genotypes on the front of accuracy, latency and SRAM."""
    archive = ParetoArchive(costs)
    for entry in entries:
        values = {"latency": entry.cost.latency, "sram_bytes": entry.cost.sram_bytes}
        archive.add(Evaluation(entry.genotype, entry.score, {k: float(v) for k, v in values.items() if v is not None}))
    return {evaluation.genotype for evaluation in archive.members}


def _ask(strategy: SearchStrategy, count: int) -> list[Genotype]:
    asked: list[Genotype] = []
    try:
        while len(asked) < count:
            asked.append(strategy.ask())
    except SpaceExhaustedError:
        pass  # fewer networks meet the constraints than were asked for; what was found is all there is
    return asked


def _share(total: int, rounds: int, number: int) -> int:
    """How many of `total` evaluations round `number` (from 1) gets: equal shares, the remainder first."""
    return total // rounds + (1 if number <= total % rounds else 0)
