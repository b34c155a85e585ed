"""Where the arena of a network peaks, and what would lower it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tinynas.graph import Graph
from tinynas.lowering import DSP_LOWERING, Lowering, PatchPlan, Schedule
from tinynas.memory._live_ranges import live_ranges
from tinynas.memory._patching import best_patch_plan
from tinynas.memory._plan import plan_arena
from tinynas.memory._reorder import reorder
from tinynas.memory.tflm import TflmMemoryModel, TflmUnsupportedError, offline_plan


@dataclass(frozen=True)
class MemoryOption:
    """One way of running a network in less memory.

    Attributes:
        kind: "in-place", "reorder" or "patches" for our engine, "offline-plan" for TFLM.
        applied: Whether the arena of the advice has it already.
        arena_bytes: With it.
        saved_bytes: What it takes off the arena without it; 0 where it does not help.
        extra_macs: Multiply-accumulates that it adds.
        how: What to do, in one line.
        patches: The patches to lower the graph with, for "patches".
    """

    kind: Literal["in-place", "reorder", "patches", "offline-plan"]
    applied: bool
    arena_bytes: int
    saved_bytes: int
    extra_macs: int
    how: str
    patches: PatchPlan | None = None


@dataclass(frozen=True)
class MemoryAdvice:
    """The step at which most is alive, the arena as it is, and every option with its gain, applied or not."""

    arena_bytes: int
    peak_step: int
    peak_name: str
    peak_bytes: int
    options: tuple[MemoryOption, ...]


def advise(graph: Graph, schedule: Schedule | None = None, tflm: TflmMemoryModel | None = None) -> MemoryAdvice:
    """Look for what lowers the arena of an int8 network.

    Args:
        graph: The network.
        schedule: How it is executed; None for how it is on a core with DSP instructions. What the schedule
            has already is `applied`.
        tflm: The kernels for which an offline plan is tried; None for TFLM's reference kernels on Arm.

    Raises:
        UnsupportedGraphError: Our engine cannot run the network.
    """
    if schedule is None:
        schedule = DSP_LOWERING(graph)
    arena = plan_arena(schedule).arena_bytes
    alive = live_ranges(schedule).bytes_per_step()
    peak = max(range(len(alive)), key=alive.__getitem__, default=0)
    options = (
        _in_place(graph, schedule, arena),
        _reorder(graph, schedule, arena),
        _patches(graph, schedule, arena),
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


def _in_place(graph: Graph, schedule: Schedule, arena: int) -> MemoryOption:
    what = "depthwise convolutions and element-wise operators in place of their inputs"
    if _works_in_place(schedule):
        without = plan_arena(_lowering_of(schedule, in_place=False)(graph)).arena_bytes
        return MemoryOption("in-place", True, arena, max(0, without - arena), 0, f"applied: {what}")
    better = plan_arena(_lowering_of(schedule)(graph)).arena_bytes
    how = (
        f"{what}: what `lower` does unless told otherwise"
        if better < arena
        else "nothing that could work in place sets the peak"
    )
    return MemoryOption("in-place", False, min(better, arena), max(0, arena - better), 0, how)


def _reorder(graph: Graph, schedule: Schedule, arena: int) -> MemoryOption:
    order = reorder(graph, _lowering_of(schedule))
    reordered = _lowering_of(schedule, in_place=_works_in_place(schedule))(order)
    better = plan_arena(reordered).arena_bytes
    how = (
        "the operators in another order; from Python: write_tflite(reorder(read_tflite('MODEL.tflite')), 'NEW.tflite')"
        if better < arena
        else "no order takes less"
    )
    return MemoryOption("reorder", False, min(better, arena), max(0, arena - better), 0, how)


def _patches(graph: Graph, schedule: Schedule, arena: int) -> MemoryOption:
    if any(step.band is not None for step in schedule.steps):
        plain = _lowering_of(schedule)(graph)
        saved = max(0, plan_arena(plain).arena_bytes - arena)
        return MemoryOption(
            "patches", True, arena, saved, schedule.macs - plain.macs, "applied: first layers in patches"
        )
    lowering = _lowering_of(schedule)
    plan = best_patch_plan(graph, lowering=lowering)
    patched = None if plan is None else lowering(graph, plan)
    better = arena if patched is None else plan_arena(patched).arena_bytes
    if plan is None or patched is None or better >= arena:
        return MemoryOption("patches", False, arena, 0, 0, "no patches of the first layers take less")
    how = (
        f"the first {plan.layers} layers in {plan.patches} patches, for "
        f"{100 * (patched.macs / max(1, schedule.macs) - 1):.1f} % more MACs; `tinynas run` does so with [engine] "
        f"patches = true, for this model from Python: Lowering.for_core(board.core)(graph, "
        f"PatchPlan({plan.layers}, {plan.patches}))"
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
