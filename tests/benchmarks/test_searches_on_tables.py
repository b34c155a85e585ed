"""Searches on tables of trained networks, at one fidelity and at several, and what they come to."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from little_tables import FIDELITIES, made_up_table
from tabular import NasTable, Search, expected_random_best, hypervolume, median_random_evaluations, search
from tabular.figures import columns, improvement, median_cost, regret_curve, relative_regret, row

from tinynas.search import StrategyError


@pytest.fixture(scope="module")
def table() -> NasTable:
    return made_up_table()


def searches(table: NasTable, name: str, evaluations: int, seeds: int = 5, **options: object) -> list[Search]:
    fidelities = options.pop("fidelities", None)
    return [search(table, name, options, evaluations, seed, fidelities) for seed in range(seeds)]


def test_half_of_a_table_is_feasible_and_any_share_can_be(table: NasTable) -> None:
    assert len(table.ranked()) == 122
    assert len(table.limited(1.0).ranked()) == 243
    assert table.limited(1.0).ranked()[0] == max(table.scores[1.0].values())
    assert sum(score >= table.threshold(0.05) for score in table.ranked()) == 6


def test_a_short_training_costs_its_share_and_finds_nothing(table: NasTable) -> None:
    """Successive halving over 4 fidelities with 4 evaluations a bracket: 8, 4, 2, 1 networks, each rung costs 1."""
    found = search(table, "successive-halving", {"bracket_evaluations": 4}, 8, seed=0)
    assert found.spent == [4.0, 8.0]
    assert len(found.scores) == 2
    assert found.best_after(3.99) is None
    assert found.best_after(4) == found.scores[0]
    assert found.first_at_least(found.scores[0]) == 4.0


def test_a_search_may_be_kept_to_some_fidelities(table: NasTable) -> None:
    found = search(table, "successive-halving", {"bracket_evaluations": 2}, 2, seed=0, fidelities=(0.125, 1.0))
    assert found.spent == [2.0]  # eight at an eighth, and the best of them


def test_no_search_spends_more_than_its_budget(table: NasTable) -> None:
    for name in ("random", "successive-halving", "hyperband", "bohb"):
        found = search(table, name, {}, 20, seed=1)
        assert found.spent == sorted(found.spent)
        assert found.spent[-1] <= 20 + 1e-9


def test_halving_over_trustworthy_short_trainings_needs_less_than_random_search() -> None:
    sure = made_up_table(noise=0.0)
    found = searches(sure, "successive-halving", 30, seeds=15, bracket_evaluations=4, fidelities=(0.125, 1.0))
    _, ratio = median_cost(found, sure, 0.05)
    assert ratio < 0.5


def test_grid_search_sees_every_feasible_network_once_and_refuses_a_smaller_budget(table: NasTable) -> None:
    found = search(table, "grid", {}, 122, seed=0)
    assert sorted(found.scores, reverse=True) == table.ranked()
    assert len(set(found.scores)) == 122
    with pytest.raises(StrategyError, match="243 networks, 122 of which meet the constraints"):
        search(table, "grid", {}, 121, seed=0)


def test_a_search_ends_with_the_space(table: NasTable) -> None:
    found = search(table, "random", {}, 1000, seed=0)
    assert sorted(found.scores, reverse=True) == table.ranked()
    # All of the table dominates as much as anything can.
    assert 0 < search(table, "random", {}, 5, seed=0).hypervolume < found.hypervolume <= 1


def test_random_search_in_closed_form_is_random_search() -> None:
    scores = [5.0, 4.0, 3.0, 1.0]
    for drawn in range(1, 5):
        mean = np.mean([max(draw) for draw in combinations(scores, drawn)])
        assert expected_random_best(scores, drawn) == pytest.approx(mean)
    assert expected_random_best(scores, 9) == 5
    assert [median_random_evaluations(100, good) for good in (100, 50, 1)] == [1, 1, 50]
    # C(90, n) / C(100, n) falls under 1/2 from n = 6 on to 7.
    assert math.comb(90, 6) / math.comb(100, 6) > 0.5 > math.comb(90, 7) / math.comb(100, 7)
    assert median_random_evaluations(100, 10) == 7


@pytest.mark.parametrize(
    ("points", "area"),
    [([], 0), ([(2, 1)], 2 * 3), ([(2, 1), (1, 3)], 6), ([(2, 2), (1, 1)], 2 * 2 + 1), ([(-1, 1), (1, 5)], 0)],
)
def test_hypervolume(points: list[tuple[float, float]], area: float) -> None:
    assert hypervolume(points, (0, 4)) == area


def test_figures_of_searches(table: NasTable) -> None:
    best, good = table.ranked()[0], table.threshold(0.05)
    early = Search([70.0, good, best], [1.0, 2.0, 3.0], 0.5, 0.1)
    late = Search([70.0, 71.0, 72.0], [1.0, 2.0, 3.0], 0.25, 0.3)
    random = median_random_evaluations(122, 6)
    assert median_cost([early, early, late], table, 0.05) == (2.0, 2.0 / random)
    assert median_cost([early, late, late], table, 0.05) == (math.inf, math.inf)
    assert relative_regret([early, early], table, 3) == (0.0, 0.0)
    assert relative_regret([early, late], table, 0) is None
    assert improvement([early]) is None
    rising = Search([float(score) for score in range(120)], [float(i) for i in range(1, 121)], 0.5, 0.1)
    assert improvement([rising]) == 70
    for found in ([early, early, late], [late]):
        assert len(row("any", found, [late], table, 3)) == len(columns(table))
    assert row("any", [late], [late], table, 3)[1:3] == ["> 3", ""]
    assert row("any", [early], [late], table, 3)[5:7] == ["0.5000", "2.00"]


def test_a_regret_curve_begins_with_the_last_first_training() -> None:
    found = [Search([80.0, 84.0], [1.0, 4.0], 0, 0), Search([82.0], [2.0], 0, 0)]
    curve = regret_curve(found, 85.0, 5, np.random.default_rng(0))
    assert [point["spent"] for point in curve] == [2, 3, 4, 5]
    assert [point["mean"] for point in curve] == [4.0, 4.0, 2.0, 2.0]
    assert all(point["low"] <= point["mean"] <= point["high"] for point in curve)
    assert (curve[-1]["low"], curve[-1]["high"]) == (1.0, 3.0)


@pytest.mark.parametrize("name", ["hyperband", "bohb", "successive-halving"])
def test_strategies_of_fidelities_ask_for_all_of_them(table: NasTable, name: str) -> None:
    asked = table.problem(50).fidelities
    assert asked == FIDELITIES
    found = search(table, name, {}, 50, seed=0)
    assert len(found.scores) < 50  # some of the budget went into shorter trainings
