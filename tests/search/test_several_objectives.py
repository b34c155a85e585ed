"""Non-dominated sorting, crowding distances, and NSGA-II over both."""

from __future__ import annotations

import numpy as np
import pytest

from tinynas.search import Evaluation, Nsga2, Nsga2Options, ParetoArchive, RandomSearch, SearchProblem, StrategyError
from tinynas.search._dominance import crowded_order, crowding_distances, non_dominated_ranks
from tinynas.spaces import parse_space
from tinynas.testing._strategy_landscape import STRATEGY_SPACE, active_genes, landscape

INF = float("inf")


@pytest.mark.parametrize(
    ("points", "ranks"),
    [
        ([(1, 1)], [0]),
        ([(1, 2), (2, 1), (2, 2), (3, 3)], [0, 0, 1, 2]),
        ([(1, 1), (1, 1)], [0, 0]),  # equal points do not dominate one another
        ([(1, 1), (1, 2), (1, 3)], [0, 1, 2]),
        ([(3,), (1,), (2,)], [2, 0, 1]),
        ([(1, 5, 9), (2, 4, 8), (3, 5, 9), (0, 9, 9)], [0, 0, 1, 0]),
    ],
)
def test_fronts(points: list[tuple[float, ...]], ranks: list[int]) -> None:
    assert non_dominated_ranks(np.array(points, dtype=float)).tolist() == ranks


@pytest.mark.parametrize(
    ("points", "distances"),
    [
        ([(0, 4), (1, 3), (4, 0)], [INF, 2.0, INF]),
        ([(0, 10), (1, 8), (2, 7), (10, 0)], [INF, 2 / 10 + 3 / 10, 9 / 10 + 8 / 10, INF]),
        ([(1, 1)], [INF]),
        ([(1, 5), (1, 5)], [INF, INF]),
    ],
)
def test_crowding(points: list[tuple[float, float]], distances: list[float]) -> None:
    assert crowding_distances(np.array(points, dtype=float)).tolist() == pytest.approx(distances)


def test_the_crowded_comparison_prefers_fronts_and_then_room() -> None:
    points = np.array([(5, 5), (0, 10), (1, 8), (2, 7), (10, 0)], dtype=float)
    assert crowded_order(points) == [1, 4, 0, 3, 2]


def problem(objectives: tuple[str, ...] = ("size",)) -> SearchProblem:
    return SearchProblem(
        parse_space(STRATEGY_SPACE),
        lambda _: (),
        200,
        costs=lambda genotype: {"size": float(active_genes(genotype))},
        objectives=objectives,
    )


def test_the_front_of_nsga2_dominates_more_than_that_of_random_search() -> None:
    ahead = 0
    for seed in range(5):
        fronts = []
        for strategy in (Nsga2(problem(), seed, Nsga2Options(population=20)), RandomSearch(problem(), seed)):
            archive = ParetoArchive(["size"])
            for _ in range(200):
                trial = strategy.ask()
                strategy.tell(trial, landscape(trial.genotype))
                archive.add(
                    Evaluation(trial.genotype, landscape(trial.genotype), {"size": float(active_genes(trial.genotype))})
                )
            fronts.append(archive.members)
        # Of each front, how many points the other front has an answer to.
        answered = [
            sum(any(o.accuracy >= e.accuracy and o.costs["size"] <= e.costs["size"] for o in other) for e in front)
            for front, other in (fronts, fronts[::-1])
        ]
        ahead += answered[1] / len(fronts[1]) > answered[0] / len(fronts[0])
    assert ahead == 5


def test_an_objective_of_which_nothing_is_known_is_one_line() -> None:
    strategy = Nsga2(problem(("latency",)), 0, Nsga2Options(population=4))
    for _ in range(4):
        strategy.tell(strategy.ask(), 1.0)
    with pytest.raises(StrategyError, match="nothing is known of the objective latency; known: size"):
        strategy.ask()
