"""What is chosen for an input that comes row by row is what lowering and the plan then say."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import pytest

from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.latency import NetworkLimits, random_network
from tinynas.lowering import DSP_LOWERING, Schedule, StreamPlan
from tinynas.memory import cells_of, plan_arena, stream_choices

_LIMITS = NetworkLimits(activation_bytes=6000, weight_bytes=4000, layers=12, macs=10**7)
_SEEDS = (1, 3, 4, 6, 8, 9, 11, 17, 19, 22, 23, 25, 28, 29)
"""Of networks whose first layers can run row by row."""


def _ticks(variant: str, features: Mapping[str, float]) -> float:
    """Any coefficient for any loop of any kernel."""
    loops = {"calls": 1.0, **features}
    return sum(trips * (zlib.crc32(f"{variant}.{name}".encode()) % 97) for name, trips in loops.items())


def _ticks_of(schedule: Schedule) -> float:
    return sum(_ticks(part.variant, part.features) for step in schedule.steps for part in step.parts)


@pytest.mark.parametrize("seed", _SEEDS)
def test_arena_and_ticks_are_exact(seed: int) -> None:
    graph = random_network(seed, _LIMITS)
    choices = stream_choices(cells_of(DSP_LOWERING(graph), DSP_LOWERING), _ticks, pushed=True)
    assert choices
    for choice in choices:
        schedule = DSP_LOWERING(graph, streams=choice.streams)
        plan = plan_arena(schedule)
        assert schedule.input_by_rows
        assert choice.arena_bytes == plan.arena_bytes
        assert plan.begun_offset == plan.arena_bytes - 4
        assert choice.ticks == pytest.approx(_ticks_of(schedule))


@pytest.mark.parametrize("seed", _SEEDS[:6])
def test_a_limit_leaves_out_what_takes_more(seed: int) -> None:
    cells = cells_of(DSP_LOWERING(random_network(seed, _LIMITS)), DSP_LOWERING)
    choices = stream_choices(cells, pushed=True)
    for limit in (choices[0].arena_bytes - 1, *(choice.arena_bytes for choice in choices)):
        within = [choice for choice in choices if choice.arena_bytes <= limit]
        assert stream_choices(cells, most_bytes=limit, pushed=True) == within


def _first(b: GraphBuilder) -> Graph:
    x = b.mean(b.transpose(b.input((1, 8, 6, 4)), (0, 2, 1, 3), name="turned"), name="pool")
    return b.build([b.fully_connected(x, 3, name="head")])


def test_nothing_is_chosen_where_the_first_layer_needs_the_whole_input() -> None:
    graph = _first(GraphBuilder("whole", DType.INT8))
    assert stream_choices(cells_of(DSP_LOWERING(graph), DSP_LOWERING), pushed=True) == []


def test_no_segment_takes_less_than_the_smallest_choice() -> None:
    """Against all segments from the input that a row a call makes possible."""
    for seed in _SEEDS:
        graph = random_network(seed, _LIMITS)
        cells = cells_of(DSP_LOWERING(graph), DSP_LOWERING)
        smallest = stream_choices(cells, pushed=True)[0].arena_bytes
        position = 0
        for cell in cells:
            position += cell.steps
            if not cell.streamed:
                break
            schedule = DSP_LOWERING(graph, streams=(StreamPlan(0, (1,) * position, pushed=True),))
            assert smallest <= plan_arena(schedule).arena_bytes
