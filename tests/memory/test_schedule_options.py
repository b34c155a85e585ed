"""What lowers an arena: in place, patches and order, on networks of known size; and the advice about them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.lowering import PatchPlan, Schedule, StreamPlan, lower
from tinynas.memory import Ticks, advise, best_patch_plan, plan_arena, reorder
from tinynas.spaces import build_graph, mobilenet_v2_architecture


@pytest.fixture(scope="module")
def mobilenet() -> Graph:
    return build_graph(mobilenet_v2_architecture(0.35, 144, classes=10), DType.INT8)


@pytest.fixture(scope="module")
def vww1() -> Graph:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "memory_schedules.py"
    specification = importlib.util.spec_from_file_location("memory_schedules_benchmark", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    graph = module.mcunet_vww1()
    assert isinstance(graph, Graph)
    return graph


def arena(graph: Graph, patches: PatchPlan | None = None) -> int:
    return plan_arena(lower(graph, patches)).arena_bytes


def test_mobilenet_at_144_fits_256_kb_in_patches(mobilenet: Graph) -> None:
    assert arena(mobilenet) > 256 * 1024
    plan = best_patch_plan(mobilenet, 256 * 1024)
    assert plan is not None
    assert arena(mobilenet, plan) <= 256 * 1024
    # The fewest MACs that fit: two patches, whose halo is less than 1 %.
    assert plan.patches == 2
    assert lower(mobilenet, plan).macs < 1.01 * lower(mobilenet).macs


def test_mcunet_vww1_takes_no_more_than_under_tinyengine(vww1: Graph) -> None:
    """TinyEngine's generator reports 93,992 bytes plain and 62,352 with patches for its demo network."""
    plain = lower(vww1, in_place=False)
    (depthwise,) = (step for step in plain.steps if step.name == "block0.depthwise")
    assert plan_arena(plain).arena_bytes == 40 * 40 * 48 + 20 * 20 * 48 + depthwise.scratch_bytes
    (expand,) = (step for step in lower(vww1).steps if step.name == "block0.expand")
    assert arena(vww1) == 40 * 40 * 8 + 40 * 40 * 48 + expand.scratch_bytes <= 93_992
    plan = best_patch_plan(vww1, 62_352)
    assert plan is not None
    assert arena(vww1, plan) <= 62_352
    assert lower(vww1, plan).macs < 1.05 * lower(vww1).macs


def test_patches_that_save_nothing_are_not_chosen() -> None:
    b = GraphBuilder("late peak", DType.INT8)
    x = b.mean(b.input((1, 8, 8, 4)), keep_dims=True, name="squeeze")
    wide = b.conv_2d(b.conv_2d(x, 400, 1, name="wide"), 400, 1, name="wider")
    assert best_patch_plan(b.build([wide])) is None


def test_advice_names_the_peak_and_every_gain(vww1: Graph) -> None:
    plain = lower(vww1, in_place=False)
    advice = advise(vww1, plain)
    assert (advice.peak_name, advice.peak_bytes) == ("block0.depthwise", advice.arena_bytes)
    assert advice.arena_bytes == plan_arena(plain).arena_bytes
    options = {option.kind: option for option in advice.options}
    assert options["in-place"].arena_bytes == arena(vww1)
    assert options["in-place"].saved_bytes == advice.arena_bytes - arena(vww1) > 0
    assert not any(option.applied for option in advice.options)
    assert options["reorder"].saved_bytes == 0
    assert options["offline-plan"].saved_bytes == 0
    patches = options["patches"]
    assert patches.patches is not None
    assert arena(vww1, patches.patches) == patches.arena_bytes == advice.arena_bytes - patches.saved_bytes
    assert lower(vww1, patches.patches).macs == lower(vww1).macs + patches.extra_macs


def test_what_the_schedule_has_already_is_applied(vww1: Graph) -> None:
    advice = advise(vww1)
    without = plan_arena(lower(vww1, in_place=False)).arena_bytes
    options = {option.kind: option for option in advice.options}
    assert [kind for kind, option in options.items() if option.applied] == ["in-place"]
    assert options["in-place"].arena_bytes == advice.arena_bytes == arena(vww1)
    assert options["in-place"].saved_bytes == without - arena(vww1)
    plan = options["patches"].patches
    assert plan is not None
    applied = {option.kind: option for option in advise(vww1, lower(vww1, plan)).options}["patches"]
    assert applied.applied
    assert applied.saved_bytes == options["patches"].saved_bytes
    assert applied.extra_macs == options["patches"].extra_macs


def columns() -> Graph:
    """The columns of the second convolution set the peak; those of the third do not."""
    b = GraphBuilder("columns", DType.INT8)
    x = b.conv_2d(b.input((1, 12, 12, 16)), 16, 5, name="large")
    x = b.conv_2d(x, 8, 3, stride=2, name="small")
    return b.build([b.mean(x, name="pool")])


def instructions(schedule: Schedule) -> float:
    """Slow kernels take 100 more."""
    return sum(100.0 if step.variant == "conv_2d" else 0.0 for step in schedule.steps)


def test_advice_on_kernels_of_less_scratch_names_bytes_and_ticks() -> None:
    graph, ticks = columns(), Ticks(instructions, "instructions")
    option = {o.kind: o for o in advise(graph, ticks=ticks).options}["kernels"]
    assert (option.applied, option.extra_ticks, option.extra_macs) == (False, 100, 0)
    assert "for 100 instructions more" in option.how
    relieved = lower(graph, arena_bytes=option.arena_bytes)
    assert plan_arena(relieved).arena_bytes == option.arena_bytes == 2 * 12 * 12 * 16
    assert [step.variant for step in relieved.steps][:2] == ["conv_2d", "conv_2d_im2col"]
    applied = {o.kind: o for o in advise(graph, relieved, ticks=ticks).options}["kernels"]
    assert (applied.applied, applied.extra_ticks, applied.saved_bytes) == (True, 100, option.saved_bytes)
    assert applied.how == "applied: kernels of less scratch, for 100 instructions more"
    unpriced = {o.kind: o for o in advise(graph).options}["kernels"]
    assert (unpriced.extra_ticks, unpriced.how.split(":")[0]) == (None, "kernels of less scratch")


def test_another_order_that_the_schedule_has_is_applied() -> None:
    b = GraphBuilder("branches", DType.INT8)
    x = b.input((1, 8, 8, 4))
    wide = [b.conv_2d(x, 32, 1, name=f"wide{i}") for i in range(2)]
    graph = b.build([b.concatenation([b.conv_2d(w, 2, 1, name=f"narrow{i}") for i, w in enumerate(wide)], name="join")])
    open_option = {o.kind: o for o in advise(graph).options}["reorder"]
    applied = {o.kind: o for o in advise(graph, lower(reorder(graph))).options}["reorder"]
    assert (open_option.applied, applied.applied) == (False, True)
    assert applied.saved_bytes == open_option.saved_bytes > 0


def test_a_result_that_nobody_reads_is_not_another_order() -> None:
    b = GraphBuilder("dead", DType.INT8)
    x = b.conv_2d(b.input((1, 8, 8, 4)), 8, 3, name="conv")
    b.max_pool_2d(x, 2, name="unread")
    graph = b.build([b.mean(x, name="mean")])
    assert len(lower(graph).graph.ops) == len(graph.ops) - 1
    option = {o.kind: o for o in advise(graph).options}["reorder"]
    assert (option.applied, option.how) == (False, "no order takes less")


def test_advice_about_a_network_row_by_row_compares_with_the_same_rows() -> None:
    """Nothing in it works in place, and every kernel is the one that shapes decide."""
    b = GraphBuilder("rows", DType.INT8)
    x = b.input((1, 32, 32, 16))
    for name in ("a", "b", "c"):
        x = b.conv_2d(x, 16, 3, name=name)
    graph = b.build([x])
    whole, rows = lower(graph), lower(graph, streams=[StreamPlan(0, (1, 1, 1))])
    ticks = Ticks(lambda schedule: 100.0 if schedule == whole else 130.0 if schedule == rows else None, "cycles")
    options = {option.kind: option for option in advise(graph, rows, ticks=ticks).options}
    streams = options.pop("streams")
    assert (streams.applied, streams.extra_ticks) == (True, 30)
    assert streams.saved_bytes == plan_arena(whole).arena_bytes - plan_arena(rows).arena_bytes > 0
    assert streams.how == "applied: parts of it row by row, for 30 cycles more"
    assert not any(option.applied or option.saved_bytes for option in options.values())


def test_advice_knows_what_runs_row_by_row_behind_patches(vww1: Graph) -> None:
    patches = PatchPlan(5, 2)
    streams = (StreamPlan(6, (1, 1, 1, 1)), StreamPlan(14, (2, 2)))
    mixed, without = lower(vww1, patches, streams=streams), lower(vww1, patches)
    ticks = Ticks(lambda schedule: 7.0 if schedule == mixed else 9.0 if schedule == without else None, "cycles")
    (option,) = (o for o in advise(vww1, mixed, ticks=ticks).options if o.kind == "streams")
    assert (option.applied, option.extra_ticks) == (True, -2)
    assert option.how.endswith(", for 2 cycles fewer")
