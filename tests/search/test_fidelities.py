"""The schedules of successive halving and Hyperband, and what moves up."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest

from tinynas.search import (
    Bohb,
    Hyperband,
    PredictorHalving,
    PredictorHalvingOptions,
    SearchProblem,
    StrategyError,
    SuccessiveHalving,
    SuccessiveHalvingOptions,
    Trial,
    build_strategy,
)
from tinynas.search.strategies._brackets import Rungs, halving_rungs, hyperband_rungs
from tinynas.search.strategies._predictor_halving import rungs_with_finalists
from tinynas.spaces import parse_space
from tinynas.testing._strategy_landscape import STRATEGY_SPACE, landscape

LADDER = (1 / 81, 1 / 27, 1 / 9, 1 / 3, 1.0)


def problem(fidelities: tuple[float, ...], evaluations: int = 20) -> SearchProblem:
    return SearchProblem(parse_space(STRATEGY_SPACE), lambda _: (), evaluations, fidelities=fidelities)


@pytest.mark.parametrize(
    ("fidelities", "evaluations", "networks"),
    [
        (LADDER, 5, [81, 27, 9, 3, 1]),
        (LADDER, 15, [243, 81, 27, 9, 3]),
        ((0.125, 0.25, 0.5, 1.0), 16, [32, 16, 8, 4]),
        ((0.1, 1.0), 3, [15, 1]),
        ((1.0,), 7, [7]),
        ((0.5, 1.0), 1, [1, 1]),
    ],
)
def test_every_rung_of_successive_halving_costs_the_same(
    fidelities: tuple[float, ...], evaluations: int, networks: list[int]
) -> None:
    rungs = halving_rungs(fidelities, evaluations)
    assert [count for count, _ in rungs] == networks
    assert tuple(fidelity for _, fidelity in rungs) == fidelities


def test_the_brackets_of_hyperband() -> None:
    """Algorithm 1 of Li et al. 2018 with R = 81 and eta = 3."""
    brackets = [[count for count, _ in hyperband_rungs(LADDER, skipped)] for skipped in range(5)]
    assert brackets == [[81, 27, 9, 3, 1], [34, 11, 3, 1], [15, 5, 1], [8, 2], [5]]


def test_the_best_move_up_and_nothing_else() -> None:
    strategy = SuccessiveHalving(problem((1 / 9, 1 / 3, 1.0)), 0, SuccessiveHalvingOptions(bracket_evaluations=3))
    asked = []
    for _ in range(9 + 3 + 1):
        trial = strategy.ask()
        asked.append(trial)
        strategy.tell(trial, landscape(trial.genotype))
    assert Counter(trial.fidelity for trial in asked) == {1 / 9: 9, 1 / 3: 3, 1.0: 1}
    best = sorted((trial.genotype for trial in asked[:9]), key=landscape, reverse=True)
    assert [trial.genotype for trial in asked[9:12]] == best[:3]
    assert asked[12].genotype == best[0]
    assert strategy.ask().fidelity == 1 / 9  # the next bracket


def test_what_is_awaited_does_not_keep_the_next_bracket_from_beginning() -> None:
    strategy = SuccessiveHalving(problem((1 / 3, 1.0)), 0, SuccessiveHalvingOptions(bracket_evaluations=2))
    first = [strategy.ask() for _ in range(3)]
    following = strategy.ask()
    assert following.fidelity == 1 / 3
    for trial in first:
        strategy.tell(trial, landscape(trial.genotype))
    best = max(first, key=lambda trial: landscape(trial.genotype))
    assert strategy.ask() == replace(best, fidelity=1.0)


def test_bohb_asks_for_better_networks_than_hyperband() -> None:
    """Among those that enter at the lowest fidelity: what moves up is chosen alike."""
    means = {}
    for strategy_type in (Hyperband, Bohb):
        entered = []
        for seed in range(3):
            strategy = strategy_type(problem((1 / 9, 1 / 3, 1.0)), seed)
            seen: set[tuple[int, ...]] = set()
            for step in range(250):
                trial = strategy.ask()
                if step >= 100 and trial.genotype not in seen:
                    entered.append(landscape(trial.genotype))
                seen.add(trial.genotype)
                strategy.tell(trial, landscape(trial.genotype))
        means[strategy_type.name] = sum(entered) / len(entered)
    assert means["bohb"] > means["hyperband"] + 1


@pytest.mark.parametrize(
    ("fidelities", "evaluations", "finalists", "rungs"),
    [
        ((0.2, 1.0), 16, 4, ((60, 0.2), (4, 1.0))),
        ((1 / 9, 1 / 3, 1.0), 10, 1, ((40, 1 / 9), (13, 1 / 3), (1, 1.0))),
        ((1.0,), 7, 4, ((7, 1.0),)),
        ((0.5, 1.0), 1, 4, ((1, 0.5), (1, 1.0))),
        ((0.9, 1.0), 8, 7, ((1, 0.9), (1, 1.0))),
    ],
)
def test_rungs_below_the_finalists_share_the_rest_of_the_budget(
    fidelities: tuple[float, ...], evaluations: int, finalists: int, rungs: Rungs
) -> None:
    assert rungs_with_finalists(fidelities, evaluations, finalists) == rungs


@pytest.mark.parametrize("name", ["successive-halving", "hyperband", "bohb", "predictor-halving"])
def test_asked_in_batches_it_waits_for_scores_that_decide_who_moves_up(name: str) -> None:
    """So it asks what it would ask one by one, and begins no bracket that the budget does not pay for."""
    networks = []
    for batch in (1, 4):
        searched = problem((0.2, 1.0), 12)
        strategy, spent, asked = build_strategy(name, searched, 3), 0.0, Counter[float]()
        while spent < searched.evaluations - 1e-9:
            trials: list[Trial] = []
            room = min(batch, math.ceil(searched.evaluations - spent - 1e-9))
            while len(trials) < room and not (trials and strategy.awaits_scores):
                trials.append(strategy.ask())
            for trial in trials:
                strategy.tell(trial, landscape(trial.genotype))
                spent += trial.fidelity
                asked[trial.fidelity] += 1
        networks.append(asked)
    if name in ("successive-halving", "predictor-halving"):  # one bracket is the budget
        assert networks[0] == networks[1]
        assert sum(fidelity * count for fidelity, count in networks[1].items()) == pytest.approx(12)
    assert networks[0][1.0] == networks[1][1.0]


def test_a_predictor_fills_the_lowest_rung_with_better_networks_than_it_began_with() -> None:
    """The landscape is a sum over variables but for little, which a linear model learns from half of 90 networks."""
    for seed in range(5):
        strategy = PredictorHalving(
            problem((0.1, 1.0), 10), seed, PredictorHalvingOptions(finalists=1, initial_share=0.5)
        )
        entered: list[float] = []
        while True:
            trial = strategy.ask()
            strategy.tell(trial, landscape(trial.genotype))
            if trial.fidelity == 1:
                break
            entered.append(landscape(trial.genotype))
        assert len(entered) == 90
        assert landscape(trial.genotype) == max(entered)
        assert sum(entered[45:]) > sum(entered[:45])
        assert max(entered[45:]) > max(entered[:45])


@pytest.mark.parametrize("fidelities", [(), (0.5,), (0.0, 1.0), (0.5, 0.25, 1.0), (0.5, 0.5, 1.0), (1.0, 2.0)])
def test_wrong_fidelities_are_refused(fidelities: tuple[float, ...]) -> None:
    with pytest.raises(StrategyError, match="ascending and ending with 1"):
        problem(fidelities)
