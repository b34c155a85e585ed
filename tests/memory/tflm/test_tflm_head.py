"""TFLM's planner and live ranges: tables with known answers, and plans that never collide."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from tflm_models import random_graph, skeleton

from tinynas.graph import DType, GraphBuilder
from tinynas.memory import LiveRange
from tinynas.memory.tflm import TflmMemoryModel, as_written
from tinynas.memory.tflm._head import (
    ONLINE,
    HeadBuffer,
    head_buffers,
    head_bytes,
    head_lower_bound,
    plan_head,
)


def tensors(*ranges: tuple[int, int, int]) -> list[HeadBuffer]:
    return [HeadBuffer(LiveRange(*r), i, i, None) for i, r in enumerate(ranges)]


PLANS = [
    ("one", [(0, 0, 16)], None, [0]),
    ("largest first", [(0, 1, 32), (1, 2, 64), (3, 3, 16)], None, [64, 0, 0]),
    # TFLM collects buffers from the back before a stable sort: of equal sizes the last one is placed first.
    ("equal sizes from the back", [(0, 0, 16), (0, 0, 16), (0, 0, 16)], None, [32, 16, 0]),
    ("a gap is used", [(0, 3, 64), (0, 1, 48), (2, 3, 32), (1, 2, 16)], None, [0, 64, 64, 112]),
    ("offline first", [(0, 1, 64), (0, 1, 16)], [ONLINE, 32], [48, 32]),
    ("into the gap an offline plan leaves", [(0, 1, 32), (0, 1, 16), (0, 1, 32)], [32, ONLINE, 64], [32, 0, 64]),
    ("offline offsets are not checked", [(0, 1, 32), (0, 1, 32)], [0, 0], [0, 0]),
]


@pytest.mark.parametrize(("ranges", "offline", "offsets"), [r[1:] for r in PLANS], ids=[r[0] for r in PLANS])
def test_plans(ranges: list[tuple[int, int, int]], offline: list[int] | None, offsets: list[int]) -> None:
    assert plan_head(tensors(*ranges), offline) == offsets


def test_scratch_is_never_planned_offline() -> None:
    scratch = HeadBuffer(LiveRange(0, 0, 16), None, None, 0)
    assert plan_head([*tensors((0, 0, 32)), scratch], [64]) == [64, 0]


def test_live_ranges() -> None:
    builder = GraphBuilder(dtype=DType.INT8)
    a, unused = builder.input((1, 4, 4, 1), "a"), builder.input((1, 4, 4, 2), "unused")
    b = builder.max_pool_2d(a, 1, name="b")
    dead = builder.max_pool_2d(a, 1, name="dead")
    c = builder.add(b, b, name="c")
    d = builder.average_pool_2d(c, 4, name="d")
    graph = builder.build([b, d])
    graph, written = as_written(graph)
    needs = TflmMemoryModel(4, "cmsis-nn").kernel_needs(graph)
    ranges = {b.tensor: b.range for b in head_buffers(graph, needs, written)}
    # Inputs from the start, time 1; operator i at i + 2; the output b to the end; scratch of the average pool: op 3.
    assert ranges == {
        a: LiveRange(1, 3, 16),
        unused: LiveRange(1, 1, 32),
        b: LiveRange(2, 5, 16),
        dead: LiveRange(3, 3, 16),
        c: LiveRange(4, 5, 16),
        d: LiveRange(5, 5, 16),
        None: LiveRange(5, 5, 16),
    }


_ranges = st.lists(
    st.builds(lambda s, n, z: (s, s + n, 16 * z), st.integers(0, 8), st.integers(0, 5), st.integers(1, 20)),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(_ranges)
def test_what_is_alive_together_never_shares_an_address(ranges: list[tuple[int, int, int]]) -> None:
    buffers = tensors(*ranges)
    offsets = plan_head(buffers)
    for (a, at_a), (b, at_b) in itertools.combinations(zip(buffers, offsets, strict=True), 2):
        if a.range.overlaps(b.range):
            assert at_a + a.range.size_bytes <= at_b or at_b + b.range.size_bytes <= at_a
    assert head_lower_bound(buffers) <= head_bytes(buffers, offsets)


def test_a_network_that_only_reshapes_takes_both_tensors() -> None:
    sram = TflmMemoryModel(4).sram(skeleton(lambda b, x: b.reshape(x, (1, -1)), (1, 4, 4, 1)))
    assert sram.head_bytes == 32


@pytest.mark.parametrize("seed", range(5))
def test_the_same_graph_gives_the_same_memory(seed: int) -> None:
    graph = random_graph(seed)
    assert TflmMemoryModel(4).sram(graph) == TflmMemoryModel(4).sram(graph)
