"""Where the arena of a network peaks, and what would lower it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tinynas.graph import Graph, without_dead_operators
from tinynas.lowering import DSP_LOWERING, Lowering, PatchPlan, Schedule, StreamPlan
from tinynas.memory._live_ranges import live_ranges
from tinynas.memory._patching import best_patch_plan
from tinynas.memory._plan import plan_arena
from tinynas.memory._reorder import reorder
from tinynas.memory._stream_cells import KernelTicks, cells_of
from tinynas.memory._stream_planner import StreamChoice, stream_choices
from tinynas.memory._stream_ticks import call_ticks
from tinynas.memory.tflm import TflmMemoryModel, TflmUnsupportedError, offline_plan

_HARDLY_MORE = 0.1
"""Ticks that a smaller arena may cost, as a part of all, to be named beside the smallest one."""


@dataclass(frozen=True)
class MemoryOption:
    """One way of running a network in less memory.

    Attributes:
        kind: "in-place", "reorder", "kernels", "streams" or "patches" for our engine, "offline-plan" for TFLM.
        applied: Whether the arena of the advice has it already.
        arena_bytes: With it.
        saved_bytes: What it takes off the arena without it; 0 where it does not help.
        extra_macs: Multiply-accumulates that it adds.
        extra_ticks: Predicted ticks that it adds; None where they are not known, and for what adds none or MACs.
        how: What to do, in one line.
        patches: The patches to lower the graph with, for "patches".
        streams: The segments to lower it with, for "streams".
    """

    kind: Literal["in-place", "reorder", "kernels", "streams", "patches", "offline-plan"]
    applied: bool
    arena_bytes: int
    saved_bytes: int
    extra_macs: int
    how: str
    patches: PatchPlan | None = None
    extra_ticks: int | None = None
    streams: tuple[StreamPlan, ...] = ()


@dataclass(frozen=True)
class MemoryAdvice:
    """The step at which most is alive, the arena as it is, and every option with its gain, applied or not."""

    arena_bytes: int
    peak_step: int
    peak_name: str
    peak_bytes: int
    options: tuple[MemoryOption, ...]


@dataclass(frozen=True)
class Ticks:
    """Predicted ticks of a schedule, and of a kernel, None where they are not known; and what ticks are."""

    of: Callable[[Schedule], float | None]
    unit: str
    kernel: KernelTicks = call_ticks


UNKNOWN_TICKS = Ticks(lambda schedule: None, "ticks")


def advise(
    graph: Graph,
    schedule: Schedule | None = None,
    tflm: TflmMemoryModel | None = None,
    ticks: Ticks = UNKNOWN_TICKS,
) -> MemoryAdvice:
    """Look for what lowers the arena of an int8 network.

    Args:
        graph: The network.
        schedule: How it is executed; None for how it is on a core with DSP instructions. What the schedule
            has already is `applied`.
        tflm: The kernels for which an offline plan is tried; None for TFLM's reference kernels on Arm.
        ticks: Says what slower kernels cost.

    Raises:
        UnsupportedGraphError: Our engine cannot run the network.
    """
    if schedule is None:
        schedule = DSP_LOWERING(graph)
    executed = without_dead_operators(graph)
    arena = plan_arena(schedule).arena_bytes
    alive = live_ranges(schedule).bytes_per_step()
    peak = max(range(len(alive)), key=alive.__getitem__, default=0)
    options = (
        _in_place(schedule, arena),
        _reorder(executed, schedule, arena),
        _kernels(schedule, arena, ticks),
        _streams(schedule, arena, ticks),
        _patches(schedule, arena),
        _offline_plan(graph, tflm or TflmMemoryModel(4)),
    )
    return MemoryAdvice(
        arena_bytes=arena,
        peak_step=peak,
        peak_name=schedule.steps[peak].name if schedule.steps else "",
        peak_bytes=alive[peak] if alive else arena,
        options=tuple(option for option in options if option is not None),
    )


def _lowering_of(schedule: Schedule, *, in_place: bool = True) -> Lowering:
    """How else a graph might be lowered for the core of `schedule`."""
    return Lowering(schedule.instruction_set, in_place)


def _works_in_place(schedule: Schedule) -> bool:
    return any(step.shrinks or step.output_buffer in step.input_buffers for step in schedule.steps)


def _patch_plan(schedule: Schedule) -> PatchPlan | None:
    """The patches that a schedule has."""
    bands = [step.band for step in schedule.steps if step.band is not None]
    return PatchPlan(len({b.weights_step for b in bands}), len({b.patch for b in bands})) if bands else None


def _stream_plans(schedule: Schedule) -> tuple[StreamPlan, ...]:
    """What a schedule runs row by row."""
    plans: list[StreamPlan] = []
    position = 0
    for step in schedule.steps:
        if step.stream is not None:
            rows = tuple(layer.rows_per_call for layer in step.stream.layers)
            plans.append(StreamPlan(position, rows, step.stream.input_window_rows is not None))
            position = plans[-1].end
        elif step.band is None or step.band.weights_step == step.index:
            position += 1
    return tuple(plans)


def _again(schedule: Schedule, lowering: Lowering) -> Schedule:
    """The same network in the same patches, and the same of it row by row, lowered otherwise."""
    return lowering(schedule.graph, _patch_plan(schedule), _stream_plans(schedule))


def _in_place(schedule: Schedule, arena: int) -> MemoryOption:
    what = "depthwise convolutions and element-wise operators in place of their inputs"
    if _works_in_place(schedule):
        without = plan_arena(_again(schedule, _lowering_of(schedule, in_place=False))).arena_bytes
        return MemoryOption("in-place", True, arena, max(0, without - arena), 0, f"applied: {what}")
    better = plan_arena(_again(schedule, _lowering_of(schedule))).arena_bytes
    how = (
        f"{what}: what `lower` does unless told otherwise"
        if better < arena
        else "nothing that could work in place sets the peak"
    )
    return MemoryOption("in-place", False, min(better, arena), max(0, arena - better), 0, how)


def _reorder(graph: Graph, schedule: Schedule, arena: int) -> MemoryOption:
    lowering = _lowering_of(schedule, in_place=_works_in_place(schedule))
    if schedule.graph.ops != graph.ops:
        given = plan_arena(lowering(graph)).arena_bytes
        return MemoryOption("reorder", True, arena, max(0, given - arena), 0, "applied: the operators in another order")
    better = plan_arena(lowering(reorder(graph, _lowering_of(schedule)))).arena_bytes
    in_parts = bool(_stream_plans(schedule)) or _patch_plan(schedule) is not None
    how = (
        "the operators in another order; from Python: write_tflite(reorder(read_tflite('MODEL.tflite')), 'NEW.tflite')"
        if better < arena
        else f"no order takes less{' as a whole' * in_parts}"
    )
    return MemoryOption("reorder", False, min(better, arena), max(0, arena - better), 0, how)


def _kernels(schedule: Schedule, arena: int, ticks: Ticks) -> MemoryOption:
    """Scratch that was given up, or could be, with everything else as it is."""
    lowering = _lowering_of(schedule, in_place=_works_in_place(schedule))
    by_shape = _again(schedule, lowering)
    saved = plan_arena(by_shape).arena_bytes - arena
    if saved > 0:
        extra = _difference(ticks, by_shape, schedule)
        how = f"applied: kernels of less scratch{_price(extra, ticks.unit)}"
        return MemoryOption("kernels", True, arena, saved, 0, how, extra_ticks=extra)
    # What does not set the peak keeps its kernel: the limit is the smallest arena, not no scratch at all.
    smallest = plan_arena(_again(schedule, lowering.within(0))).arena_bytes
    relieved = _again(schedule, lowering.within(smallest))
    better = plan_arena(relieved).arena_bytes
    if better >= arena:
        return MemoryOption("kernels", False, arena, 0, 0, "no kernel of less scratch takes less")
    extra = _difference(ticks, schedule, relieved)
    how = (
        f"kernels of less scratch{_price(extra, ticks.unit)}: taken where a network does not fit otherwise, "
        "and only as far as that takes"
    )
    return MemoryOption("kernels", False, better, arena - better, 0, how, extra_ticks=extra)


def _difference(ticks: Ticks, before: Schedule, after: Schedule) -> int | None:
    first, second = ticks.of(before), ticks.of(after)
    return None if first is None or second is None else round(second - first)


def _price(extra: int | None, unit: str) -> str:
    return "" if extra is None else f", for {abs(extra):,} {unit} {'more' if extra >= 0 else 'fewer'}"


def _streams(schedule: Schedule, arena: int, ticks: Ticks) -> MemoryOption:
    """Parts row by row: as little arena as that can take, and as little as hardly costs anything."""
    graph, lowering = schedule.graph, _lowering_of(schedule)
    plain = lowering(graph)
    applied = _stream_plans(schedule)
    if applied:
        # Kernels by shape on both sides: what others are chosen for it costs, or gains, otherwise.
        without = lowering(graph, _patch_plan(schedule))
        saved = max(0, plan_arena(without).arena_bytes - arena)
        extra = _difference(ticks, without, _again(schedule, lowering))
        how = f"applied: parts of it row by row{_price(extra, ticks.unit)}"
        return MemoryOption("streams", True, arena, saved, 0, how, extra_ticks=extra)
    choices = [c for c in stream_choices(cells_of(plain, lowering), ticks.kernel) if c.arena_bytes < arena]
    if not choices or not choices[0].streams:
        return MemoryOption("streams", False, arena, 0, 0, "nothing that sets the peak can run row by row")
    smallest = choices[0]
    extra = _difference(ticks, plain, lowering(graph, streams=smallest.streams))
    how = f"{_parts(smallest)} row by row, no MAC computed twice{_price(extra, ticks.unit)}"
    whole = ticks.of(plain)
    cheap = next((c for c in choices if whole is not None and c.ticks <= (1 + _HARDLY_MORE) * whole), smallest)
    if cheap is not smallest:
        price = _price(_difference(ticks, plain, lowering(graph, streams=cheap.streams)), ticks.unit)
        how += f"; or {cheap.arena_bytes:,} bytes of arena{price}"
    how += ": taken where a network does not fit otherwise; `tinynas measure --arena BYTES` tries it"
    return MemoryOption(
        "streams", False, smallest.arena_bytes, arena - smallest.arena_bytes, 0, how, None, extra, smallest.streams
    )


def _parts(choice: StreamChoice) -> str:
    layers = sum(len(plan.rows) for plan in choice.streams)
    return f"{layers} layers in {len(choice.streams)} segment{'s' * (len(choice.streams) > 1)}"


def _patches(schedule: Schedule, arena: int) -> MemoryOption:
    graph, lowering = schedule.graph, _lowering_of(schedule)
    if _patch_plan(schedule) is not None:
        plain = lowering(graph, streams=_stream_plans(schedule))
        saved = max(0, plan_arena(plain).arena_bytes - arena)
        return MemoryOption(
            "patches", True, arena, saved, schedule.macs - plain.macs, "applied: first layers in patches"
        )
    plan = best_patch_plan(graph, lowering=lowering)
    patched = None if plan is None else lowering(graph, plan)
    better = arena if patched is None else plan_arena(patched).arena_bytes
    if plan is None or patched is None or better >= arena:
        return MemoryOption("patches", False, arena, 0, 0, "no patches of the first layers take less")
    how = (
        f"the first {plan.layers} layers in {plan.patches} patches, for "
        f"{100 * (patched.macs / max(1, schedule.macs) - 1):.1f} % more MACs: taken where a network does not fit "
        "otherwise, in the fewest patches that do; `tinynas run` does so with [engine] patches = true"
    )
    return MemoryOption("patches", False, better, arena - better, patched.macs - schedule.macs, how, plan)


def _offline_plan(graph: Graph, model: TflmMemoryModel) -> MemoryOption | None:
    """For who runs the same network under TFLM; None where TFLM cannot."""
    try:
        plan = offline_plan(graph, model)
    except TflmUnsupportedError:
        return None
    how = (
        "`tinynas export MODEL.tflite NEW.tflite --offline-plan`: stock TFLM then follows a better plan of its head"
        if plan.saved_bytes
        else "TFLM's own plan of its arena's head is as good"
    )
    return MemoryOption("offline-plan", False, plan.head_bytes, plan.saved_bytes, 0, how)
