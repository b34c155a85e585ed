"""Operators whose results reach no output are not lowered, so that memory, MACs and code do not know them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.graph import DType, Graph, GraphBuilder, without_dead_operators
from tinynas.lowering import DSP_LOWERING, PatchPlan, lower
from tinynas.memory import advise, best_patch_plan, plan_arena, reorder
from tinynas.testing import int8_graphs, random_int8_graph


def residual(*, joined: bool) -> Graph:
    """Two convolutions and their sum, which nothing reads unless they are joined: the shortcut was cut off."""
    b = GraphBuilder("residual", DType.INT8)
    x = b.input((1, 16, 16, 3))
    first = b.conv_2d(x, 8, 3, name="first")
    second = b.conv_2d(first, 8, 3, name="second")
    total = b.add(first, second, name="sum")
    return b.build([b.conv_2d(total if joined else second, 4, 1, name="last")])


def test_a_sum_that_nobody_reads_is_no_step() -> None:
    schedule = lower(residual(joined=False))
    assert [step.name for step in schedule.steps] == ["first", "second", "last"]
    assert schedule.macs == lower(residual(joined=True)).macs


def test_patches_do_without_it() -> None:
    graph = residual(joined=False)
    assert len(lower(graph, PatchPlan(3, 2)).steps) == 6
    assert best_patch_plan(graph) == best_patch_plan(without_dead_operators(graph))


def test_advice_is_that_of_the_network_without_it() -> None:
    graph = residual(joined=False)
    advice, expected = advise(graph), advise(without_dead_operators(graph))
    of_our_engine = [option for option in advice.options if option.kind != "offline-plan"]
    assert of_our_engine == [option for option in expected.options if option.kind != "offline-plan"]
    assert (advice.arena_bytes, advice.peak_name) == (expected.arena_bytes, expected.peak_name)


@settings(max_examples=60)
@given(int8_graphs(), st.data())
def test_wherever_a_network_is_cut_the_rest_of_it_is_lowered(graph: Graph, data: st.DataObject) -> None:
    int8 = [op.outputs[0] for op in graph.ops if graph.tensors[op.outputs[0]].dtype is DType.INT8]
    cut = replace(graph, outputs=(data.draw(st.sampled_from(int8)),))
    expected = lower(without_dead_operators(cut))
    assert lower(cut) == expected
    plan_arena(expected)
    plan_arena(DSP_LOWERING(reorder(cut)))


def test_a_graph_without_dead_operators_is_lowered_as_it_is() -> None:
    graph = random_int8_graph(np.random.default_rng(3), operators=8)
    assert lower(graph).graph is graph
