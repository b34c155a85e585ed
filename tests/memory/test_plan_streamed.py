"""The arena of streamed segments: nothing lies on anything but an output on the rows of its input that are read."""

from __future__ import annotations

import itertools

import pytest

from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.lowering import Schedule, Step, StreamPlan, lower
from tinynas.memory import MemoryPlan, live_ranges, plan_arena
from tinynas.testing.layers import guarded_buffers, random_segments


def align(size_bytes: int) -> int:
    return -(-size_bytes // 4) * 4


def sizes(schedule: Schedule) -> list[int]:
    return [align(buffer.size_bytes) for buffer in schedule.buffers]


def apart(places: list[tuple[int, int]]) -> bool:
    """Whether places (offset, bytes) have no byte in common."""
    return all(a + m <= b or b + n <= a for (a, m), (b, n) in itertools.combinations(places, 2))


def assert_valid(schedule: Schedule, plan: MemoryPlan) -> None:
    """What is alive during a step has bytes of its own, but for what a step may share."""
    size = sizes(schedule)
    for step in schedule.steps:
        alive = {b.index for b in schedule.buffers if b.first_step <= step.index <= b.last_step}
        shared = {step.output_buffer} if step.shrinks or step.stream is not None else set()
        places = [(plan.offsets[b], size[b]) for b in alive - shared]
        if step.scratch_bytes:
            places.append((plan.scratch_offsets[step.index], align(step.scratch_bytes)))
        if step.stream is not None:
            assert alive == {*step.input_buffers, step.output_buffer}
            places[0] = grows_over(plan, step, size)
        assert apart(places), step.name
        assert all(offset % 4 == 0 and 0 <= offset <= plan.arena_bytes - n for offset, n in places)
        output = plan.offsets[step.output_buffer]
        assert 0 <= output <= plan.arena_bytes - size[step.output_buffer]


def grows_over(plan: MemoryPlan, step: Step, size: list[int]) -> tuple[int, int]:
    """Where a segment's input and its output lie together until that is complete."""
    assert step.stream is not None
    (into,), out = step.input_buffers, step.output_buffer
    first, end = plan.streamed_offsets[step.index], plan.offsets[into] + size[into]
    assert plan.offsets[into] - first >= step.stream.lead_bytes
    assert first + size[out] <= end
    return first, end - first


def two_segments() -> Graph:
    b = GraphBuilder("two", DType.INT8)
    x = b.conv_2d(b.input((1, 12, 6, 3)), 4, 3, name="stem")
    for name in ("a", "b"):
        y = b.conv_2d(x, 12, 1, name=f"{name}.expand")
        y = b.depthwise_conv_2d(y, 3, name=f"{name}.depthwise")
        x = b.add(x, b.conv_2d(y, 4, 1, name=f"{name}.project"), name=name)
    return b.build([b.mean(x, name="pool")])


def test_one_segment_takes_its_scratch_and_what_input_and_output_take_together() -> None:
    b = GraphBuilder("one", DType.INT8)
    x = b.depthwise_conv_2d(b.input((1, 8, 4, 2)), 3, name="depthwise")
    schedule = lower(b.build([b.conv_2d(x, 4, 3, name="conv")]), streams=[StreamPlan(0, (1, 1))])
    (step,) = schedule.steps
    assert step.stream is not None
    plan = plan_arena(schedule)
    assert step.stream.lead_bytes == 64
    assert plan.arena_bytes == plan.lower_bound_bytes == step.scratch_bytes + 64 + 64
    assert plan.scratch_offsets == {0: 0}
    assert plan.streamed_offsets == {0: step.scratch_bytes}
    (into,), out = step.input_buffers, step.output_buffer
    assert plan.offsets == {into: step.scratch_bytes + 64, out: 0}


def test_an_output_that_is_smaller_lies_within_the_input() -> None:
    b = GraphBuilder("one", DType.INT8)
    x = b.depthwise_conv_2d(b.input((1, 8, 4, 2)), 3, stride=2, name="depthwise")
    schedule = lower(b.build([b.conv_2d(x, 2, 3, name="conv")]), streams=[StreamPlan(0, (1, 1))])
    assert plan_arena(schedule).arena_bytes == schedule.steps[0].scratch_bytes + 8 * 4 * 2


def test_the_arena_is_the_most_that_a_part_takes() -> None:
    """Two segments with steps as a whole between them, of which one works in place."""
    graph = two_segments()
    plain = lower(graph)
    schedule = lower(graph, streams=[StreamPlan(0, (1,)), StreamPlan(5, (1, 1, 1, 1))])
    assert [step.stream is not None for step in schedule.steps] == [True, *[False] * 4, True, False]
    assert any(step.output_buffer in step.input_buffers for step in schedule.steps)
    plan = plan_arena(schedule)
    assert_valid(schedule, plan)
    assert len(plan.streamed_offsets) == 2
    assert plan.arena_bytes == plan_arena(plain).arena_bytes  # of the first bottleneck, which runs as a whole
    all_streamed = lower(graph, streams=[StreamPlan(0, (1,) * 9)])
    assert plan_arena(all_streamed).arena_bytes < plan.arena_bytes
    ranges = live_ranges(schedule)
    assert plan.arena_bytes >= plan.lower_bound_bytes == max(ranges.bytes_per_step())


@pytest.mark.parametrize("seed", range(10))
def test_nothing_overlaps_but_as_allowed(seed: int) -> None:
    several = mixed = 0
    for index in range(20):
        schedule = random_segments(seed, index).schedule
        streams = sum(step.stream is not None for step in schedule.steps)
        several += streams > 1
        mixed += streams < len(schedule.steps)
        plan = plan_arena(schedule)
        assert_valid(schedule, plan)
        assert set(plan.streamed_offsets) == {step.index for step in schedule.steps if step.stream is not None}
        assert plan.arena_bytes >= plan.lower_bound_bytes
        assert_valid(schedule, guarded_buffers(schedule))
    assert several > 1
    assert mixed > 1
