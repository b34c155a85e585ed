"""Which first layers to run patch by patch, and in how many patches."""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph import Graph
from tinynas.lowering import DSP_LOWERING, Lowering, PatchError, PatchPlan, Schedule
from tinynas.memory._live_ranges import live_ranges
from tinynas.memory._plan import plan_arena

MOST_STEPS = 256
"""Steps of a schedule that the firmware's profile frame has room for (`firmware/runtime/frame.h`)."""

PATCHES = range(2, 33)
"""Numbers of patches that are tried."""


def best_patch_plan(
    graph: Graph, arena_bytes: int | None = None, lowering: Lowering = DSP_LOWERING
) -> PatchPlan | None:
    """The patches that pay most, or None where none takes a smaller arena than the plain schedule.

    All first layers that end in a single tensor, and all layers there are, are tried with all numbers of `PATCHES`.

    Args:
        graph: An int8 network.
        arena_bytes: What the arena may take: of all patches that meet it, those with the fewest multiply-accumulates
            are chosen. Without it, or where none meets it, those with the smallest arena are.
        lowering: How the network is lowered otherwise.

    Raises:
        UnsupportedGraphError: The graph cannot be lowered.
    """
    # Bytes follow from shapes: without weights nothing is counted that depends on them.
    graph = replace(graph, tensors=tuple(replace(t, data=None) for t in graph.tensors))
    plain = lowering(graph)
    best: tuple[tuple[bool, int, int], PatchPlan] | None = None
    smallest = plan_arena(plain).arena_bytes
    limit = arena_bytes if arena_bytes is not None else 0
    alive = live_ranges(plain).bytes_per_step()
    # Patches that leave out a step at the peak change nothing.
    peak = max((i for i, size in enumerate(alive) if size == max(alive)), default=0)
    for layers in range(peak + 1, len(plain.steps) + 1):
        for patches in PATCHES:
            plan = PatchPlan(layers, patches)
            schedule = _lowered(graph, plan, lowering)
            if schedule is None:
                break  # more patches of the same layers fail for the same reason, or have too many rows or steps
            if best is not None and not best[0][0] and schedule.macs > best[0][1]:
                break  # more patches of the same layers compute more twice
            if not _can_improve(schedule, best, limit, smallest):
                continue
            arena = plan_arena(schedule).arena_bytes
            if arena >= smallest:
                continue
            rank = (False, schedule.macs, arena) if arena <= limit else (True, arena, schedule.macs)
            if best is None or rank < best[0]:
                best = (rank, plan)
    return None if best is None else best[1]


def _lowered(graph: Graph, plan: PatchPlan, lowering: Lowering) -> Schedule | None:
    try:
        schedule = lowering(graph, plan)
    except PatchError:
        return None
    return schedule if len(schedule.steps) <= MOST_STEPS else None


def _can_improve(
    schedule: Schedule, best: tuple[tuple[bool, int, int], PatchPlan] | None, limit: int, plain: int
) -> bool:
    """Whether a schedule is worth planning, by the bytes alive in it."""
    bound = live_ranges(schedule).lower_bound
    if best is None:
        return bound < plain
    misses, first, _ = best[0]
    return (bound <= first or bound <= limit) if misses else (bound <= limit and schedule.macs <= first)
