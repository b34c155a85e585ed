"""The arena plan: no two buffers alive together share a byte, and it is the maximum over the blocks."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
from hypothesis import given, settings
from memory_schedules import blocks, join, make_schedule

from tinynas.lowering import Schedule
from tinynas.memory import LiveRange, MemoryPlan, live_ranges, plan_arena


def assert_valid(schedule: Schedule, plan: MemoryPlan) -> None:
    ranges = live_ranges(schedule)
    placed: list[tuple[LiveRange, int]] = [(r, plan.offsets[i]) for i, r in ranges.buffers.items()]
    placed += [(r, plan.scratch_offsets[i]) for i, r in ranges.scratch.items()]
    for r, offset in placed:
        assert offset % 4 == 0
        assert 0 <= offset <= plan.arena_bytes - r.size_bytes
    for (a, at_a), (b, at_b) in itertools.combinations(placed, 2):
        if a.overlaps(b):
            assert at_a + a.size_bytes <= at_b or at_b + b.size_bytes <= at_a
    assert plan.lower_bound_bytes <= plan.arena_bytes


def test_chain_alternates_between_the_ends() -> None:
    schedule = make_schedule([(0, 0, 100), (0, 1, 60), (1, 2, 40), (2, 2, 8)], [0, 0, 0], [0], [3])
    plan = plan_arena(schedule)
    assert plan.arena_bytes == plan.lower_bound_bytes == 160
    assert plan.offsets == {0: 0, 1: 100, 2: 0, 3: 152}


def test_sizes_are_rounded_to_words() -> None:
    plan = plan_arena(make_schedule([(0, 0, 5), (0, 0, 3)], [0], [0], [1]))
    assert plan.arena_bytes == 12


def test_scratch_lives_during_its_step_only() -> None:
    plan = plan_arena(make_schedule([(0, 0, 8), (0, 1, 8), (1, 1, 40)], [40, 8], [0], [2]))
    assert plan.arena_bytes == 56
    assert set(plan.scratch_offsets) == {0, 1}


def test_in_place_step_keeps_its_buffer() -> None:
    schedule = make_schedule([(0, 2, 40), (2, 3, 20)], [0, 16, 0, 0], [0], [1])
    plan = plan_arena(schedule)
    assert_valid(schedule, plan)
    assert plan.arena_bytes == 60


def test_several_inputs_and_outputs_are_planned_together() -> None:
    schedule = make_schedule([(0, 0, 8), (0, 1, 12), (0, 2, 4), (1, 2, 16)], [0, 0, 0], [0, 1], [2, 3])
    plan = plan_arena(schedule)
    assert_valid(schedule, plan)
    assert plan.arena_bytes == plan.lower_bound_bytes == 32


def test_a_network_without_steps_keeps_its_buffer() -> None:
    plan = plan_arena(make_schedule([(0, 0, 10)], [], [0], [0]))
    assert (plan.arena_bytes, plan.offsets) == (12, {0: 0})


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_arena_of_a_chain_is_the_maximum_over_its_blocks(data: st.DataObject) -> None:
    parts = data.draw(st.lists(blocks(), min_size=1, max_size=5))
    cuts = data.draw(st.lists(st.integers(1, 150), min_size=len(parts) + 1, max_size=len(parts) + 1))
    whole = join(parts, cuts)
    plan = plan_arena(whole)
    assert_valid(whole, plan)
    alone = [plan_arena(join([part], cuts[i : i + 2])) for i, part in enumerate(parts)]
    assert plan.arena_bytes == max(p.arena_bytes for p in alone)
    assert plan.lower_bound_bytes == max(p.lower_bound_bytes for p in alone)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_schedule_gets_a_valid_plan(data: st.DataObject) -> None:
    steps = data.draw(st.integers(1, 6))
    step = st.integers(0, steps - 1)
    inner = data.draw(st.lists(st.tuples(step, step, st.integers(0, 90)), max_size=6))
    buffers = [(0, data.draw(step), 20), (data.draw(step), steps - 1, 12)]
    buffers += [(min(a, b), max(a, b), size) for a, b, size in inner]
    schedule = make_schedule(buffers, data.draw(st.lists(st.integers(0, 30), min_size=steps, max_size=steps)), [0], [1])
    assert_valid(schedule, plan_arena(schedule))
