from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.search import Evaluation, ParetoArchive, StrategyError

COSTS = ("latency", "sram_bytes", "flash_bytes")


def evaluations(costs: int):
    # Few distinct values, so that ties and equal points occur often.
    point = st.tuples(st.integers(0, 6), *[st.integers(0, 6) for _ in range(costs)])
    return st.lists(point, max_size=40).map(
        lambda points: [
            Evaluation((i,), accuracy / 6, dict(zip(COSTS, values, strict=False)))
            for i, (accuracy, *values) in enumerate(points)
        ]
    )


def dominates(a: Evaluation, b: Evaluation, costs: int) -> bool:
    no_worse = a.accuracy >= b.accuracy and all(a.costs[c] <= b.costs[c] for c in COSTS[:costs])
    better = a.accuracy > b.accuracy or any(a.costs[c] < b.costs[c] for c in COSTS[:costs])
    return no_worse and better


def same_point(a: Evaluation, b: Evaluation) -> bool:
    return (a.accuracy, a.costs) == (b.accuracy, b.costs)


@pytest.mark.parametrize("costs", [0, 1, 2, 3])
def test_the_archive_is_exactly_the_non_dominated_set(costs: int) -> None:
    @given(evaluations(costs))
    def check(added: list[Evaluation]) -> None:
        archive = ParetoArchive(COSTS[:costs])
        archive.add_all(added)
        # The definition, over all pairs; of equal points the first stays.
        expected = [
            e
            for i, e in enumerate(added)
            if not any(dominates(o, e, costs) for o in added) and not any(same_point(o, e) for o in added[:i])
        ]
        assert sorted(archive.members, key=lambda e: e.genotype) == expected

    check()


@given(evaluations(2))
def test_add_says_whether_the_evaluation_is_on_the_front(added: list[Evaluation]) -> None:
    archive = ParetoArchive(COSTS[:2])
    for evaluation in added:
        assert archive.add(evaluation) == (evaluation in archive.members)


def test_members_come_most_accurate_first() -> None:
    archive = ParetoArchive(["latency"])
    archive.add_all(Evaluation((i,), i / 10, {"latency": i}) for i in (3, 1, 4, 2))
    assert [e.accuracy for e in archive.members] == [0.4, 0.3, 0.2, 0.1]


def test_incomplete_evaluations_are_refused() -> None:
    archive = ParetoArchive(["latency", "sram_bytes"])
    with pytest.raises(StrategyError, match="sram_bytes"):
        archive.add(Evaluation((1,), 0.5, {"latency": 3.0}))
    with pytest.raises(StrategyError, match="not a number"):
        archive.add(Evaluation((1,), float("nan"), {"latency": 3.0, "sram_bytes": 1.0}))
