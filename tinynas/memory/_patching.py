"""Which first layers to run patch by patch, and in how many patches: alone, or with the rest row by row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from tinynas.graph import Graph
from tinynas.lowering import DSP_LOWERING, Lowering, PatchedLayers, PatchError, PatchPlan, Schedule, Step
from tinynas.memory._live_ranges import live_ranges
from tinynas.memory._plan import plan_arena, plan_parts
from tinynas.memory._stream_cells import Cell, KernelTicks

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


@dataclass(frozen=True)
class PatchedStage:
    """The first cells of a network in patches.

    Attributes:
        plan: Which layers that are, and in how many patches.
        cells: How many cells.
        arena_bytes: What they take.
        steps: Their kernel calls, those of all patches.
    """

    plan: PatchPlan
    cells: int
    arena_bytes: int
    steps: tuple[Step, ...]


def patched_stages(
    schedule: Schedule,
    cells: Sequence[Cell],
    lowering: Lowering,
    most_bytes: int,
    faster_than: tuple[KernelTicks, float] | None = None,
) -> Iterator[PatchedStage]:
    """The first cells of a network in the fewest patches that fit an arena, for every place where they may end.

    That is the fastest that they can be, but where a stride passes rows by, which then more patches need not compute.
    Cells that fit as a whole are left as they are.

    Args:
        schedule: The plain schedule of the network.
        cells: Of it.
        lowering: What made it.
        most_bytes: Of the arena.
        faster_than: Ticks of kernels, all of them known, and of a way to execute the network: stages that are no part
            of a faster one are left out, by the same rule. Of the cells behind them the kernels alone are counted.
    """
    height, row_bytes = cells[0].input_shape
    behind = _least_ticks_behind(cells, faster_than[0]) if faster_than is not None else []
    layers_in_patches = PatchedLayers(schedule.graph, lowering)
    fits = True
    for count, layers in enumerate(accumulate(cell.steps for cell in cells), 1):
        fits = fits and cells[count - 1].arena_bytes <= most_bytes
        rows, bytes_of_row = cells[count - 1].output_shape
        if fits or height * row_bytes + rows * bytes_of_row > most_bytes:
            continue  # the image and the stage's output are there beside all patches
        for patches in PATCHES:
            plan = PatchPlan(layers, patches)
            if faster_than is not None:
                ticks, fastest = faster_than
                kernels = _kernels(layers_in_patches, plan)
                if kernels is None or _ticks(kernels, ticks) + behind[count] >= fastest:
                    break
            patched = _lowered(schedule.graph, plan, lowering)
            if patched is None:
                break
            steps = patched.steps[: patches * layers]
            arena = max(size for part, size in plan_parts(patched) if part.last < len(steps))
            if arena <= most_bytes:
                yield PatchedStage(plan, count, arena, steps)
                break


def _kernels(layers: PatchedLayers, plan: PatchPlan) -> list[tuple[str, Mapping[str, float]]] | None:
    try:
        return layers.kernels(plan)
    except PatchError:
        return None


def _least_ticks_behind(cells: Sequence[Cell], ticks: KernelTicks) -> list[float]:
    """What the kernels behind so many cells take at least, as a whole or row by row."""
    least = [
        min(
            _ticks(((step.variant, step.features) for step in cell.plain), ticks),
            *(_ticks(streamed.kernels, ticks) for streamed in cell.streamed.values()),
            math.inf,
        )
        for cell in cells
    ]
    return [*accumulate(reversed(least), initial=0.0)][::-1]


def _ticks(kernels: Iterable[tuple[str, Mapping[str, float]]], ticks: KernelTicks) -> float:
    """Of some kernels; those that are not known are free."""
    return sum(ticks(variant, features) or 0.0 for variant, features in kernels)
