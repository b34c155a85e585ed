"""The schedule of a finished network on a board: as shapes alone decide where that fits, else the fastest that does.

What a network takes of SRAM follows from its kernels' scratch, from the order of its operators, from what works in
place, from what runs row by row, and from patches; what it takes of flash from kernels, rows and patches. So a network
does not fit only where none of these ways to execute it does, and then the one is named that misses by the fewest
bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tinynas.engine._choose_kernels import ChosenKernels, choose_kernels
from tinynas.engine._executions import Execution, in_patches, in_patches_and_rows, orders, row_by_row, whole
from tinynas.engine._operators_apart import operators_apart
from tinynas.graph import Graph, without_dead_operators
from tinynas.latency import LatencyModel
from tinynas.lowering import Lowering, Schedule
from tinynas.memory import KernelTicks, NativeMemoryModel, Verdict, call_ticks, plan_arena
from tinynas.targets import Reserve


@dataclass(frozen=True)
class ChosenSchedule:
    """How a network is executed on a board, and what it would take otherwise.

    Attributes:
        execution: The way that was chosen. Where no way fits, as shapes alone decide: what is predicted and exported is
            then the network as it would run where there is room.
        kernels: The kernels, and with them the schedule.
        verdict: Whether it fits; None without a memory model. Where it does not, no way that was tried does.
        first: The schedule that shapes alone decide, in the given order and without patches, with the kernels that
            were chosen for it.
        arena_bytes_by_shape: What the arena takes with the kernels that shapes alone decide.
        extra_ticks: How many ticks more than `first` takes are predicted; None where they are not known.
        extra_flash_bytes: How much more flash it takes; None without a memory model.
        tried: Ways to execute the network that were looked at.
        nearest: Where none of them fits, the one that misses by the fewest bytes; else None.
        fits_by_shape: Whether it fits as shapes alone decide; None where that was not asked.
    """

    execution: Execution
    kernels: ChosenKernels
    verdict: Verdict | None
    first: ChosenKernels
    arena_bytes_by_shape: int
    extra_ticks: int | None
    extra_flash_bytes: int | None
    tried: int
    nearest: ChosenSchedule | None = None
    fits_by_shape: bool | None = None

    @property
    def schedule(self) -> Schedule:
        """What to build."""
        return self.kernels.schedule

    @property
    def fits(self) -> bool | None:
        """Whether it fits; None where that is not known."""
        return None if self.verdict is None else self.verdict.fits

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it does not fit, a line each: what is short, and by which way to execute it that is least."""
        if self.verdict is None or self.nearest is None:
            return () if self.verdict is None else self.verdict.reasons
        way = "; ".join(self.nearest.changes) or "other kernels"
        short = "; ".join(self.nearest.verdict.reasons if self.nearest.verdict is not None else ())
        return (
            *self.verdict.reasons,
            f"none of {self.tried} choices of kernels, order, in place, row by row and patches fits; the nearest: "
            f"{way}: {short}",
        )

    @property
    def changes(self) -> tuple[str, ...]:
        """What is done beyond the kernels of `first` so that the network fits, or misses by less, a line each."""
        execution, found = self.execution, []
        given_up = [layer for layer in self.kernels.layers if layer.scratch_given_up]
        if given_up:
            names = sorted({f"{layer.variant} for {layer.local}" for layer in given_up})
            layers = "1 layer" if len(given_up) == 1 else f"{len(given_up)} layers"
            found.append(f"kernels of less scratch in {layers}: {', '.join(names)}")
        if execution.reordered:
            found.append("the operators in another order")
        if not execution.lowering.in_place:
            found.append("nothing in place")
        elif execution.lowering.apart:
            names = sorted({self.kernels.schedule.graph.ops[op].name for op in execution.lowering.apart})
            found.append(f"not in place: {', '.join(names)}")
        if execution.patches is not None:
            found.append(f"the first {execution.patches.layers} layers in {execution.patches.patches} patches")
        segments = [step.name for step in self.kernels.schedule.steps if step.stream is not None]
        found += segments[:_NAMED]
        more = len(segments) - _NAMED
        if more > 0:
            found.append(f"{more} more segment{'s' * (more > 1)} row by row")
        return tuple(found)


_NAMED = 3
"""Segments that are named, of however many there are."""


@dataclass(frozen=True)
class _Board:
    """What decides: the models of a board, and what the application keeps for itself."""

    memory: NativeMemoryModel
    latency: LatencyModel | None
    reserve: Reserve | None
    arena_bytes: int

    @property
    def kernel_ticks(self) -> KernelTicks:
        return call_ticks if self.latency is None else self.latency.kernel_ticks

    def kernels(self, execution: Execution) -> ChosenKernels:
        return choose_kernels(
            execution.schedule(),
            self.memory,
            self.latency,
            self.reserve,
            by_shape=execution.by_shape(),
            arena_bytes=self.arena_bytes,
            least_flash=True,
        )

    def some_apart(self, way: Execution) -> Iterator[Execution]:
        """The execution with the operators apart whose kernels then fit best; none where that helps nothing."""
        lowering = way.lowering.within(self.arena_bytes)
        schedule = lowering(way.graph, way.patches)
        nothing_in_place = replace(lowering, in_place=False)(way.graph, way.patches)
        if self.memory.unknown_variants(schedule.variants | nothing_in_place.variants):
            return
        calls = len(schedule.steps)
        apart = operators_apart(
            schedule,
            nothing_in_place,
            self.memory,
            self.latency,
            lambda linked: self.memory.room_for_constants(linked, calls, self.reserve),
            self.arena_bytes,
        )
        if apart:
            yield replace(way, lowering=replace(lowering, apart=apart))

    def verdict(self, schedule: Schedule) -> Verdict:
        return self.memory.fits(schedule, self.reserve)

    def fits(self, schedule: Schedule) -> bool:
        """Whether a schedule fits the board, and its arena what it may take."""
        return self.verdict(schedule).fits is True and plan_arena(schedule).arena_bytes <= self.arena_bytes

    def ticks(self, schedule: Schedule) -> int | None:
        """Whole ticks: an order of the same steps is neither faster nor slower."""
        total = None if self.latency is None else self.latency.predict(schedule).total
        return None if total is None else round(total)

    def flash_bytes(self, schedule: Schedule) -> int:
        return self.memory.flash(schedule, self.reserve).total_bytes

    def missing_bytes(self, schedule: Schedule) -> int:
        """What all regions together have too little, and the arena of what it may take."""
        regions = sum(max(0, r.used_bytes - r.available_bytes) for r in self.verdict(schedule).regions)
        return regions + max(0, plan_arena(schedule).arena_bytes - self.arena_bytes)

    def weights_fit(self, schedule: Schedule) -> bool:
        """Whether flash holds the weights at all, without the code of any kernel."""
        room = self.memory.room_for_constants(frozenset(), len(schedule.steps), self.reserve)
        weights = {op.inputs[1] for op in schedule.graph.ops if op.weights is not None}
        return sum(schedule.graph.tensors[t].size_bytes for t in weights) <= room


def choose_schedule(
    graph: Graph,
    lowering: Lowering,
    memory: NativeMemoryModel | None,
    latency: LatencyModel | None,
    reserve: Reserve | None = None,
    *,
    patches: bool = True,
    streams: bool = True,
    arena_bytes: int | None = None,
) -> ChosenSchedule:
    """How to execute a finished network on a board: the fewest predicted ticks of what fits.

    What fits with the kernels of shapes alone keeps its arena: speed never raises SRAM. Only where that does not fit,
    everything else is tried, and scratch may take whatever SRAM is left. Where the arena is given, what runs row by row
    is looked at in any case: with a smaller arena it is at times faster, too. Patches, which compute rows twice, are
    looked at where nothing fits row by row, and with the rest row by row where that is faster than segments alone.

    Args:
        graph: The int8 network.
        lowering: For the board's core, without a limit of the arena.
        memory: SRAM, flash and stack on the board; None where there is no model, so that shapes alone decide.
        latency: Ticks; None where there is no model: then the first way that fits is taken.
        reserve: Memory that the application keeps for itself.
        patches: Whether first layers may run in patches.
        streams: Whether parts of it may run row by row.
        arena_bytes: What the arena may take; None for what the board has room for.

    Raises:
        UnsupportedGraphError: Our engine cannot run the network.
    """
    plain = Execution(without_dead_operators(graph), lowering)
    schedule = plain.schedule()
    first = choose_kernels(schedule, memory, latency, reserve)
    by_shape = plan_arena(schedule).arena_bytes
    if memory is None:
        return ChosenSchedule(plain, first, None, first, by_shape, 0, None, 1)
    unchanged = ChosenSchedule(plain, first, memory.fits(first.schedule, reserve), first, by_shape, 0, 0, 1)
    largest = memory.largest_arena(reserve)
    board = _Board(memory, latency, reserve, largest if arena_bytes is None else min(largest, arena_bytes))
    short_of_sram = by_shape > board.arena_bytes
    by_shape_fits = memory.fits(schedule, reserve).fits is not False and not short_of_sram
    fits = unchanged.fits is not False and plan_arena(first.schedule).arena_bytes <= board.arena_bytes
    by_rows = streams and (short_of_sram or (arena_bytes is not None and latency is not None))
    if board.arena_bytes < 0 or (fits and (latency is None or (by_shape_fits and not by_rows))):
        return unchanged
    search = _Search(board, plain, first)
    looked_at = []
    for order in orders(plain, board.arena_bytes) if short_of_sram else (plain,):
        looked_at.append(order)
        search.look_at(whole(order, board.arena_bytes))
        search.look_at(board.some_apart(order))
        if by_rows:
            search.look_at(row_by_row(order, board.arena_bytes, board.kernel_ticks))
        if search.fits_by_shape:
            break  # an order is neither faster nor slower
    if patches and short_of_sram and board.weights_fit(schedule):
        for patched in in_patches(looked_at, board.arena_bytes) if not search.fits_row_by_row else ():
            search.look_at((patched, *board.some_apart(patched)))
        mixes = streams and latency is not None and not search.fits_by_shape
        for order in looked_at if mixes else ():
            search.look_at(in_patches_and_rows(order, board.arena_bytes, board.kernel_ticks))
    execution, kernels = search.best()
    before, after = board.ticks(first.schedule), board.ticks(kernels.schedule)
    found = ChosenSchedule(
        execution,
        kernels,
        board.verdict(kernels.schedule),
        first,
        by_shape,
        None if before is None or after is None else after - before,
        board.flash_bytes(kernels.schedule) - board.flash_bytes(first.schedule),
        search.tried,
        fits_by_shape=by_shape_fits,
    )
    return found if board.fits(found.schedule) else replace(unchanged, tried=search.tried, nearest=found)


class _Search:
    """What was looked at: the ways that fit, and of the others the one that misses by the fewest bytes."""

    def __init__(self, board: _Board, plain: Execution, first: ChosenKernels) -> None:
        self._board = board
        ticks = board.ticks(first.schedule)
        fits = board.fits(first.schedule)
        self._fitting = [(math.inf if ticks is None else ticks, 1, plain, first)] if fits else []
        self._nearest = (board.missing_bytes(first.schedule), plain, first)
        self.fits_by_shape = self.fits_row_by_row = False
        self.tried = 1

    def look_at(self, ways: Iterable[Execution]) -> None:
        """Choose kernels for each of some ways, and keep what is best."""
        for execution in ways:
            self.tried += 1
            kernels = self._board.kernels(execution)
            missing = self._board.missing_bytes(kernels.schedule)
            if self._board.fits(kernels.schedule):
                ticks = self._board.ticks(kernels.schedule)
                self._fitting.append((math.inf if ticks is None else ticks, self.tried, execution, kernels))
                as_whole = not execution.streams and execution.patches is None
                self.fits_row_by_row |= bool(execution.streams) and execution.patches is None
                self.fits_by_shape |= (
                    as_whole and execution.lowering.arena_bytes is None and execution.lowering.in_place
                )
            elif missing < self._nearest[0]:
                self._nearest = (missing, execution, kernels)

    def best(self) -> tuple[Execution, ChosenKernels]:
        """The fewest ticks of what fits, of equal ones the first; else the nearest miss."""
        if not self._fitting:
            return self._nearest[1:]
        _, _, execution, kernels = min(self._fitting, key=lambda way: way[:2])
        return execution, kernels
