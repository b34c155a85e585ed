"""Stage: a strategy and, beside it, random search, in rounds between which measurements refine the constraints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tinynas.pipeline.costs import CostModel, NetworkCost
from tinynas.pipeline.run import SearchConfig, strategy_options
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._scores import JournalledScores
from tinynas.search import (
    Evaluation,
    EvolutionarySearch,
    EvolutionOptions,
    ParetoArchive,
    SearchProblem,
    SearchStrategy,
    SoftConstraint,
    SpaceExhaustedError,
    Trial,
    build_strategy,
    mnasnet_product,
    weighted_sum,
)
from tinynas.spaces import Genotype

# Counting MACs costs microseconds, so the MACs-only choice may look at many more networks than there are evaluations.
_MACS_ONLY_EVALUATIONS = 2000

# Networks that are asked before the first of them is told, of strategies without generations: not the number of
# processors, on which no result depends.
_BATCH = 4

RANDOM = "random"
"""The strategy that every other one is compared with."""


@dataclass(frozen=True)
class Scored:
    """A network that was scored.

    Attributes:
        origin: the strategy that asked for it.
        round: in which round.
        genotype: what it is.
        score: its held-out accuracy.
        cost: its predicted costs.
        worth: what it is ranked by: the score, or what a soft constraint makes of it.
    """

    origin: str
    round: int
    genotype: Genotype
    score: float
    cost: NetworkCost
    worth: float

    def as_json(self) -> dict[str, Any]:
        return {
            "origin": self.origin,
            "round": self.round,
            "genotype": list(self.genotype),
            "score": self.score,
            "worth": self.worth,
            "cost": self.cost.as_json(),
        }


class Search:
    """The configured strategy and random search over the same space, constraints and number of evaluations.

    Both look at the network of the most MACs first: what counting alone would choose is worth one evaluation.
    `run_round` may be called once per round. All state follows from the seed and the scores, and the scores are
    journalled: after an interruption the same calls replay in moments what was done before.
    """

    def __init__(self, context: RunContext, chosen: ChosenSpace, costs: CostModel) -> None:
        settings, seed = context.config.search, context.config.seed
        self._context = context
        self._chosen = chosen
        self.costs = costs
        self._costs: dict[Genotype, NetworkCost] = {}
        self.scored: list[Scored] = []
        self._soft = _soft_constraint(settings)
        problem = SearchProblem(
            chosen.space,
            self.violations,
            settings.evaluations,
            costs=lambda genotype: _figures(self.cost(genotype)),
            objectives=settings.objectives,
            initial=(self.most_macs(),),
        )
        options = strategy_options(settings)
        self._strategies: dict[str, SearchStrategy] = {
            settings.strategy: build_strategy(settings.strategy, problem, seed, options)
        }
        if settings.strategy != RANDOM:
            self._strategies[RANDOM] = build_strategy(RANDOM, problem, seed)
        self._batch = int(options.get("population", _BATCH))

    def cost(self, genotype: Genotype) -> NetworkCost:
        """Predicted costs of a network, by the latency model of the current round."""
        if genotype not in self._costs:
            self._costs[genotype] = self.costs.of(self._chosen.architecture(genotype))
        return self._costs[genotype]

    def violations(self, genotype: Genotype) -> tuple[str, ...]:
        """The hard constraints that a network violates, one line each."""
        return self.cost(genotype).violations

    def run_round(self, number: int, costs: CostModel, scores: JournalledScores) -> list[Scored]:
        """Search under `costs`; returns what this round scored. Everything scored before is re-costed."""
        self.recost(costs)
        settings = self._context.config.search
        evaluations = _share(settings.evaluations, settings.rounds, number)
        self._context.progress.begin(f"search, round {number}", len(self._strategies) * evaluations)
        found: list[Scored] = []
        for first in range(0, evaluations, self._batch):
            count = min(self._batch, evaluations - first)
            asked = {origin: _ask(strategy, count) for origin, strategy in self._strategies.items()}
            if not any(asked.values()):
                break  # every network that meets the constraints has been scored
            found += self._score(number, asked, scores, done=len(found))
        self.scored += found
        best = {origin: self.best(origin) for origin in self._strategies}
        self._context.progress.end(
            ", ".join(f"{origin} {100 * entry.score:.2f} %" for origin, entry in best.items() if entry is not None)
            + " held-out, shared weights"
        )
        return found

    def recost(self, costs: CostModel) -> None:
        """Predict the costs of everything scored so far anew, under a refined latency model."""
        if costs is not self.costs:
            self.costs = costs
            self._costs.clear()
        self.scored = [self.entry(entry.origin, entry.round, entry.genotype, entry.score) for entry in self.scored]

    def entry(self, origin: str, round_number: int, genotype: Genotype, score: float) -> Scored:
        """A scored network with its costs, by the latency model of the current round."""
        cost = self.cost(genotype)
        return Scored(origin, round_number, genotype, score, cost, self._soft(score, _figures(cost)))

    def _score(self, number: int, asked: dict[str, list[Trial]], scores: JournalledScores, done: int) -> list[Scored]:
        found: list[Scored] = []

        def seen(completed: int) -> None:
            self._context.progress.advance(done + completed)

        genotypes = [trial.genotype for batch in asked.values() for trial in batch]
        accuracy = dict(zip(genotypes, scores(genotypes, seen), strict=True))
        for origin, batch in asked.items():
            for trial in batch:
                entry = self.entry(origin, number, trial.genotype, accuracy[trial.genotype])
                self._strategies[origin].tell(trial, entry.worth)
                found.append(entry)
        return found

    def ranked(self, origin: str) -> list[Scored]:
        """What `origin` found that meets the current constraints, best first; fewer MACs break a tie."""
        feasible = [entry for entry in self.scored if entry.origin == origin and not entry.cost.violations]
        return sorted(feasible, key=lambda entry: (-entry.worth, entry.cost.macs, entry.genotype))

    @property
    def strategy(self) -> str:
        """The name of the configured strategy: the origin of what it found."""
        return self._context.config.search.strategy

    def best(self, origin: str) -> Scored | None:
        """The best that `origin` found under the current constraints."""
        ranked = self.ranked(origin)
        return ranked[0] if ranked else None

    def most_macs(self) -> Genotype:
        """The choice of who only counts MACs: the network with the most that meets the current constraints."""
        settings = self._context.config.search
        evaluations = max(_MACS_ONLY_EVALUATIONS, settings.evaluations)
        strategy = EvolutionarySearch(
            SearchProblem(self._chosen.space, self.violations, evaluations),
            self._context.config.seed,
            EvolutionOptions(population=100, parents=20),
        )
        best: tuple[int, Genotype] | None = None
        for _ in range(evaluations):
            trials = _ask(strategy, 1)
            if not trials:
                break
            macs = self.cost(trials[0].genotype).macs
            strategy.tell(trials[0], float(macs))
            if best is None or macs > best[0]:
                best = (macs, trials[0].genotype)
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


def _ask(strategy: SearchStrategy, count: int) -> list[Trial]:
    asked: list[Trial] = []
    try:
        while len(asked) < count:
            asked.append(strategy.ask())
    except SpaceExhaustedError:
        pass  # fewer networks meet the constraints than were asked for; what was found is all there is
    return asked


def _figures(cost: NetworkCost) -> dict[str, float]:
    """What strategies and soft constraints know of a network's costs; what is not known is left out."""
    figures = {
        "latency": cost.latency,
        "macs": cost.macs,
        "sram_bytes": cost.sram_bytes,
        "flash_bytes": cost.flash_bytes,
    }
    return {name: float(value) for name, value in figures.items() if value is not None}


def _soft_constraint(settings: SearchConfig) -> SoftConstraint:
    soft = settings.soft_constraint
    if soft is None:
        return lambda score, _: score
    if soft.form == "product":
        return mnasnet_product(soft.cost, soft.target, soft.weight)
    return weighted_sum({soft.cost: soft.weight}, {soft.cost: soft.target})


def _share(total: int, rounds: int, number: int) -> int:
    """How many of `total` evaluations round `number` (from 1) gets: equal shares, the remainder first."""
    return total // rounds + (1 if number <= total % rounds else 0)
