"""Stage: a search method, and random search beside it, in rounds between which measurements refine the constraints."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tinynas.evaluation import Estimate, QueuedEvaluator, check_shared_weights
from tinynas.pipeline.costs import CostModel, NetworkCost
from tinynas.pipeline.run import method_options
from tinynas.pipeline.run.stages._by_hand import starting_networks
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._counted import counted_best
from tinynas.pipeline.run.stages._evaluations import evaluation_task
from tinynas.pipeline.run.stages._scored import Scored, figures_of, soft_constraint
from tinynas.pipeline.run.stages._supernet import train
from tinynas.pipeline.run.stages._training_settings import training_settings
from tinynas.search import (
    BlockCosts,
    Candidates,
    InfeasibleError,
    MethodTask,
    Observation,
    SearchProblem,
    SearchStrategy,
    SpaceExhaustedError,
    Trial,
    build_method,
    build_strategy,
    read_method_options,
)
from tinynas.spaces import Genotype, describe

_NOTHING = 1e-9  # of an evaluation: shares of the full training add up but for rounding

RANDOM = "random"
"""The strategy that every other one is compared with."""


class Search:
    """The configured method and random search over the same space, constraints and number of evaluations.

    Both look at the network of the most MACs first: what counting alone would choose is worth one evaluation.
    `use` says what scores networks, then `run_round` may be called once per round. All state follows from the seed and
    the scores, and those are journalled: after an interruption the same calls replay in moments what was done before.

    Attributes:
        method: the configured one; it has refused by now what it would refuse after something was trained.
        started: where the search starts besides, by the name of the hand-made network that each member is most like.
        scored: everything that was scored so far.
    """

    def __init__(self, context: RunContext, chosen: ChosenSpace, costs: CostModel) -> None:
        settings = context.config.search
        self._context = context
        self._chosen = chosen
        self.costs = costs
        self._costs: dict[Genotype, NetworkCost] = {}
        self.scored: list[Scored] = []
        self._estimates: dict[Trial, Estimate] = {}
        self._soft = soft_constraint(settings)
        self.started = starting_networks(context, chosen, costs.meets_all)
        self._problem = SearchProblem(  # random search's; the method starts at more
            chosen.space,
            self.violations,
            settings.evaluations,
            costs=lambda genotype: figures_of(self.cost(genotype)),
            describe=lambda genotype: describe(chosen.architecture(genotype)),
            objectives=settings.objectives,
            initial=self._counted(),
        )
        problem = replace(self._problem, initial=(*dict.fromkeys(self.started.values()), *self._problem.initial))
        self._options = read_method_options(settings.method, method_options(settings))
        evaluation = evaluation_task(context, chosen, sample=self.feasible)
        if context.config.finetune.weights == "supernet":
            check_shared_weights(evaluation)
        task = MethodTask(
            problem,
            evaluation,
            costs=_block_costs(costs),
            training=training_settings(context.config, context.config.supernet),
            supernet=lambda: train(context, chosen),
        )
        self.method = build_method(settings.method, task, method_options(settings))
        self._strategies: dict[str, SearchStrategy] = {}
        self._overspent: dict[str, float] = {}
        self._evaluator: QueuedEvaluator | None = None
        self._counts = False

    def use(self, evaluator: QueuedEvaluator, *, counts: bool = False) -> None:
        """Score networks by this evaluator, at the fidelities that it has. Before the first round.

        Args:
            evaluator: the method's own, or one that `counts` in its place: then scores are no accuracies.
            counts: which of the two.
        """
        self._counts = counts
        fidelities = tuple(evaluator.fidelities)
        problem, seed = replace(self._problem, fidelities=fidelities), self._context.config.seed
        self._evaluator = evaluator
        self._strategies = {self.method.origin: self.method.strategy(fidelities)}
        if self._context.config.baselines.random_search:
            self._strategies.setdefault(RANDOM, build_strategy(RANDOM, problem, seed))
        self._overspent = dict.fromkeys(self._strategies, 0.0)

    def feasible(self, rng: np.random.Generator) -> Genotype:
        """A random network that meets the constraints; one is shrunk until it does where hardly any does.

        Raises:
            InfeasibleError: none was found, not even the smallest.
        """
        space = self._chosen.space
        return Candidates(space, self.violations).fresh(lambda: space.sample(rng), rng)

    def cost(self, genotype: Genotype) -> NetworkCost:
        """Predicted costs of a network, by the latency model of the current round."""
        if genotype not in self._costs:
            self._costs[genotype] = self.costs.of(self._chosen.architecture(genotype))
        return self._costs[genotype]

    def violations(self, genotype: Genotype) -> tuple[str, ...]:
        """The hard constraints that a network violates, one line each."""
        return self.cost(genotype).violations

    def run_round(self, number: int, costs: CostModel) -> list[Scored]:
        """Search under `costs`; returns what this round scored. Everything scored before is re-costed."""
        self.recost(costs)
        settings = self._context.config.search
        evaluations = _share(settings.evaluations, settings.rounds, number)
        self._context.progress.begin(f"search, round {number}", len(self._strategies) * evaluations)
        found: list[Scored] = []
        left = {origin: evaluations - spent for origin, spent in self._overspent.items()}
        in_flight: deque[tuple[str, Trial]] = deque()
        while True:
            for origin in self._strategies:
                self._ask(origin, left, in_flight)
            if not in_flight:
                break
            found.append(self._tell(number, *in_flight.popleft()))
            self._context.progress.advance(round(sum(entry.fidelity for entry in found)))
        self._overspent = {origin: -budget for origin, budget in left.items()}
        self.scored += found
        best = {origin: self.best(origin) for origin in self._strategies}
        self._context.progress.end(
            ", ".join(f"{origin} {self._worded(entry.score)}" for origin, entry in best.items() if entry is not None)
            + f" by {self.evaluator}"
        )
        return found

    def recost(self, costs: CostModel) -> None:
        """Predict the costs of everything scored anew, under a refined latency model, and have strategies revise it."""
        if costs is self.costs:
            return
        self.costs = costs
        self._costs.clear()
        self.scored = [self.entry(e.origin, e.round, Trial(e.genotype, e.fidelity), e.score) for e in self.scored]
        for origin, asking in self._strategies.items():
            asking.revise([self._observation(entry) for entry in self.scored if entry.origin == origin])

    def _observation(self, entry: Scored) -> Observation:
        """What a strategy is told of a network that was scored."""
        trial = Trial(entry.genotype, entry.fidelity)
        return Observation(trial, entry.worth, self._deviation(self._estimates[trial], entry.worth))

    def score_of(self, trial: Trial) -> float | None:
        """What the evaluator said of a trial that was asked for; None if it was not."""
        return next(
            (e.score for e in self.scored if (e.genotype, e.fidelity) == (trial.genotype, trial.fidelity)), None
        )

    def entry(self, origin: str, round_number: int, trial: Trial, score: float) -> Scored:
        """A scored network with its costs, by the latency model of the current round."""
        cost = self.cost(trial.genotype)
        worth = self._soft(score, figures_of(cost))
        return Scored(origin, round_number, trial.genotype, score, trial.fidelity, cost, worth)

    def _deviation(self, estimate: Estimate, worth: float) -> float | None:
        """The deviation of a worth: a product scales it as it scales the score, a sum only moves that."""
        soft = self._context.config.search.soft_constraint
        if estimate.deviation is None or soft is None or soft.form == "sum" or estimate.value == 0:
            return estimate.deviation
        return estimate.deviation * abs(worth / estimate.value)

    def _worded(self, score: float) -> str:
        return f"{100 * score:.2f} % held out" if self.accuracy else f"{score:.4g}"

    def _ask(self, origin: str, left: dict[str, float], in_flight: deque[tuple[str, Trial]]) -> None:
        """Have a strategy ask until its window is full, its budget spent, or scores must come first."""
        assert self._evaluator is not None  # `use` comes before the first round
        asking = self._strategies[origin]
        mine = sum(asked == origin for asked, _ in in_flight)
        while left[origin] > _NOTHING and mine < self._context.config.search.window:
            if mine and asking.awaits_scores:
                return
            try:
                trial = asking.ask()
            except SpaceExhaustedError:
                if not mine:  # every network that meets the constraints has been scored: no score can change that
                    left[origin] = 0.0
                return
            self._evaluator.submit(trial.genotype, trial.fidelity)
            in_flight.append((origin, trial))
            left[origin] -= trial.fidelity
            mine += 1

    def _tell(self, number: int, origin: str, trial: Trial) -> Scored:
        """Wait for the score of the network that was asked for first, and tell it."""
        assert self._evaluator is not None
        self._estimates[trial] = self._evaluator.collect()
        entry = self.entry(origin, number, trial, self._estimates[trial].value)
        told = self._observation(entry)
        self._strategies[origin].tell(trial, told.score, told.deviation)
        return entry

    def ranked(self, origin: str) -> list[Scored]:
        """What `origin` found that meets the current constraints, best first; fewer MACs break a tie.

        What was scored at the highest fidelity comes before all else; every network stands there once.
        """
        feasible = [entry for entry in self.scored if entry.origin == origin and not entry.cost.violations]
        feasible.sort(key=lambda entry: (-entry.fidelity, -entry.worth, entry.cost.macs, entry.genotype))
        best: dict[Genotype, Scored] = {}
        for entry in feasible:
            best.setdefault(entry.genotype, entry)
        return list(best.values())

    @property
    def strategy(self) -> str:
        """The name of the configured strategy, or of a method without one: the origin of what it found."""
        return self.method.origin

    @property
    def evaluator(self) -> str:
        """The name of what scores networks."""
        assert self._evaluator is not None  # `use` comes before anything is scored
        return self._evaluator.name

    @property
    def accuracy(self) -> bool:
        """Whether scores are accuracies in [0, 1]."""
        return self._options.accuracy and not self._counts

    def best(self, origin: str) -> Scored | None:
        """The best that `origin` found under the current constraints."""
        ranked = self.ranked(origin)
        return ranked[0] if ranked else None

    def _counted(self) -> tuple[Genotype, ...]:
        """What counting would choose: that is worth one evaluation, and a test may leave the search to counting."""
        if self._context.config.ruler.networks == 0:
            return (self.most_macs(),)
        most_params = self._most(lambda genotype: describe(self._chosen.architecture(genotype))["params"])
        return tuple(dict.fromkeys((self.most_macs(), most_params)))

    def most_macs(self) -> Genotype:
        """The choice of who only counts MACs: the network with the most that meets the current constraints.

        Where counting finds none, because a refined latency model has left next to nothing, it is the one with the most
        of those that were scored.

        Raises:
            InfeasibleError: none of those meets the constraints either.
        """
        try:
            return self._most(lambda genotype: float(self.cost(genotype).macs))
        except InfeasibleError:
            scored = [entry for entry in self.scored if not self.violations(entry.genotype)]
            if not scored:
                raise
            return max(scored, key=lambda entry: (entry.cost.macs, entry.genotype)).genotype

    def _most(self, count: Callable[[Genotype], float]) -> Genotype:
        config = self._context.config
        return counted_best(self._chosen.space, self.violations, count, config.search.evaluations, config.seed)


def _block_costs(costs: CostModel) -> BlockCosts:
    """Of the blocks of networks, what is limited: ticks where there is a limit, else multiply-accumulates."""
    if costs.limit is None or costs.latency is None:
        return BlockCosts(costs.block_macs)
    limit = costs.limit.ticks - costs.latency.overhead.per_inference
    return BlockCosts(costs.block_latency, limit, costs.limit.unit)


def _share(total: int, rounds: int, number: int) -> int:
    """How many of `total` evaluations round `number` (from 1) gets: equal shares, the remainder first."""
    return total // rounds + (1 if number <= total % rounds else 0)
