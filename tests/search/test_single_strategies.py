"""What each strategy promises beyond the contract, on a landscape that is cheap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinynas.search import (
    AgingEvolution,
    AgingEvolutionOptions,
    GridSearch,
    LocalSearch,
    LocalSearchOptions,
    Reinforce,
    SearchProblem,
    StrategyError,
    TrainAndRank,
    TrainAndRankOptions,
    build_strategy,
)
from tinynas.search.strategies._controller import Controller
from tinynas.search.strategies._pool import candidate_pool, incumbent
from tinynas.spaces import Condition, Genotype, Variable, parse_space
from tinynas.testing._strategy_landscape import STRATEGY_SPACE, active_genes, landscape

SMALL_SPACE = """
name = "small"
description = "6 + 36 networks"
width_multipliers = [1.0]
resolutions = [8]
[stem]
width = 8
[[stages]]
width = 8
depth = [1, 2]
choices = { kernel = [3, 5], expansion = [3, 4, 6] }
"""


def free(_: Genotype) -> tuple[str, ...]:
    return ()


def problem(evaluations: int = 200) -> SearchProblem:
    return SearchProblem(parse_space(STRATEGY_SPACE), free, evaluations)


def scores(strategy, count: int) -> list[float]:
    result = []
    for _ in range(count):
        trial = strategy.ask()
        result.append(landscape(trial.genotype))
        strategy.tell(trial, result[-1])
    return result


def test_grid_visits_each_feasible_network_once_and_refuses_more_than_its_budget() -> None:
    small = parse_space(SMALL_SPACE)

    def fits(genotype: Genotype) -> tuple[str, ...]:
        return () if active_genes(genotype) <= 15 else ("too large",)

    feasible = {genotype for genotype in small.enumerate() if not fits(genotype)}
    grid = GridSearch(SearchProblem(small, fits, len(feasible)), 0)
    assert sorted(grid.ask().genotype for _ in feasible) == sorted(feasible)
    with pytest.raises(StrategyError, match=rf"42 networks, {len(feasible)} of which .* not {len(feasible) - 1}; "):
        GridSearch(SearchProblem(small, fits, len(feasible) - 1), 0)
    with pytest.raises(StrategyError, match="grid search needs a budget of as many evaluations, not 1000"):
        GridSearch(problem(1000), 0)


def test_children_of_aging_evolution_change_a_living_network() -> None:
    strategy = AgingEvolution(problem(), 0, AgingEvolutionOptions(population=5, sample=5))
    told: list[Genotype] = []
    for step in range(40):
        trial = strategy.ask()
        if step >= 5:
            parent = max(told[-5:], key=landscape)  # with a sample as large as the population there is no choice
            changed = [i for i, (a, b) in enumerate(zip(parent, trial.genotype, strict=True)) if a != b]
            variables = strategy.problem.space.variables
            woken = [i for i in changed if parent[i] == 0 or trial.genotype[i] == 0]
            assert len(changed) - len(woken) <= 1, (parent, trial.genotype, variables)
        told.append(trial.genotype)
        strategy.tell(trial, landscape(trial.genotype))


def test_local_search_climbs_to_an_optimum_and_begins_anew() -> None:
    small = parse_space(SMALL_SPACE)
    strategy = LocalSearch(SearchProblem(small, free, 42), 1, LocalSearchOptions(initial=1))
    asked = []
    for _ in range(42):
        trial = strategy.ask()
        asked.append(trial.genotype)
        strategy.tell(trial, landscape(trial.genotype))
    assert set(asked[1:3]) <= set(small.neighbours(asked[0]))
    best = max(small.enumerate(), key=landscape)
    assert best in asked[:30]


def test_local_search_in_batches_moves_to_what_was_pending() -> None:
    """All neighbours but the best are told first: none is better than the centre, and the best is not forgotten."""
    small = parse_space(SMALL_SPACE)
    centre = small.smallest()
    best = max(small.neighbours(centre), key=landscape)
    strategy = LocalSearch(SearchProblem(small, free, 42, initial=(centre,)), 0, LocalSearchOptions(initial=1))

    def score(genotype: Genotype) -> float:
        return landscape(genotype) if genotype in (centre, best) else -landscape(genotype)

    strategy.tell(strategy.ask(), score(centre))
    around = [strategy.ask() for _ in small.neighbours(centre)]
    assert {trial.genotype for trial in around} == set(small.neighbours(centre))
    (late,) = [trial for trial in around if trial.genotype == best]
    for trial in around:
        if trial is not late:
            strategy.tell(trial, score(trial.genotype))
    elsewhere = strategy.ask()
    strategy.tell(elsewhere, score(elsewhere.genotype))
    strategy.tell(late, score(best))
    assert strategy.ask().genotype in small.neighbours(best)


@pytest.mark.parametrize(
    "name",
    [
        "evolution",
        "aging-evolution",
        "nsga2",
        "local-search",
        "tpe",
        "predictor",
        "train-and-rank",
        "reinforce",
    ],
)
def test_what_was_learned_is_unlearned_by_a_revision(name: str) -> None:
    """First larger networks are better, then smaller ones: what follows is smaller than what came last."""
    options = {"train": 40, "rank": 500} if name == "train-and-rank" else {}
    sizes = []
    for seed in range(2):
        strategy = build_strategy(name, problem(100), seed, options)
        scores(strategy, 60)
        before = np.mean([active_genes(observation.genotype) for observation in strategy.scored[-15:]])
        strategy.revise([replace(o, score=-o.score) for o in strategy.scored])
        after = []
        for _ in range(30):
            trial = strategy.ask()
            after.append(active_genes(trial.genotype))
            strategy.tell(trial, -landscape(trial.genotype))
        sizes.append((before, np.mean(after[-15:])))
    assert np.mean([after for _, after in sizes]) < np.mean([before for before, _ in sizes]), sizes


def test_what_a_revision_found_infeasible_is_no_parent_and_not_the_best() -> None:
    ruled_out: set[Genotype] = set()
    space = parse_space(STRATEGY_SPACE)
    tight = SearchProblem(space, lambda genotype: ("ruled out",) if genotype in ruled_out else (), 100)
    strategy = AgingEvolution(tight, 0, AgingEvolutionOptions(population=8, sample=8))
    scores(strategy, 8)
    ruled_out.update(sorted((o.genotype for o in strategy.scored), key=landscape)[3:])
    strategy.revise(strategy.scored)
    assert incumbent(strategy.ledger.told) == max(landscape(o.genotype) for o in strategy.scored if o.feasible)
    best = next(o.genotype for o in strategy.scored if landscape(o.genotype) == incumbent(strategy.ledger.told))
    assert set(candidate_pool(strategy, random=1, best=1)) >= set(strategy.candidates.new(space.neighbours(best)))
    child = strategy.ask().genotype
    changed = [i for i, (a, b) in enumerate(zip(best, child, strict=True)) if a != b]
    assert sum(best[i] != 0 and child[i] != 0 for i in changed) <= 1
    ruled_out.update(o.genotype for o in strategy.scored)
    strategy.revise(strategy.scored)
    assert incumbent(strategy.ledger.told) == min(o.score for o in strategy.scored)


def test_ranking_looks_at_more_networks_than_are_scored() -> None:
    strategy = TrainAndRank(problem(), 0, TrainAndRankOptions(train=60, rank=3000))
    found = scores(strategy, 90)
    assert np.mean(found[60:]) > np.max(found[:60])


@pytest.mark.parametrize("name", ["aging-evolution", "gaussian-process", "tpe", "predictor", "reinforce"])
def test_what_learns_ends_above_random_search(name: str) -> None:
    best = [max(scores(build_strategy(name, problem(80), seed), 80)) for seed in range(3)]
    random = [max(scores(build_strategy("random", problem(80), seed), 80)) for seed in range(3)]
    assert np.mean(best) > np.mean(random)


def test_the_gradient_of_the_controller() -> None:
    variables = (
        Variable("depth", (1, 2)),
        Variable("kernel", (3, 5, 7)),
        Variable("second", (0, 1, 2), ordinal=False, requires=(Condition(0, (2,)),)),
        Variable("last", (4, 8)),
    )
    controller = Controller(variables, 5, np.random.default_rng(0))
    for value in controller.parameters.values():
        value += np.random.default_rng(1).normal(0, 0.5, value.shape)
    for genotype in ((2, 5, 1, 8), (1, 7, 0, 4)):
        _, gradients = controller.gradient(genotype, 0.7, 0.3)
        for name, parameter in controller.parameters.items():
            for index in np.ndindex(parameter.shape):
                saved = parameter[index]
                values = []
                for step in (1e-6, -1e-6):
                    parameter[index] = saved + step
                    values.append(controller.gradient(genotype, 0.7, 0.3)[0])
                parameter[index] = saved
                expected = (values[0] - values[1]) / 2e-6
                assert gradients[name][index] == pytest.approx(expected, rel=1e-4, abs=1e-7), (name, index)


def test_the_controller_draws_what_its_gradient_makes_likelier() -> None:
    variables = tuple(Variable(f"v{i}", (0, 1, 2), ordinal=False) for i in range(4))
    controller = Controller(variables, 8, np.random.default_rng(0))
    wanted = (0, 2, 1, 2)
    for _ in range(60):
        _, gradients = controller.gradient(wanted, 1.0, 0.0)
        for name, gradient in gradients.items():
            controller.parameters[name] += 0.3 * gradient
    rng = np.random.default_rng(1)
    assert sum(controller.sample(rng) == wanted for _ in range(100)) > 80
    assert sum(controller.sample(rng, temperature=100.0) == wanted for _ in range(100)) < 20


def test_reinforce_improves_its_own_samples_whatever_the_unit_of_scores() -> None:
    for unit in (0.01, 1.0, 100.0):
        strategy = Reinforce(problem(), 0)
        found = []
        for _ in range(200):
            trial = strategy.ask()
            found.append(landscape(trial.genotype))
            strategy.tell(trial, unit * found[-1])
        assert np.mean(found[-50:]) > np.mean(found[:50]) + np.std(found[:50])
