"""The schedule of a finished network on a board: as shapes alone decide where that fits, else the fastest that does.

What a network takes of SRAM follows from its kernels' scratch, from the order of its operators, from what works in
place, and from patches; what it takes of flash from kernels and patches. So a network does not fit only where none of
these ways to execute it does, and then the one is named that misses by the fewest bytes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace

from tinynas.engine._choose_kernels import ChosenKernels, choose_kernels
from tinynas.graph import Graph
from tinynas.latency import LatencyModel
from tinynas.lowering import Lowering, PatchPlan, Schedule
from tinynas.memory import NativeMemoryModel, Verdict, best_patch_plan, plan_arena, reorder
from tinynas.targets import Reserve


@dataclass(frozen=True)
class Execution:
    """A way to execute a network.

    Attributes:
        graph: The network, its operators in the order of their execution.
        lowering: What works in place, and the arena for which scratch is given up.
        patches: Of the first layers; None for none.
        reordered: Whether the order is another than the network came in.
    """

    graph: Graph
    lowering: Lowering
    patches: PatchPlan | None = None
    reordered: bool = False

    def schedule(self) -> Schedule:
        """The steps of this execution."""
        return self.lowering(self.graph, self.patches)

    def by_shape(self) -> Schedule:
        """The same steps with the kernels that shapes alone decide."""
        return self.lowering.within(None)(self.graph, self.patches)


@dataclass(frozen=True)
class ChosenSchedule:
    """How a network is executed on a board, and what it would take otherwise.

    Attributes:
        execution: The way that was chosen.
        kernels: The kernels, and with them the schedule.
        verdict: Whether it fits; None without a memory model. Where it does not, no way that was tried does, and of
            those this one misses by the fewest bytes.
        first: The schedule that shapes alone decide, in the given order and without patches, with its kernels.
        extra_ticks: How many ticks more than `first` takes are predicted; None where they are not known.
        extra_flash_bytes: How much more flash it takes; None without a memory model.
        tried: Ways to execute the network that were looked at.
    """

    execution: Execution
    kernels: ChosenKernels
    verdict: Verdict | None
    first: ChosenKernels
    extra_ticks: int | None
    extra_flash_bytes: int | None
    tried: int

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
        if self.verdict is None or self.fits is not False:
            return () if self.verdict is None else self.verdict.reasons
        way = "; ".join(self.changes) or "as shapes alone decide"
        return (
            *self.verdict.reasons,
            f"no choice of kernels, order, in place and patches fits; of {self.tried} ways the nearest: {way}",
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
        if execution.patches is not None:
            found.append(f"the first {execution.patches.layers} layers in {execution.patches.patches} patches")
        return tuple(found)


@dataclass(frozen=True)
class _Board:
    """What decides: the models of a board, and what the application keeps for itself."""

    memory: NativeMemoryModel
    latency: LatencyModel | None
    reserve: Reserve | None
    arena_bytes: int

    def kernels(self, execution: Execution) -> ChosenKernels:
        return choose_kernels(
            execution.schedule(),
            self.memory,
            self.latency,
            self.reserve,
            by_shape=execution.by_shape(),
            arena_bytes=self.arena_bytes,
        )

    def verdict(self, schedule: Schedule) -> Verdict:
        return self.memory.fits(schedule, self.reserve)

    def ticks(self, schedule: Schedule) -> int | None:
        """Whole ticks: an order of the same steps is neither faster nor slower."""
        total = None if self.latency is None else self.latency.predict(schedule).total
        return None if total is None else round(total)

    def flash_bytes(self, schedule: Schedule) -> int:
        return self.memory.flash(schedule, self.reserve).total_bytes

    def missing_bytes(self, schedule: Schedule) -> int:
        """What all regions together have too little."""
        regions = self.verdict(schedule).regions
        return sum(max(0, region.used_bytes - region.available_bytes) for region in regions)


def choose_schedule(
    graph: Graph,
    lowering: Lowering,
    memory: NativeMemoryModel | None,
    latency: LatencyModel | None,
    reserve: Reserve | None = None,
    *,
    patches: bool = True,
) -> ChosenSchedule:
    """How to execute a finished network on a board: the fewest predicted ticks of what fits.

    What fits with the kernels of shapes alone keeps its arena: speed never raises SRAM. Only where that does not fit,
    everything else is tried, and scratch may take whatever SRAM is left.

    Args:
        graph: The int8 network.
        lowering: For the board's core, without a limit of the arena.
        memory: SRAM, flash and stack on the board; None where there is no model, so that shapes alone decide.
        latency: Ticks; None where there is no model: then the first way that fits is taken.
        reserve: Memory that the application keeps for itself.
        patches: Whether first layers may run in patches.

    Raises:
        UnsupportedGraphError: Our engine cannot run the network.
    """
    plain = Execution(graph, lowering)
    first = choose_kernels(plain.schedule(), memory, latency, reserve)
    if memory is None:
        return ChosenSchedule(plain, first, None, first, 0, None, 1)
    unchanged = ChosenSchedule(plain, first, memory.fits(first.schedule, reserve), first, 0, 0, 1)
    board = _Board(memory, latency, reserve, memory.largest_arena(reserve))
    if unchanged.fits is not False or board.arena_bytes < 0:
        return unchanged
    fitting: list[tuple[float, int, Execution, ChosenKernels]] = []
    nearest, tried = (board.missing_bytes(first.schedule), plain, first), 1
    for execution in _ways(plain, board.arena_bytes, patches=patches):
        tried += 1
        kernels = board.kernels(execution)
        if board.verdict(kernels.schedule).fits:
            ticks = board.ticks(kernels.schedule)
            fitting.append((float("inf") if ticks is None else ticks, tried, execution, kernels))
        elif (missing := board.missing_bytes(kernels.schedule)) < nearest[0]:
            nearest = (missing, execution, kernels)
    _, execution, kernels = min(fitting, key=lambda way: way[:2])[1:] if fitting else nearest
    before, after = board.ticks(first.schedule), board.ticks(kernels.schedule)
    return ChosenSchedule(
        execution,
        kernels,
        board.verdict(kernels.schedule),
        first,
        None if before is None or after is None else after - before,
        board.flash_bytes(kernels.schedule) - board.flash_bytes(first.schedule),
        tried,
    )


def _ways(plain: Execution, arena_bytes: int, *, patches: bool) -> Iterator[Execution]:
    """Every way to execute a network that may fit where shapes alone do not, each schedule once.

    Scratch is given up where it does not fit and, if no plan of what is left fits (storage in entangled branches),
    wherever there is a kernel of less.
    """
    seen: set[Hashable] = set()
    limits = (None, arena_bytes, 0)
    for order in _orders(plain, arena_bytes):
        for in_place in (True, False):
            lowering = replace(order.lowering, in_place=in_place)
            for limit in limits:
                execution = replace(order, lowering=lowering.within(limit))
                schedule = execution.schedule()
                yield from _once(seen, execution, schedule)
                if plan_arena(schedule).arena_bytes <= arena_bytes:
                    break
        if not patches or plan_arena(plain.schedule()).arena_bytes <= arena_bytes:
            continue
        for limit in limits[:2]:
            lowering = order.lowering.within(limit)
            plan = best_patch_plan(order.graph, arena_bytes, lowering)
            if plan is not None:
                execution = replace(order, lowering=lowering, patches=plan)
                yield from _once(seen, execution, execution.schedule())


def _once(seen: set[Hashable], execution: Execution, schedule: Schedule) -> Iterator[Execution]:
    key = (
        id(execution.graph),
        execution.patches,
        schedule.buffers,
        tuple((step.ops, step.variant) for step in schedule.steps),
    )
    if key not in seen:
        seen.add(key)
        yield execution


def _orders(plain: Execution, arena_bytes: int) -> Iterator[Execution]:
    """The given order, and those that keep less alive, with all scratch and with what is not given up."""
    yield plain
    found = [plain.graph.ops]
    for limit in (None, arena_bytes, 0):
        graph = reorder(plain.graph, plain.lowering.within(limit))
        if graph.ops not in found:
            found.append(graph.ops)
            yield replace(plain, graph=graph, reordered=True)
