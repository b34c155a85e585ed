"""Ways to execute a network on a board: what is tried where it does not fit as shapes alone decide."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace

from tinynas.graph import Graph
from tinynas.lowering import Lowering, PatchPlan, Schedule, StreamPlan
from tinynas.memory import KernelTicks, best_patch_plan, cells_of, patched_stages, plan_arena, reorder, stream_choices


@dataclass(frozen=True)
class Execution:
    """A way to execute a network.

    Attributes:
        graph: The network, its operators in the order of their execution.
        lowering: What works in place, and the arena for which scratch is given up.
        patches: Of the first layers; None for none.
        reordered: Whether the order is another than the network came in.
        streams: The parts that run row by row; empty for none.
    """

    graph: Graph
    lowering: Lowering
    patches: PatchPlan | None = None
    reordered: bool = False
    streams: tuple[StreamPlan, ...] = ()

    def schedule(self) -> Schedule:
        """The steps of this execution."""
        return self.lowering(self.graph, self.patches, self.streams)

    def by_shape(self) -> Schedule:
        """The same steps with the kernels that shapes alone decide."""
        return self.lowering.within(None)(self.graph, self.patches, self.streams)


def whole(order: Execution, arena_bytes: int) -> Iterator[Execution]:
    """Every way to execute a network as a whole in one order that may fit, each schedule once.

    Scratch is given up where it does not fit and, if no plan of what is left fits (storage in entangled branches),
    wherever there is a kernel of less.
    """
    seen: set[Hashable] = set()
    for in_place in (True, False):
        lowering = replace(order.lowering, in_place=in_place)
        for limit in (None, arena_bytes, 0):
            execution = replace(order, lowering=lowering.within(limit))
            schedule = execution.schedule()
            yield from _once(seen, execution, schedule)
            if plan_arena(schedule).arena_bytes <= arena_bytes:
                break


def row_by_row(order: Execution, arena_bytes: int, ticks: KernelTicks) -> Iterator[Execution]:
    """Parts of a network row by row, with all scratch and with what fits: the fewest ticks that fit the arena."""
    seen: set[Hashable] = set()
    for limit in (None, arena_bytes):
        lowering = order.lowering.within(limit)
        cells = cells_of(lowering(order.graph), lowering)
        choices = stream_choices(cells, ticks, most_bytes=arena_bytes) or stream_choices(cells, ticks)[:1]
        execution = replace(order, lowering=lowering, streams=choices[-1].streams)
        yield from _once(seen, execution, execution.schedule())


def in_patches_and_rows(order: Execution, arena_bytes: int, ticks: KernelTicks) -> Iterator[Execution]:
    """The first layers in patches and parts of the rest row by row, where that is the fastest that fits the arena."""
    seen: set[Hashable] = set()
    for limit in (None, arena_bytes):
        lowering = order.lowering.within(limit)
        plain = lowering(order.graph)
        cells = cells_of(plain, lowering)
        choices = stream_choices(cells, ticks, most_bytes=arena_bytes)
        rival = (ticks, choices[-1].ticks) if choices else None
        stages = tuple(patched_stages(plain, cells, lowering, arena_bytes, rival))
        mixed = stream_choices(cells, ticks, most_bytes=arena_bytes, stages=stages)[-1:] if stages else []
        for choice in mixed:
            if choice.patches is not None:
                execution = replace(order, lowering=lowering, streams=choice.streams, patches=choice.patches)
                yield from _once(seen, execution, execution.schedule())


def in_patches(orders: Sequence[Execution], arena_bytes: int) -> Iterator[Execution]:
    """The first layers in patches, in each order: in the fewest that fit with less scratch, then with all scratch."""
    seen: set[Hashable] = set()
    for order in orders:
        for limit in (arena_bytes, 0):
            fits = yield from _patched(seen, order, limit, arena_bytes)
            if fits:
                yield from _patched(seen, order, None, arena_bytes)
                break


def _patched(
    seen: set[Hashable], order: Execution, limit: int | None, arena_bytes: int
) -> Generator[Execution, None, bool]:
    """The best patches with one limit on scratch, if any pay, and whether they fit the arena."""
    lowering = order.lowering.within(limit)
    plan = best_patch_plan(order.graph, arena_bytes, lowering)
    if plan is None:
        return False
    execution = replace(order, lowering=lowering, patches=plan)
    schedule = execution.schedule()
    yield from _once(seen, execution, schedule)
    return plan_arena(schedule).arena_bytes <= arena_bytes


def _once(seen: set[Hashable], execution: Execution, schedule: Schedule) -> Iterator[Execution]:
    key = (
        id(execution.graph),
        execution.patches,
        execution.streams,
        schedule.buffers,
        tuple((step.ops, step.variant) for step in schedule.steps),
    )
    if key not in seen:
        seen.add(key)
        yield execution


def orders(plain: Execution, arena_bytes: int) -> Iterator[Execution]:
    """The given order, and those that keep less alive, with all scratch and with what is not given up."""
    yield plain
    found, kernels = [plain.graph.ops], []
    for limit in (None, arena_bytes, 0):
        lowering = plain.lowering.within(limit)
        variants = [step.variant for step in lowering(plain.graph).steps]
        if variants in kernels:
            continue  # what is alive in each order is the same
        kernels.append(variants)
        graph = reorder(plain.graph, lowering)
        if graph.ops not in found:
            found.append(graph.ops)
            yield replace(plain, graph=graph, reordered=True)
