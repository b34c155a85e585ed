from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinynas.search import (
    EvolutionarySearch,
    EvolutionOptions,
    InfeasibleError,
    RandomSearch,
    SearchProblem,
    SearchStrategy,
    SpaceExhaustedError,
    StrategyError,
    build_strategy,
)
from tinynas.spaces import Genotype, SearchSpace, parse_space
from tinynas.testing import BaseStrategyTestCase
from tinynas.testing._strategy_landscape import STRATEGY_SPACE, active_genes, landscape

SMALL_SPACE = """
name = "small"
description = "few enough networks to list"
width_multipliers = [1.0]
resolutions = [8]

[stem]
width = 8

[[stages]]
width = 8
depth = [1, 2]
choices = { kernel = [3, 5], expansion = [3, 4, 6] }
"""


@pytest.fixture
def small() -> SearchSpace:
    return parse_space(SMALL_SPACE)


def free(_: Genotype) -> tuple[str, ...]:
    return ()


class TestRandomSearch(BaseStrategyTestCase):
    def strategy(self, problem: SearchProblem, seed: int) -> SearchStrategy:
        return RandomSearch(problem, seed)


class TestEvolutionarySearch(BaseStrategyTestCase):
    def strategy(self, problem: SearchProblem, seed: int) -> SearchStrategy:
        return EvolutionarySearch(problem, seed, EvolutionOptions(population=16, parents=5))


class TestEvolutionOfDefaults(BaseStrategyTestCase):
    """The first generation of 100 spans the whole contract: a different path than above."""

    def strategy(self, problem: SearchProblem, seed: int) -> SearchStrategy:
        return EvolutionarySearch(replace(problem, evaluations=3000), seed)


def test_evolution_asks_known_networks_first(small: SearchSpace) -> None:
    largest, smallest = small.largest(), small.smallest()

    def not_the_largest(genotype: Genotype) -> tuple[str, ...]:
        return ("too large",) if genotype == largest else ()

    problem = SearchProblem(small, not_the_largest, 20, initial=(largest, smallest, smallest))
    strategy = EvolutionarySearch(problem, 0, EvolutionOptions(population=4, parents=2))
    asked = [strategy.ask().genotype for _ in range(20)]
    assert asked[0] == smallest
    assert largest not in asked
    assert len(set(asked)) == 20


def best_after(strategy: SearchStrategy, evaluations: int, score) -> float:
    best = -np.inf
    for _ in range(evaluations):
        trial = strategy.ask()
        value = score(trial.genotype)
        best = max(best, value)
        strategy.tell(trial, value)
    return best


@pytest.mark.parametrize(("limit", "noise"), [(1000, 0.0), (60, 0.0), (60, 0.5), (45, 0.5)])
def test_evolution_beats_random_search_at_equal_evaluations(limit: int, noise: float) -> None:
    """With and without constraints that bind (60 is the median of random networks, 45 what one in six meets), with
    and without noise on the scores: a supernet's accuracies are noisy."""
    space = parse_space(STRATEGY_SPACE)

    def constraint(genotype: Genotype) -> tuple[str, ...]:
        return () if active_genes(genotype) <= limit else ("too large",)

    wins = []
    for seed in range(8):
        rng = np.random.default_rng(1000 + seed)

        def noisy(genotype: Genotype, rng: np.random.Generator = rng) -> float:
            return landscape(genotype) + noise * rng.standard_normal()

        problem = SearchProblem(space, constraint, 200)
        evolution = EvolutionarySearch(problem, seed, EvolutionOptions(population=25, parents=8))
        random = RandomSearch(problem, seed)
        best = {}
        for name, strategy in (("evolution", evolution), ("random", random)):
            best_after(strategy, 200, noisy)
            chosen = max(strategy.scored, key=lambda observation: observation.score)
            best[name] = landscape(chosen.genotype)
        wins.append(best["evolution"] > best["random"])
    assert sum(wins) >= 7, wins


@pytest.mark.parametrize("strategy_type", [RandomSearch, EvolutionarySearch])
def test_a_small_space_is_searched_to_its_end(small: SearchSpace, strategy_type) -> None:
    strategy = strategy_type(SearchProblem(small, free, 42), seed=0)
    assert small.size() == 6 + 36
    asked = [strategy.ask().genotype for _ in range(42)]
    assert set(asked) == set(small.enumerate())
    with pytest.raises(SpaceExhaustedError, match="all 42"):
        strategy.ask()


def test_an_infeasible_small_space_is_known_to_be_infeasible(small: SearchSpace) -> None:
    def constraint(genotype: Genotype) -> tuple[str, ...]:
        return ("SRAM 900 of 800 bytes",) if genotype[0] == 2 else ("SRAM 900 of 800 bytes", "flash 90 of 80 bytes")

    with pytest.raises(InfeasibleError, match=r"none of the 42 networks.*: SRAM 900 of 800 bytes\. ") as caught:
        RandomSearch(SearchProblem(small, constraint, 42), seed=0).ask()
    assert caught.value.genotype[0] == 2
    assert caught.value.exit_code == 1


def test_proposals_that_fit_are_not_touched_by_repair() -> None:
    """With half of the space feasible, random search must stay uniform over it, not be drawn to the small end."""
    space = parse_space(STRATEGY_SPACE)
    rng = np.random.default_rng(0)
    limit = int(np.median([active_genes(space.sample(rng)) for _ in range(2000)]))

    def constraint(genotype: Genotype) -> tuple[str, ...]:
        return () if active_genes(genotype) <= limit else ("too large",)

    strategy = RandomSearch(SearchProblem(space, constraint, 1500), seed=1)
    searched = [active_genes(strategy.ask().genotype) for _ in range(1500)]
    drawn = [size for size in (active_genes(space.sample(rng)) for _ in range(4000)) if size <= limit]
    standard_error = np.std(drawn) * np.sqrt(1 / len(drawn) + 1 / len(searched))
    assert abs(np.mean(searched) - np.mean(drawn)) < 4 * standard_error


def test_children_come_from_the_best() -> None:
    space = parse_space(STRATEGY_SPACE)
    options = EvolutionOptions(population=10, parents=2, mutation_share=0.0)
    strategy = EvolutionarySearch(SearchProblem(space, free, 20), 2, options)
    first = []
    for _ in range(10):
        trial = strategy.ask()
        first.append(trial.genotype)
        strategy.tell(trial, landscape(trial.genotype))
    a, b = sorted(first, key=landscape)[-2:]
    child = strategy.ask().genotype
    assert child not in (a, b)
    assert all(gene in (x, y) or gene == 0 for gene, x, y in zip(child, a, b, strict=True))


def test_parents_meet_constraints_that_tightened_since() -> None:
    """As when a measurement shows that networks are slower than predicted: what no longer fits must not breed."""
    limit = 60

    def constraint(genotype: Genotype) -> tuple[str, ...]:
        return () if active_genes(genotype) <= limit else ("too large",)

    options = EvolutionOptions(population=20, parents=2, mutation_share=0.0)
    strategy = EvolutionarySearch(SearchProblem(parse_space(STRATEGY_SPACE), constraint, 30), 3, options)
    first = []
    for _ in range(20):
        trial = strategy.ask()
        first.append(trial.genotype)
        strategy.tell(trial, active_genes(trial.genotype))
    limit = 50
    strategy.revise(strategy.scored)
    a, b = sorted((g for g in first if not constraint(g)), key=active_genes)[-2:]
    assert max(map(active_genes, first)) > limit
    children = [strategy.ask().genotype for _ in range(10)]
    assert all(not constraint(child) for child in children)
    # Repair may shrink a gene of a child, nothing makes it larger than in both parents.
    assert all(gene <= max(x, y) for child in children for gene, x, y in zip(child, a, b, strict=True))


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"population": 1}, "population: Input should be greater than or equal to 2"),
        ({"parents": 0}, "parents: Input should be greater than or equal to 1"),
        ({"population": 10, "parents": 11}, "parents (11) must not exceed population (10)"),
        ({"mutation_share": 1.5}, "mutation_share: Input should be less than or equal to 1"),
        ({"mutation_rate": -0.1}, "mutation_rate: Input should be greater than or equal to 0"),
        ({"poplation": 10}, "unknown key 'poplation'; did you mean 'population'?"),
    ],
)
def test_wrong_settings_are_refused(small: SearchSpace, wrong: dict[str, float], line: str) -> None:
    with pytest.raises(StrategyError) as caught:
        build_strategy("evolution", SearchProblem(small, free, 10), 0, wrong)
    assert str(caught.value) == f"options of strategy 'evolution': {line}"
