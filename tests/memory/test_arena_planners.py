"""Planners against tables of live ranges with known answers, and against each other on random ones."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tinynas.memory import LiveRange, bytes_per_step, extent, lower_bound, plan_greedy, plan_search

# (start, end, size): the arena that the planner must need.
SEARCH_TABLE = [
    ("nothing", [], 0),
    ("one", [(0, 0, 16)], 16),
    ("chain", [(0, 0, 32), (0, 1, 64), (1, 2, 16), (2, 3, 48)], 96),
    ("residual", [(0, 3, 40), (0, 1, 100), (1, 2, 60), (2, 3, 40)], 200),
    # Greedy needs 7 here: it takes the ranges of 3 first and lays both at the bottom.
    ("better than greedy", [(1, 2, 2), (2, 4, 2), (0, 1, 3), (3, 3, 2), (4, 7, 3)], 5),
    ("disjoint", [(0, 1, 100), (2, 3, 100), (4, 5, 100)], 100),
    ("staircase", [(0, 2, 4), (1, 3, 4), (2, 4, 4), (3, 5, 4), (2, 3, 4)], 16),
]

GREEDY_TABLE = [
    ("one", [(0, 0, 10)], [0]),
    # 64 first at 0, then 32 above it (alive together), then 16 beside neither of them in time: at 0.
    ("by size", [(0, 1, 32), (1, 2, 64), (3, 3, 16)], [64, 0, 0]),
    ("16-byte alignment", [(0, 0, 1), (0, 0, 17)], [32, 0]),
    ("equal sizes in order of creation", [(0, 0, 16), (0, 0, 16)], [0, 16]),
    ("a gap is used", [(0, 3, 64), (0, 1, 48), (2, 3, 32), (1, 2, 16)], [0, 64, 64, 112]),
]


def ranges_of(table: list[tuple[int, int, int]]) -> list[LiveRange]:
    return [LiveRange(*row) for row in table]


def assert_no_collision(ranges: list[LiveRange], offsets: list[int]) -> None:
    for (a, at_a), (b, at_b) in itertools.combinations(zip(ranges, offsets, strict=True), 2):
        if a.overlaps(b):
            assert at_a + a.size_bytes <= at_b or at_b + b.size_bytes <= at_a, (a, at_a, b, at_b)


any_ranges = st.lists(
    st.builds(lambda s, n, z: LiveRange(s, s + n, z), st.integers(0, 8), st.integers(0, 5), st.integers(1, 50)),
    min_size=1,
    max_size=9,
)


@pytest.mark.parametrize(("name", "table", "expected"), SEARCH_TABLE, ids=[row[0] for row in SEARCH_TABLE])
def test_search_reaches_the_known_optimum(name: str, table: list[tuple[int, int, int]], expected: int) -> None:
    ranges = ranges_of(table)
    offsets, size = plan_search(ranges)
    assert size == expected == extent(ranges, offsets)
    assert_no_collision(ranges, offsets)


@pytest.mark.parametrize(("name", "table", "expected"), GREEDY_TABLE, ids=[row[0] for row in GREEDY_TABLE])
def test_greedy_places_as_tflm_does(name: str, table: list[tuple[int, int, int]], expected: list[int]) -> None:
    assert plan_greedy(ranges_of(table)) == expected


def test_bytes_per_step_counts_both_ends() -> None:
    assert bytes_per_step(ranges_of([(0, 1, 4), (1, 2, 8), (4, 4, 2)])) == [4, 12, 8, 0, 2]


def test_a_range_must_end_after_it_starts() -> None:
    with pytest.raises(ValueError, match="steps 2 to 1"):
        LiveRange(2, 1, 4)


@given(any_ranges)
def test_greedy_is_a_plan(ranges: list[LiveRange]) -> None:
    assert_no_collision(ranges, plan_greedy(ranges, alignment=1))


@settings(max_examples=200, deadline=None)
@given(any_ranges)
def test_search_is_a_plan_never_below_the_bound_nor_above_greedy(ranges: list[LiveRange]) -> None:
    offsets, size = plan_search(ranges)
    assert_no_collision(ranges, offsets)
    assert extent(ranges, offsets) == size
    assert lower_bound(ranges) <= size <= extent(ranges, plan_greedy(ranges, alignment=1))


@settings(max_examples=150, deadline=None)
@given(any_ranges.filter(lambda rs: len(rs) >= 2))
def test_pins_hold(ranges: list[LiveRange]) -> None:
    offsets, size = plan_search(ranges, bottom=0, top=1)
    assert offsets[0] == 0
    assert offsets[1] + ranges[1].size_bytes == size
    assert_no_collision(ranges, offsets)


def test_one_range_cannot_be_pinned_twice() -> None:
    with pytest.raises(ValueError, match="both ends"):
        plan_search([LiveRange(0, 0, 4)], bottom=0, top=0)


def optimum(ranges: list[LiveRange]) -> int:
    """Exhaustive: first fit over every order contains an optimal plan."""
    best = sum(r.size_bytes for r in ranges)
    for order in itertools.permutations(range(len(ranges))):
        tops = 0
        at: dict[int, int] = {}
        for i in order:
            offset = 0
            for j in sorted(at, key=lambda j: at[j]):
                if ranges[i].overlaps(ranges[j]) and offset + ranges[i].size_bytes > at[j]:
                    offset = max(offset, at[j] + ranges[j].size_bytes)
            at[i] = offset
            tops = max(tops, offset + ranges[i].size_bytes)
        best = min(best, tops)
    return best


@settings(max_examples=60, deadline=None)
@given(st.lists(any_ranges.map(lambda rs: rs[0]), min_size=1, max_size=6))
def test_search_finds_the_optimum_of_small_problems(ranges: list[LiveRange]) -> None:
    assert plan_search(ranges)[1] == optimum(ranges)


def test_out_of_nodes_it_climbs_and_still_returns_a_plan() -> None:
    ranges = [LiveRange(i % 7, i % 7 + i % 4, 3 + (i * 37) % 50) for i in range(30)]
    offsets, size = plan_search(ranges, node_limit=0, swap_limit=50)
    assert_no_collision(ranges, offsets)
    assert size == extent(ranges, offsets)
    assert (offsets, size) == plan_search(ranges, node_limit=0, swap_limit=50)


def test_hundreds_of_ranges_in_one_segment_are_planned() -> None:
    ranges = [LiveRange(i % 31, i % 31 + i % 9, 4 * (1 + (i * 37) % 211)) for i in range(400)]
    offsets, size = plan_search(ranges, swap_limit=2)
    assert_no_collision(ranges, offsets)
    assert size == extent(ranges, offsets)
