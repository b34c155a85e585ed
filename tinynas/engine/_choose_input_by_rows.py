"""The schedule of a network whose input comes row by row: on a board the fastest that fits, else the smallest arena."""

from __future__ import annotations

from dataclasses import replace

from tinynas.engine._choose_kernels import choose_kernels
from tinynas.engine._choose_schedule import ChosenSchedule
from tinynas.engine._executions import Execution
from tinynas.graph import Graph, without_dead_operators
from tinynas.latency import LatencyModel
from tinynas.lowering import Lowering, StreamError, StreamPlan
from tinynas.memory import NativeMemoryModel, StreamChoice, call_ticks, cells_of, plan_arena, stream_choices
from tinynas.targets import Reserve


def choose_input_by_rows(
    graph: Graph,
    lowering: Lowering,
    memory: NativeMemoryModel | None = None,
    latency: LatencyModel | None = None,
    reserve: Reserve | None = None,
    *,
    arena_bytes: int | None = None,
) -> ChosenSchedule:
    """How to execute a network that takes its input row by row.

    Args:
        graph: The int8 network.
        lowering: For the board's core, without a limit of the arena.
        memory: SRAM, flash and stack on the board: the fewest predicted ticks whose arena fits. None, or where none
            fits: the smallest arena.
        latency: Ticks; None where there is no model: then the smallest arena.
        reserve: Memory that the application keeps for itself.
        arena_bytes: What the arena may take on the board; None for what the board has room for.

    Raises:
        StreamError: The first layers of the network cannot run row by row, or it has several inputs.
        UnsupportedGraphError: Our engine cannot run the network.
    """
    whole = Execution(without_dead_operators(graph), lowering)
    plain = whole.schedule()
    if not plain.steps:
        raise StreamError(f"{graph.name}: its input cannot come row by row: it computes nothing")
    room = 2**32 if memory is None else memory.largest_arena(reserve)
    room = room if arena_bytes is None else min(room, arena_bytes)
    choices = _choices(whole, None if memory is None else room, latency)
    if not choices:
        raise StreamError(f"{graph.name}: its input cannot come row by row: {_reason(whole)}")
    fitting = [choice for choice in choices if choice[0].arena_bytes <= room]
    # Without a board the smallest arena; so too where nothing fits, or where ticks are not known.
    known = memory is not None and fitting and latency is not None
    least = min(choices, key=lambda choice: choice[0].arena_bytes)
    choice, used = min(fitting, key=lambda choice: choice[0].ticks) if known else least
    execution = replace(whole, lowering=used, streams=choice.streams)
    kernels = choose_kernels(execution.schedule(), memory, latency, reserve, by_shape=execution.by_shape())
    first = choose_kernels(plain, memory, latency, reserve)
    before, after = (None if latency is None else latency.predict(k.schedule).total for k in (first, kernels))
    flash = None
    if memory is not None and not memory.unknown_variants(kernels.schedule.variants | first.schedule.variants):
        flash = memory.flash(kernels.schedule).total_bytes - memory.flash(first.schedule).total_bytes
    return ChosenSchedule(
        execution=execution,
        kernels=kernels,
        verdict=None if memory is None else memory.fits(kernels.schedule, reserve),
        first=first,
        arena_bytes_by_shape=plan_arena(plain).arena_bytes,
        extra_ticks=None if before is None or after is None else round(after) - round(before),
        extra_flash_bytes=flash,
        tried=len(choices),
    )


def _choices(
    whole: Execution, arena_bytes: int | None, latency: LatencyModel | None
) -> list[tuple[StreamChoice, Lowering]]:
    """Ways with all scratch, and with what fits an arena; without ticks where those of a kernel are not known."""
    ticks = call_ticks if latency is None else latency.kernel_ticks
    found = []
    for limit in dict.fromkeys((None, arena_bytes)):
        lowering = whole.lowering.within(limit)
        cells = cells_of(lowering(whole.graph), lowering)
        found += [(choice, lowering) for choice in stream_choices(cells, ticks, pushed=True)]
    return found


def _reason(whole: Execution) -> str:
    try:
        whole.lowering(whole.graph, streams=(StreamPlan(0, (1,), pushed=True),))
    except StreamError as error:
        return str(error).removeprefix("row by row: ")
    return "the rows of its first layers see nothing but padding"
