"""The kernels of a finished network: the best that fit, none that raises the arena, and a reason for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from tinynas.engine import ChosenKernels, choose_kernels
from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.kernels import CATALOGUE, InstructionSet
from tinynas.latency import (
    LatencyModel,
    VariantModel,
    latency_model_path,
    load_latency_model,
    with_random_constants,
)
from tinynas.lowering import PatchPlan, Schedule, layers, lower, substitutes, with_variants
from tinynas.memory import NativeMemoryModel, kernel_memory_path, load_kernel_memory, plan_arena, runtime_memory_path
from tinynas.memory._model_files import load_runtime_memory
from tinynas.targets import Reserve, load_board

BOARD = load_board("virt-m4")
FLASH = BOARD.code_region.size_bytes


@pytest.fixture(scope="module")
def memory() -> NativeMemoryModel:
    return NativeMemoryModel.for_board(BOARD, "zig")


def without(variant: str) -> NativeMemoryModel:
    """The memory model as it was before a kernel was added."""
    runtime = load_runtime_memory(runtime_memory_path("virt", "cortex-m4f", "zig"), BOARD.name)
    kernels = load_kernel_memory(kernel_memory_path("cortex-m4f", "zig"), BOARD.name)
    entries = {name: entry for name, entry in kernels.entry_of.items() if name != variant}
    return NativeMemoryModel(BOARD, runtime, replace(kernels, entry_of=entries))


def usual_ticks(name: str) -> float:
    """So that the local rule's kernels are the best, and any other costs."""
    slow = {
        "conv_2d_im2col": 2000.0,
        "conv_2d": 5000.0,
        "depthwise_conv_2d": 5000.0,
        "depthwise_conv_2d_channel_buffer": 3000.0,
        "fully_connected": 2000.0,
    }
    return 9000.0 if CATALOGUE[name].for_speed else slow.get(name, 1000.0)


def model(ticks: Mapping[str, float], sigma: float = 0.0) -> LatencyModel:
    """Every call of a kernel takes so many ticks, whatever its shape; one of negative ticks was never measured."""
    variants = {}
    for variant in CATALOGUE.values():
        value = ticks.get(variant.name, usual_ticks(variant.name))
        features = ("calls", *variant.loops)
        if value >= 0:
            variants[variant.name] = VariantModel(
                features,
                np.array([value, *[0.0] * (len(features) - 1)]),
                1e9 * np.eye(len(features)),
                observations=1e6,
                residual_sum=1e6 * sigma**2,
            )
    return LatencyModel("instructions", variants)


def network() -> Graph:
    b = GraphBuilder("network", DType.INT8)
    x = b.conv_2d(b.input((1, 12, 12, 4)), 8, 3, stride=2, name="stem")
    x = b.depthwise_conv_2d(x, 3, name="depthwise")
    x = b.conv_2d(x, 16, 1, name="project")
    return b.build([b.fully_connected(b.mean(x, name="pool"), 4, name="head")])


def variants_of(chosen: ChosenKernels) -> dict[str, str]:
    return {layer.name: layer.variant for layer in chosen.layers}


def reasons_of(chosen: ChosenKernels) -> dict[str, str]:
    return {layer.name: layer.reason for layer in chosen.layers}


def notes_of(chosen: ChosenKernels, name: str) -> dict[str, str]:
    (layer,) = (layer for layer in chosen.layers if layer.name == name)
    return {alternative.variant: alternative.note for alternative in layer.alternatives}


def reserve_leaving(memory: NativeMemoryModel, schedule: Schedule, left: int) -> Reserve:
    """What to reserve for `left` bytes beyond those that the schedule takes."""
    taken = memory.flash(schedule).total_bytes + memory.flash_margin_bytes
    return Reserve(flash_bytes=FLASH - taken - left)


@pytest.mark.parametrize("suited", [True, False])
def test_a_kernel_that_does_not_suit_a_layer_is_named_and_not_chosen(suited: bool) -> None:
    """Two weights of -128 side by side do not fit the halves of a word."""
    b = GraphBuilder("network", DType.INT8)
    graph = with_random_constants(b.build([b.conv_2d(b.input((1, 9, 9, 12)), 8, 1, name="layer")]), seed=1)
    weights = graph.ops[0].inputs[1]
    smallest = replace(graph.tensors[weights], data=np.full(graph.tensors[weights].shape, -128, np.int8))
    if not suited:
        graph = replace(graph, tensors=(*graph.tensors[:weights], smallest, *graph.tensors[weights + 1 :]))
    schedule = lower(graph, instruction_set=InstructionSet.ARMV6M)
    board = load_board("virt-m0plus")
    chosen = choose_kernels(schedule, NativeMemoryModel.for_board(board, "zig"), model({"conv_1x1_swar_w16": 400.0}))
    reason, note = reasons_of(chosen)["layer"], notes_of(chosen, "layer")["conv_1x1_swar_w16"]
    if suited:
        assert reason.startswith("conv_1x1_swar_w16: 600 instructions fewer than conv_1x1_swar")
        assert note == "chosen"
    else:
        assert reason.startswith("conv_1x1_swar: the fastest")
        assert note == "it cannot requantize with the weights and scales of this layer"


def test_a_faster_kernel_is_taken_and_what_it_costs_is_said(memory: NativeMemoryModel) -> None:
    schedule = lower(network())
    chosen = choose_kernels(schedule, memory, model({"depthwise_conv_2d_channel_buffer": 400.0}))
    assert variants_of(chosen)["depthwise"] == "depthwise_conv_2d_channel_buffer"
    assert chosen.saved_ticks == 600
    assert chosen.gap_ticks == 0
    flash = memory.flash(chosen.schedule).total_bytes - memory.flash(schedule).total_bytes
    assert chosen.extra_flash_bytes == flash
    price = f"for {flash:,} bytes of flash" if flash > 0 else f"and {-flash:,} bytes of flash less"
    assert reasons_of(chosen)["depthwise"] == (
        f"depthwise_conv_2d_channel_buffer: 600 instructions fewer than depthwise_conv_2d_3x3 {price}"
    )
    assert reasons_of(chosen)["project"].startswith("conv_1x1: the fastest")
    assert [step.reason for step in chosen.schedule.steps] == [layer.reason for layer in chosen.layers]
    assert plan_arena(chosen.schedule).arena_bytes <= plan_arena(schedule).arena_bytes
    assert reasons_of(chosen)["pool"] == "mean: the only kernel for it"


def test_what_buys_nothing_gives_way_to_what_is_linked_anyway(memory: NativeMemoryModel) -> None:
    """The 1x1 convolution is as fast with the kernel that the stem needs."""
    schedule = lower(network())
    chosen = choose_kernels(schedule, memory, model({"conv_2d_im2col": 1000.0}))
    assert variants_of(chosen)["project"] == "conv_2d_im2col"
    assert chosen.saved_ticks == 0
    assert chosen.extra_flash_bytes is not None
    assert chosen.extra_flash_bytes < 0
    reason = f"conv_2d_im2col: as fast as conv_1x1, and {-chosen.extra_flash_bytes:,} bytes of flash less"
    assert reasons_of(chosen)["project"] == reason


def test_a_gain_below_the_error_of_the_prediction_is_none(memory: NativeMemoryModel) -> None:
    for sigma, saved in ((0.001, 5), (0.01, 0)):
        chosen = choose_kernels(lower(network()), memory, model({"conv_2d_im2col": 995.0}, sigma))
        assert chosen.saved_ticks == saved


@pytest.mark.parametrize("left", [-3000, -600, -100, 0, 100, 400, 100_000])
@pytest.mark.parametrize("seed", range(3))
def test_no_combination_that_fits_is_better(left: int, seed: int, memory: NativeMemoryModel) -> None:
    """Every combination of kernels, lowered, planned and weighed by itself."""
    rng = np.random.default_rng(seed)
    latency = model({name: float(rng.integers(100, 120)) for name in CATALOGUE})
    schedule = lower(network())
    reserve = reserve_leaving(memory, schedule, left)
    arena = plan_arena(schedule).arena_bytes
    found, least = [], FLASH
    for combination in product(*(substitutes(schedule, layer) for layer in layers(schedule))):
        steps = zip(layers(schedule), combination, strict=True)
        candidate = with_variants(schedule, {step: v.name for layer, v in steps for step in layer})
        if memory.unknown_variants(candidate.variants) or plan_arena(candidate).arena_bytes > arena:
            continue
        least = min(least, memory.flash(candidate).total_bytes)
        if memory.fits(candidate, reserve).fits:
            total = latency.predict(candidate).total
            found.append((total, memory.flash(candidate).total_bytes))
    chosen = choose_kernels(schedule, memory, latency, reserve, least_flash=True)
    if not found:
        assert memory.flash(chosen.schedule).total_bytes == least, "it misses by the fewest bytes"
        assert chosen.not_compared == "no kernels fit the board's flash"
        assert chosen.layers[0].reason.endswith(": the least flash; no kernels fit the board's flash")
        return
    assert memory.fits(chosen.schedule, reserve).fits
    assert (latency.predict(chosen.schedule).total, memory.flash(chosen.schedule).total_bytes) == min(found)
    assert chosen.gap_ticks == 0


def test_where_flash_is_short_the_missing_bytes_are_named(memory: NativeMemoryModel) -> None:
    schedule = with_variants(lower(network()), {1: "depthwise_conv_2d_channel_buffer"})
    latency = model({"depthwise_conv_2d_channel_buffer": 1010.0})
    more = memory.flash(lower(network())).total_bytes - memory.flash(schedule).total_bytes
    assert more > 0
    chosen = choose_kernels(schedule, memory, latency, reserve_leaving(memory, schedule, more - 4))
    assert variants_of(chosen)["depthwise"] == "depthwise_conv_2d_channel_buffer"
    left = more - 4 - (more - 4) % 4
    objection = f"would take {more:,} bytes of flash more and {left:,} are left"
    assert reasons_of(chosen)["depthwise"] == f"depthwise_conv_2d_channel_buffer: depthwise_conv_2d_3x3 {objection}"
    assert notes_of(chosen, "depthwise")["depthwise_conv_2d_3x3"] == f"10 instructions fewer, {objection}"
    assert variants_of(choose_kernels(schedule, memory, latency, reserve_leaving(memory, schedule, more)))[
        "depthwise"
    ] == ("depthwise_conv_2d_3x3")


def test_where_it_does_not_fit_otherwise_a_slower_kernel_is_taken(memory: NativeMemoryModel) -> None:
    schedule = lower(network())
    chosen = choose_kernels(schedule, memory, model({}), reserve_leaving(memory, schedule, -4))
    assert chosen.saved_ticks < 0
    assert memory.fits(chosen.schedule, reserve_leaving(memory, schedule, -4)).fits
    slower = [layer for layer in chosen.layers if layer.variant != layer.local]
    assert any(" more than " in layer.reason and "are left" in layer.reason for layer in slower)


def test_scratch_never_raises_the_arena(memory: NativeMemoryModel) -> None:
    """The 1x1 convolution sets the peak, and has no scratch: a kernel with columns is out, however fast."""
    b = GraphBuilder("peak", DType.INT8)
    x = b.conv_2d(b.input((1, 8, 8, 4)), 32, 1, name="wide")
    schedule = with_variants(lower(b.build([b.mean(x, name="pool")])), {0: "conv_2d"})
    chosen = choose_kernels(schedule, memory, model({}))
    assert variants_of(chosen)["wide"] == "conv_2d"
    assert reasons_of(chosen)["wide"].endswith("is faster, but its scratch would raise the arena")
    assert notes_of(chosen, "wide")["conv_1x1"] == "its scratch would raise the arena"


def test_scratch_below_the_peak_costs_nothing(memory: NativeMemoryModel) -> None:
    b = GraphBuilder("below", DType.INT8)
    x = b.conv_2d(b.input((1, 16, 16, 4)), 32, 1, name="wide")
    x = b.conv_2d(b.max_pool_2d(x, 2, stride=2, name="pool"), 32, 1, name="narrow")
    schedule = with_variants(lower(b.build([x])), {2: "conv_2d"})
    chosen = choose_kernels(schedule, memory, model({}))
    assert variants_of(chosen)["narrow"] == "conv_1x1"
    assert plan_arena(chosen.schedule).arena_bytes == plan_arena(schedule).arena_bytes


def test_layers_in_patches_are_chosen_as_one(memory: NativeMemoryModel) -> None:
    b = GraphBuilder("stage", DType.INT8)
    x = b.conv_2d(b.input((1, 24, 16, 4)), 8, 3, name="stem")
    x = b.conv_2d(x, 8, 1, name="project")
    schedule = lower(b.build([b.mean(x, name="pool")]), PatchPlan(2, 3))
    chosen = choose_kernels(schedule, memory, model({"conv_2d_im2col": 300.0}))
    (project,) = (layer for layer in chosen.layers if layer.name == "project")
    assert project.steps == (1, 3, 5)
    assert {chosen.schedule.steps[step].variant for step in project.steps} == {"conv_2d_im2col"}
    assert chosen.saved_ticks == 3 * 700


def test_kernels_that_no_model_knows_are_left_out(memory: NativeMemoryModel) -> None:
    schedule = lower(network())
    fast = {"depthwise_conv_2d_channel_buffer": 10.0}
    unsized = choose_kernels(schedule, without("depthwise_conv_2d_channel_buffer"), model(fast))
    assert variants_of(unsized)["depthwise"] == "depthwise_conv_2d_3x3"
    assert notes_of(unsized, "depthwise")["depthwise_conv_2d_channel_buffer"] == "no memory model knows its code"
    unpredicted = choose_kernels(schedule, memory, model({**fast, "depthwise_conv_2d_channel_buffer": -1}))
    assert notes_of(unpredicted, "depthwise")["depthwise_conv_2d_channel_buffer"] == "no latency model knows its loops"
    assert reasons_of(unpredicted)["depthwise"] == "depthwise_conv_2d_3x3: the fastest of those that the models know"
    incomparable = choose_kernels(schedule, memory, model({**fast, "depthwise_conv_2d_3x3": -1}))
    assert variants_of(incomparable)["depthwise"] == "depthwise_conv_2d_3x3"
    assert reasons_of(incomparable)["depthwise"] == (
        "depthwise_conv_2d_3x3: the local rule; no latency model knows its loops"
    )


def test_without_models_the_local_rule_stays_and_says_so(memory: NativeMemoryModel) -> None:
    schedule = lower(network())
    nothing = choose_kernels(schedule, None, None)
    assert reasons_of(nothing)["project"] == (
        "conv_1x1: the local rule; no memory model of the board and toolchain knows these kernels"
    )
    assert (nothing.unit, nothing.extra_flash_bytes, nothing.saved_ticks) == (None, None, 0)
    no_latency = choose_kernels(schedule, memory, None)
    assert reasons_of(no_latency)["project"] == "conv_1x1: the local rule; there is no latency model"
    stale = choose_kernels(schedule, without("mean"), model({}))
    assert "no memory model" in reasons_of(stale)["pool"]
    estimated = NativeMemoryModel.for_board(BOARD, "zig", compiler="zig 0.1.0")
    other = choose_kernels(schedule, estimated, model({"depthwise_conv_2d_channel_buffer": 1.0}))
    assert "fitted with another compiler" in reasons_of(other)["depthwise"]
    for chosen in (nothing, no_latency, stale, other):
        assert with_variants(chosen.schedule, {}, dict.fromkeys(range(5), "")) == schedule


def test_shipped_models_choose_the_special_kernels_again(memory: NativeMemoryModel) -> None:
    """With room for everything, nothing is slower than what the local rule takes."""
    latency = load_latency_model(latency_model_path("cortex-m4f", "zig"))
    schedule = lower(network())
    chosen = choose_kernels(schedule, memory, latency)
    assert chosen.saved_ticks >= 0
    assert variants_of(chosen)["depthwise"] in ("depthwise_conv_2d_3x3", "depthwise_conv_2d_3x3_ch4")
    assert "conv_2d" not in variants_of(chosen).values()
