"""The schedule of a finished network: unchanged where it fits, else the fastest that does, else the nearest miss."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from little_sram_networks import branches, large_image, wide

from tinynas.engine import ChosenSchedule, choose_kernels, choose_schedule
from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.kernels import CATALOGUE
from tinynas.latency import LatencyModel, VariantModel, latency_model_path, load_latency_model
from tinynas.lowering import Lowering, Schedule, layers, substitutes, with_variants
from tinynas.memory import NativeMemoryModel, live_ranges, plan_arena
from tinynas.targets import Reserve, load_board
from tinynas.testing import random_int8_graph

BOARD = load_board("virt-m4")
LOWERING = Lowering.for_core(BOARD.core)
MEMORY = NativeMemoryModel.for_board(BOARD, "zig")
LATENCY = load_latency_model(latency_model_path(BOARD.core.name, "zig"))


def room(arena_bytes: int, flash_bytes: int = 0) -> Reserve:
    """Reserves all SRAM but what an arena of so many bytes needs (in units of 8), and some flash."""
    return Reserve(sram_bytes=MEMORY.largest_arena() // 8 * 8 - -(-arena_bytes // 8) * 8, flash_bytes=flash_bytes)


def choose(graph: Graph, reserve: Reserve, latency: LatencyModel | None = LATENCY, **options: bool) -> ChosenSchedule:
    """Among the ways to execute a network as a whole, or in patches."""
    return choose_schedule(graph, LOWERING, MEMORY, latency, reserve, streams=False, **options)


def arena(schedule: Schedule) -> int:
    return plan_arena(schedule).arena_bytes


def any_ticks(seed: int) -> LatencyModel:
    """Every call of a kernel takes so many ticks, whatever its shape: any kernel may be the fastest."""
    rng = np.random.default_rng(seed)
    return LatencyModel(
        "instructions",
        {
            variant.name: VariantModel(
                ("calls", *variant.loops),
                np.array([float(rng.integers(100, 1000)), *[0.0] * len(variant.loops)]),
                1e9 * np.eye(1 + len(variant.loops)),
                observations=1e6,
                residual_sum=0.0,
            )
            for variant in CATALOGUE.values()
        },
    )


def test_scratch_is_given_up_where_sram_is_short_and_its_price_is_said() -> None:
    plain = LOWERING(wide())
    chosen = choose(wide(), room(2 * 3200))
    assert chosen.fits
    assert chosen.changes == ("kernels of less scratch in 1 layer: conv_2d for conv_2d_im2col",)
    assert arena(chosen.schedule) == 2 * 3200
    layer = chosen.kernels.layers[0]
    assert (layer.variant, layer.local, layer.scratch_given_up) == ("conv_2d", "conv_2d_im2col", True)
    slow, fast = (LATENCY.ticks_of(schedule.steps[0]) for schedule in (chosen.schedule, plain))
    assert slow is not None
    assert fast is not None
    scratch, more = plain.steps[0].scratch_bytes, round(slow[0]) - round(fast[0])
    assert layer.reason == (
        f"conv_2d: conv_2d_im2col is faster by {more:,} cycles, "
        f"but its scratch of {scratch:,} bytes does not fit: {scratch:,} too many"
    )
    by_shape = {alternative.variant: alternative for alternative in layer.alternatives}["conv_2d_im2col"]
    assert by_shape.note == f"its scratch of {scratch:,} bytes does not fit: {scratch:,} too many"
    assert chosen.kernels.saved_ticks < 0
    ticks = [LATENCY.predict(schedule).total for schedule in (chosen.schedule, chosen.first.schedule)]
    assert None not in ticks
    assert chosen.extra_ticks == round(ticks[0] or 0) - round(ticks[1] or 0)
    assert chosen.extra_flash_bytes == (
        MEMORY.flash(chosen.schedule).total_bytes - MEMORY.flash(chosen.first.schedule).total_bytes
    )


@pytest.mark.parametrize("seed", range(12))
def test_what_fits_is_as_it_was(seed: int) -> None:
    """To the byte: speed never raises SRAM, however much there is."""
    graph = random_int8_graph(np.random.default_rng(seed))
    plain = LOWERING(graph)
    for reserve in (room(arena(plain)), Reserve()):
        chosen = choose(graph, reserve)
        assert chosen.fits
        assert chosen.changes == ()
        assert chosen.schedule == choose_kernels(plain, MEMORY, LATENCY, reserve).schedule
        assert arena(chosen.schedule) <= arena(plain)
        assert chosen.kernels == chosen.first


def test_another_order_is_taken_before_scratch_is_given_up() -> None:
    graph = branches()
    chosen = choose(graph, room(64 * (4 + 32 + 2) + 4 * 4 * 9 * 4 // 2))
    assert chosen.fits
    assert chosen.changes == ("the operators in another order",)
    assert chosen.extra_ticks == 0
    both = choose(graph, room(64 * (4 + 32 + 2)))
    assert both.fits
    assert [change.split(" in ")[0] for change in both.changes] == ["kernels of less scratch", "the operators"]
    assert arena(both.schedule) == 64 * (4 + 32 + 2)


def test_patches_are_taken_where_nothing_else_fits_and_they_are_allowed() -> None:
    graph = large_image()
    least = arena(LOWERING.within(0)(graph))
    chosen = choose(graph, room(least - 1000))
    assert chosen.fits
    assert chosen.execution.patches is not None
    assert chosen.changes[-1] == f"the first 2 layers in {chosen.execution.patches.patches} patches"
    assert chosen.schedule.macs > LOWERING(graph).macs
    refused = choose(graph, room(least - 1000), patches=False)
    assert refused.fits is False
    assert refused.execution.patches is None


def test_cheaper_patches_are_taken_before_an_expensive_kernel() -> None:
    """Giving up the columns of the 5x5 convolution costs more than to compute some of its rows twice."""
    b = GraphBuilder("choice", DType.INT8)
    x = b.conv_2d(b.input((1, 24, 16, 8)), 16, 5, name="first")
    x = b.conv_2d(x, 8, 5, stride=2, name="second")
    graph = b.build([b.fully_connected(b.mean(x, name="pool"), 4, name="head")])
    slow = LOWERING.within(0)(graph)
    chosen = choose(graph, room(arena(slow)))
    assert chosen.fits
    assert chosen.execution.patches is not None
    without = choose(graph, room(arena(slow)), patches=False)
    assert without.fits
    assert chosen.extra_ticks is not None
    assert without.extra_ticks is not None
    assert chosen.extra_ticks < without.extra_ticks


def test_the_nearest_miss_is_named() -> None:
    graph = large_image()
    chosen = choose(graph, room(2000))
    assert chosen.fits is False
    assert chosen.changes == ()  # what is predicted and exported is the network as it would run where there is room
    assert chosen.nearest is not None
    shortage, way = chosen.reasons
    missing = []
    for found, text in ((chosen, shortage), (chosen.nearest, way)):
        assert found.verdict is not None
        (region,) = (r for r in found.verdict.regions if r.kind == "sram")
        missing.append(region.used_bytes - region.available_bytes)
        assert f"{missing[-1]:,} too few" in text
    assert 0 < missing[1] < missing[0]
    assert way.startswith(
        f"none of {chosen.tried} choices of kernels, order, in place, row by row and patches fits; the nearest: "
    )
    assert "the first 2 layers in" in way


def test_flash_that_is_short_is_named_by_the_fewest_bytes() -> None:
    graph = wide()
    flash = BOARD.code_region.size_bytes
    chosen = choose(graph, Reserve(flash_bytes=flash - 20_000))
    assert chosen.fits is False
    assert chosen.nearest is not None
    assert all("flash" in reason for reason in chosen.reasons)
    variants = [substitutes(LOWERING(graph), layer) for layer in layers(LOWERING(graph))]
    least = min(
        MEMORY.flash(with_variants(LOWERING(graph), {i: v.name for i, v in enumerate(combination)})).total_bytes
        for combination in itertools.product(*variants)
        if not MEMORY.unknown_variants(frozenset(v.name for v in combination))
    )
    assert MEMORY.flash(chosen.nearest.schedule).total_bytes == least
    assert chosen.schedule.variants == LOWERING(graph).variants


def test_nothing_is_tried_without_a_memory_model_or_room_for_an_empty_arena() -> None:
    unknown = choose_schedule(wide(), LOWERING, None, LATENCY)
    assert (unknown.fits, unknown.reasons, unknown.tried) == (None, (), 1)
    nothing = choose(wide(), Reserve(sram_bytes=BOARD.arena_region.size_bytes))
    assert (nothing.fits, nothing.tried) == (False, 1)


def test_without_a_latency_model_the_first_way_that_fits_is_taken() -> None:
    chosen = choose(wide(), room(2 * 3200), latency=None)
    assert chosen.fits
    assert chosen.extra_ticks is None
    assert chosen.kernels.layers[0].reason == (
        "conv_2d: instead of conv_2d_im2col: its scratch of 6,400 bytes does not fit: 6,400 too many"
    )


def assignments(schedule: Schedule) -> Iterator[Schedule]:
    """The schedule with every combination of kernels that leave its tensors where they are."""
    found = layers(schedule)
    for combination in itertools.product(*(substitutes(schedule, layer) for layer in found)):
        yield with_variants(schedule, {layer[0]: v.name for layer, v in zip(found, combination, strict=True)})


def orders(graph: Graph) -> Iterator[Graph]:
    """The graph in every order in which it can be executed."""
    for order in itertools.permutations(range(len(graph.ops))):
        known = set(graph.inputs) | {t for t, tensor in enumerate(graph.tensors) if tensor.constant}
        for i in order:
            if not set(graph.ops[i].inputs) <= known:
                break
            known |= set(graph.ops[i].outputs)
        else:
            yield replace(graph, ops=tuple(graph.ops[i] for i in order))


def branched(seed: int) -> Graph:
    """Two or three branches of random widths, joined; some of their layers may work in place."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder("branched", DType.INT8)
    x = b.input((1, 6, 5, int(rng.integers(1, 9))))
    ends = []
    for i in range(2):
        y = b.conv_2d(x, int(rng.integers(1, 40)), int(rng.choice([1, 3, 5])), name=f"widen{i}")
        ends.append(b.conv_2d(y, 4, int(rng.choice([1, 3])), name=f"narrow{i}"))
    join = b.add(ends[0], ends[1], name="join") if rng.random() < 0.5 else b.concatenation(ends, name="join")
    return b.build([join])


@pytest.mark.parametrize("seed", range(8))
def test_it_fits_exactly_where_one_order_and_one_choice_of_kernels_does(seed: int) -> None:
    """Every order, with and without working in place, and with every combination of kernels, planned by itself."""
    graph = branched(seed)
    smallest = min(
        live_ranges(candidate).lower_bound
        for order in orders(graph)
        for in_place in (True, False)
        for candidate in assignments(replace(LOWERING, in_place=in_place)(order))
    )
    enough, too_little = room(smallest), room(smallest - 8)
    fitting = choose(graph, enough, patches=False)
    assert fitting.fits
    assert MEMORY.fits(fitting.schedule, enough).fits
    missing = choose(graph, too_little, patches=False)
    assert missing.fits is False
    assert missing.nearest is not None
    assert arena(missing.nearest.schedule) == smallest


@pytest.mark.parametrize("spare", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_no_kernels_that_fit_sram_and_flash_take_fewer_ticks(seed: int, spare: float) -> None:
    b = GraphBuilder("chain", DType.INT8)
    x = b.conv_2d(b.input((1, 10, 10, 8)), 16, 5, name="first")
    x = b.conv_2d(x, 12, 1, name="second")
    x = b.conv_2d(x, 8, 3, stride=2, name="third")
    graph = b.build([b.fully_connected(b.mean(x, name="pool"), 4, name="head")])
    latency, every = any_ticks(seed), list(assignments(LOWERING(graph)))
    every = [candidate for candidate in every if not MEMORY.unknown_variants(candidate.variants)]
    arenas = sorted({arena(candidate) for candidate in every})
    flash = sorted(MEMORY.flash(candidate).total_bytes for candidate in every)
    limit = flash[int(spare * (len(flash) - 1))] + MEMORY.flash_margin_bytes
    reserve = room(arenas[(seed * len(arenas)) // 8], BOARD.code_region.size_bytes - limit)
    fitting = [candidate for candidate in every if MEMORY.fits(candidate, reserve).fits]
    chosen = choose(graph, reserve, latency=latency, patches=False)
    assert chosen.fits is bool(fitting)
    if fitting and not MEMORY.fits(chosen.first.schedule, reserve).fits:
        assert latency.predict(chosen.schedule).total == min(latency.predict(c).total or 0 for c in fitting)
