"""Kernels within an arena: the first that fits each step, the fewest bytes where none does, and as local as shapes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.kernels import CATALOGUE, InstructionSet
from tinynas.lowering import Lowering, PatchPlan, Schedule, with_variants
from tinynas.memory import live_ranges, plan_arena
from tinynas.testing import random_int8_graph

CORES = [Lowering(InstructionSet.DSP), Lowering(InstructionSet.ARMV6M)]


def peak(schedule: Schedule) -> int:
    return live_ranges(schedule).lower_bound


def fewest(lowering: Lowering, graph: Graph, patches: PatchPlan | None = None) -> list[int]:
    """Per step, the fewest bytes alive with any kernel that the rule knows, whatever the others have."""
    return live_ranges(lowering.within(0)(graph, patches)).bytes_per_step()


def wide() -> Graph:
    """A 5x5 convolution whose columns are larger than its tensors."""
    b = GraphBuilder("wide", DType.INT8)
    return b.build([b.conv_2d(b.input((1, 10, 10, 32)), 32, 5, name="wide")])


@pytest.mark.parametrize(
    ("lowering", "scratch", "fast", "slow"),
    [(CORES[0], 4 * 800 * 2, "conv_2d_im2col", "conv_2d"), (CORES[1], None, "conv_2d_swar", "conv_2d")],
    ids=["dsp", "armv6-m"],
)
def test_a_convolution_gives_up_its_columns_when_they_do_not_fit(
    lowering: Lowering, scratch: int | None, fast: str, slow: str
) -> None:
    plain = lowering(wide())
    assert plain.steps[0].variant == fast
    if scratch is not None:
        assert plain.steps[0].scratch_bytes == scratch
    arena = plan_arena(plain).arena_bytes
    assert lowering.within(arena)(wide()) == plain
    relieved = lowering.within(arena - 1)(wide())
    assert relieved.steps[0].variant == slow
    assert plan_arena(relieved).arena_bytes == arena - plain.steps[0].scratch_bytes == 2 * 10 * 10 * 32


def test_a_fully_connected_layer_gives_up_its_words_on_armv6m() -> None:
    b = GraphBuilder("head", DType.INT8)
    graph = b.build([b.fully_connected(b.input((1, 64)), 10, name="head")])
    plain = CORES[1](graph)
    assert (plain.steps[0].variant, plan_arena(plain).arena_bytes) == ("fully_connected_in_words", 64 + 12 + 256)
    relieved = CORES[1].within(100)(graph)
    assert (relieved.steps[0].variant, plan_arena(relieved).arena_bytes) == ("fully_connected", 64 + 12)


def test_a_plane_is_given_up_although_the_output_then_has_a_place_of_its_own() -> None:
    """With a stride and few channels the output is smaller than the plane that lets it lie in the input."""
    b = GraphBuilder("few", DType.INT8)
    graph = b.build([b.depthwise_conv_2d(b.input((1, 32, 32, 3)), 3, stride=2, name="few")])
    plain = CORES[0](graph)
    assert plain.steps[0].shrinks
    arena = plan_arena(plain).arena_bytes
    relieved = CORES[0].within(arena - 4)(graph)
    assert relieved.steps[0].variant == "conv_2d"
    assert not relieved.steps[0].shrinks
    assert plan_arena(relieved).arena_bytes == 32 * 32 * 3 + 16 * 16 * 3 < arena


def test_patches_of_a_layer_give_up_scratch_together() -> None:
    b = GraphBuilder("patches", DType.INT8)
    x = b.conv_2d(b.input((1, 16, 16, 8)), 16, 5, name="first")
    graph = b.build([b.mean(b.conv_2d(x, 8, 5, stride=2, name="second"), name="pool")])
    plan = PatchPlan(2, 4)
    plain = CORES[0](graph, plan)
    limit = peak(plain) - 4
    relieved = CORES[0].within(limit)(graph, plan)
    assert peak(relieved) <= limit
    for layer in range(2):
        assert len({s.variant for s in relieved.steps if s.band is not None and s.band.weights_step == layer}) == 1
    assert {s.variant for s in relieved.steps} > {"conv_2d"}, "only what does not fit is given up"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(CORES), st.floats(0, 1), st.booleans())
def test_steps_keep_to_the_limit_or_take_the_fewest_bytes(
    seed: int, lowering: Lowering, share: float, in_place: bool
) -> None:
    """By the live ranges of the schedule, which count storage as it was assigned."""
    lowering = Lowering(lowering.instruction_set, in_place)
    graph = random_int8_graph(np.random.default_rng(seed))
    least = fewest(lowering, graph)
    limit = int(share * peak(lowering(graph)))
    plain, relieved = lowering(graph), lowering.within(limit)(graph)
    for before, after, fewest_bytes, step in zip(
        live_ranges(plain).bytes_per_step(), live_ranges(relieved).bytes_per_step(), least, relieved.steps, strict=True
    ):
        if before <= limit:
            assert step.variant == plain.steps[step.index].variant
            assert after == before
        else:
            assert after <= limit or after == fewest_bytes
        assert after >= fewest_bytes


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(CORES))
def test_no_substitution_of_kernels_takes_fewer_bytes_in_any_step(seed: int, lowering: Lowering) -> None:
    graph = random_int8_graph(np.random.default_rng(seed))
    least = fewest(lowering, graph)
    for base in (lowering(graph), lowering.within(0)(graph)):
        for step, name in itertools.product(base.steps, CATALOGUE):
            if CATALOGUE[name].for_speed:
                continue
            try:
                substituted = with_variants(base, {step.index: name})
            except ValueError:
                continue
            assert live_ranges(substituted).bytes_per_step()[step.index] >= least[step.index]
