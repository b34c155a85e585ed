"""Lowering of chains is that of their blocks, and of random networks consistent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from small_schedules import builder

from tinynas.graph import Graph, GraphBuilder, OpKind, Padding, count_macs
from tinynas.kernels import CATALOGUE
from tinynas.lowering import Schedule, lower
from tinynas.memory import plan_arena
from tinynas.testing import random_int8_graph


# A block takes and returns [1, 8, 8, 8]. Each entry grows one; names tell them apart.
def _plain(b: GraphBuilder, x: int, name: str) -> int:
    return b.conv_2d(x, 8, 3, name=f"{name}.conv")


def _residual(b: GraphBuilder, x: int, name: str) -> int:
    y = b.conv_2d(x, 24, 1, name=f"{name}.expand")
    y = b.depthwise_conv_2d(y, 3, name=f"{name}.depthwise")
    return b.add(x, b.conv_2d(y, 8, 1, name=f"{name}.project"), name=f"{name}.add")


def _squeeze(b: GraphBuilder, x: int, name: str) -> int:
    y = b.conv_2d(x, 8, 3, name=f"{name}.conv")
    s = b.conv_2d(b.mean(y, keep_dims=True, name=f"{name}.mean"), 8, 1, name=f"{name}.gate")
    return b.add(b.mul(y, s, name=f"{name}.mul"), x, name=f"{name}.add")


def _requantizing(b: GraphBuilder, x: int, name: str) -> int:
    y = b.quantize(x, name=f"{name}.q1")
    return b.quantize(b.add(y, y, name=f"{name}.twice"), name=f"{name}.q2")


def _branches(b: GraphBuilder, x: int, name: str) -> int:
    left = b.quantize(b.conv_2d(x, 4, 1, name=f"{name}.left"), name=f"{name}.requantize")
    right = b.depthwise_conv_2d(b.conv_2d(x, 4, 1, name=f"{name}.right"), 3, name=f"{name}.depthwise")
    return b.concatenation([left, b.mul(right, right, name=f"{name}.square")], name=f"{name}.join")


def _reshaping(b: GraphBuilder, x: int, name: str) -> int:
    y = b.reshape(x, (1, 4, 16, 8), name=f"{name}.r1")
    return b.reshape(b.conv_2d(y, 8, 3, name=f"{name}.conv"), (1, 8, 8, 8), name=f"{name}.r2")


def _padding(b: GraphBuilder, x: int, name: str) -> int:
    y = b.pad(x, [(0, 0), (0, 1), (1, 0), (0, 0)], name=f"{name}.pad")
    return b.conv_2d(y, 8, 2, padding=Padding.VALID, name=f"{name}.conv")


def _in_place(b: GraphBuilder, x: int, name: str) -> int:
    return b.depthwise_conv_2d(x, 3, name=f"{name}.depthwise")


def _shrinking(b: GraphBuilder, x: int, name: str) -> int:
    y = b.depthwise_conv_2d(b.conv_2d(x, 32, 1, name=f"{name}.expand"), 3, stride=2, name=f"{name}.depthwise")
    return b.resize_nearest_neighbor(b.conv_2d(y, 8, 1, name=f"{name}.project"), (8, 8), name=f"{name}.up")


def _self_gated(b: GraphBuilder, x: int, name: str) -> int:
    gate = b.conv_2d(b.mean(x, keep_dims=True, name=f"{name}.mean"), 8, 1, name=f"{name}.gate")
    return b.mul(x, gate, name=f"{name}.mul")


_BLOCKS = (
    _plain,
    _residual,
    _squeeze,
    _requantizing,
    _branches,
    _reshaping,
    _padding,
    _in_place,
    _shrinking,
    _self_gated,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(_BLOCKS), min_size=1, max_size=6))
def test_a_chain_lowers_to_the_concatenation_of_its_blocks(
    blocks: list[Callable[[GraphBuilder, int, str], int]],
) -> None:
    b = builder()
    x = b.input((1, 8, 8, 8))
    alone = []
    for i, block in enumerate(blocks):
        x = block(b, x, f"b{i}")
        c = builder()
        alone.append(lower(c.build([block(c, c.input((1, 8, 8, 8), name="input"), f"b{i}")])))
    whole = lower(b.build([x]))

    def facts(schedule: Schedule) -> list[object]:
        return [
            (s.variant, s.name, s.macs, s.padding, s.scratch_bytes, s.constant_bytes, dict(s.features))
            for s in schedule.steps
        ]

    assert facts(whole) == [fact for schedule in alone for fact in facts(schedule)]
    # Storage is shared inside blocks only: the same pairs of step outputs live together.
    assert _in_place_steps(whole) == [name for schedule in alone for name in _in_place_steps(schedule)]
    assert plan_arena(whole).arena_bytes == max(plan_arena(schedule).arena_bytes for schedule in alone)


def _in_place_steps(schedule: Schedule) -> list[str]:
    return [step.name for step in schedule.steps if step.output_buffer in step.input_buffers]


def _check_storage(schedule: Schedule) -> None:
    """Every step finds in its input buffers what was written there last, and buffers are alive when they are used."""
    holds = {schedule.buffer_of[t]: t for t in schedule.inputs}
    for step in schedule.steps:
        for t, buffer in zip(step.inputs, step.input_buffers, strict=True):
            assert _same_storage(schedule, holds[buffer], t)
            assert schedule.buffers[buffer].first_step <= step.index <= schedule.buffers[buffer].last_step
        holds[step.output_buffer] = step.output
        assert schedule.buffers[step.output_buffer].last_step >= step.index
    for t in schedule.outputs:
        assert _same_storage(schedule, holds[schedule.buffer_of[t]], t)
        assert schedule.buffers[schedule.buffer_of[t]].last_step == max(0, len(schedule.steps) - 1)


def _same_storage(schedule: Schedule, held: int, wanted: int) -> bool:
    """Whether `wanted` is `held` seen through reshapes."""
    graph = schedule.graph
    while wanted != held:
        producer = graph.producers.get(wanted)
        if producer is None or graph.ops[producer].kind is not OpKind.RESHAPE:
            return False
        wanted = graph.ops[producer].inputs[0]
    return True


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_networks_lower_to_consistent_schedules(seed: int) -> None:
    graph: Graph = random_int8_graph(np.random.default_rng(seed), operators=12)
    schedule = lower(graph)
    _check_storage(schedule)
    assert schedule.macs == count_macs(graph)
    assert schedule.variants <= set(CATALOGUE)
    for step in schedule.steps:
        variant = CATALOGUE[step.variant]
        assert step.features["calls"] == 1
        assert set(step.features) == {"calls", *variant.loops}
        assert all(value >= 0 for value in step.features.values())
        assert step.constant_bytes % 4 == 0
