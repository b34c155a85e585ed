"""The order of operators: where a graph branches, some orders keep less alive at once than others.

Dynamic programming over the sets of executed steps. What is alive after a set of steps does not depend on the order in
which they ran, so of all orders that reach a set only the one with the lowest peak matters. Sets whose peak reaches
that of the given order are dropped, and where a branched graph has more sets of one size than `state_limit`, only the
most promising are kept: up to there the order is optimal in the bytes alive, beyond it a good one.

Kernels and in-place steps are counted as lowering will choose them: an operand that dies in one order may live on in
another, and where the arena is limited, scratch that fits in one order does not in another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tinynas.graph import Graph, OpKind
from tinynas.kernels import KernelVariant, by_rule, select_variant
from tinynas.lowering import DSP_LOWERING, Lowering, Schedule, select_within
from tinynas.memory._live_ranges import NATIVE_ALIGNMENT, align
from tinynas.memory._plan import plan_arena

STATE_LIMIT = 2_000
"""Sets of steps of one size that are followed. Residual and inception blocks need a few dozen."""


def reorder(graph: Graph, lowering: Lowering = DSP_LOWERING, *, state_limit: int = STATE_LIMIT) -> Graph:
    """The graph with its operators in an order that takes the smallest arena found.

    Never a larger arena than that of the given order: where no order is found that takes less, `graph` itself is
    returned. Another order has no operators whose results reach no output.

    Raises:
        UnsupportedGraphError: The graph cannot be lowered.
    """
    schedule = lowering(graph)
    order = _best_order(_Steps(schedule, lowering), state_limit)
    if order is None:
        return graph
    ops = schedule.graph.ops
    candidate = replace(graph, ops=tuple(ops[i] for i in _operator_order(schedule, order)))
    if plan_arena(lowering(candidate)).arena_bytes < plan_arena(schedule).arena_bytes:
        return candidate
    return graph


@dataclass(frozen=True)
class _State:
    """A set of executed steps: the bytes alive after them, the lowest peak that reaches it, and that order."""

    live: int
    peak: int
    order: tuple[int, ...]


class _Steps:
    """The steps of a schedule as sets of bits: what they read, what reads their results, and what they take."""

    def __init__(self, schedule: Schedule, lowering: Lowering) -> None:
        graph = schedule.graph
        assert not lowering.apart, "operators are kept apart by their place in one order"
        self._lowering = lowering
        self.count = len(schedule.steps)
        self._calls = [schedule.call(step) for step in schedule.steps]
        root = {t: self._root(graph, t) for t in range(len(graph.tensors))}
        self.inputs = [tuple(dict.fromkeys(root[t] for t in step.inputs)) for step in schedule.steps]
        self.output = [root[step.output] for step in schedule.steps]
        self._size = {t: align(graph.tensors[t].size_bytes, NATIVE_ALIGNMENT) for t in set(root.values())}
        self._readers = dict.fromkeys(root.values(), 0)
        writer = {t: i for i, t in enumerate(self.output)}
        self.needs = [0] * self.count
        for i, operands in enumerate(self.inputs):
            for t in operands:
                self._readers[t] |= 1 << i
                if t in writer:
                    self.needs[i] |= 1 << writer[t]
        self._kept = {root[t] for t in schedule.outputs}
        self.start = sum(self._size[t] for t in dict.fromkeys(root[t] for t in schedule.inputs))

    @staticmethod
    def _root(graph: Graph, t: int) -> int:
        while (producer := graph.producers.get(t)) is not None and graph.ops[producer].kind is OpKind.RESHAPE:
            source = graph.ops[producer].inputs[0]
            if graph.tensors[source].constant:
                return t
            t = source
        return t

    def ready(self, done: int) -> Iterable[int]:
        return (i for i in range(self.count) if not done >> i & 1 and self.needs[i] & ~done == 0)

    def run(self, step: int, done: int, live: int) -> tuple[int, int]:
        """Bytes alive during and after `step`, run after the steps `done` with `live` bytes alive."""
        after = done | 1 << step
        dead = [t for t in self.inputs[step] if t not in self._kept and self._readers[t] & ~after == 0]
        first = self.inputs[step][0] if self.inputs[step] else None
        dies = self._lowering.in_place and first in dead
        call = replace(
            self._calls[step],
            input_dies=dies,
            input_alone=dies and first is not None and live == self._size[first],
            unlinked=self._lowering.unlinked,
        )
        size = self._size[self.output[step]]
        overwrites = self._lowering.in_place and any(self._size[t] == size for t in dead)

        def bytes_with(variant: KernelVariant) -> int:
            in_place = (variant.in_place and overwrites) or variant.shrinks(call)
            return live + align(variant.scratch_bytes(call), NATIVE_ALIGNMENT) + (0 if in_place else size)

        if self._lowering.arena_bytes is None:
            variant = select_variant(call)
        else:
            variant = select_within(tuple(by_rule(call)), self._lowering.arena_bytes, bytes_with)
        during = bytes_with(variant)
        unread = self.output[step] not in self._kept and not self._readers[self.output[step]]
        return during, live - sum(self._size[t] for t in dead) + (0 if unread else size)


def _best_order(steps: _Steps, state_limit: int) -> tuple[int, ...] | None:
    """The order with the lowest peak, or None where the given one has it."""
    given = _State(steps.start, steps.start, ())
    for i in range(steps.count):
        given = _after(steps, given, i, (1 << i) - 1)
    level = {0: _State(steps.start, steps.start, ())}
    for _ in range(steps.count):
        following: dict[int, _State] = {}
        for done, state in level.items():
            for step in steps.ready(done):
                reached = _after(steps, state, step, done)
                best = following.get(done | 1 << step)
                if reached.peak < given.peak and (best is None or reached.peak < best.peak):
                    following[done | 1 << step] = reached
        if len(following) > state_limit:
            promising = sorted(following.items(), key=lambda item: (item[1].peak, item[1].live, item[1].order))
            following = dict(promising[:state_limit])
        level = following
    return next(iter(level.values())).order if level else None


def _after(steps: _Steps, state: _State, step: int, done: int) -> _State:
    during, live = steps.run(step, done, state.live)
    return _State(live, max(state.peak, during), (*state.order, step))


def _operator_order(schedule: Schedule, order: Sequence[int]) -> list[int]:
    """Operators in the order of their steps, each behind the RESHAPE, PAD and QUANTIZE that it needs."""
    graph = schedule.graph
    found: dict[int, None] = {}
    pending = [op for step in order for op in schedule.steps[step].ops]
    stack = list(reversed([*pending, *range(len(graph.ops))]))
    while stack:
        op = stack.pop()
        if op in found:
            continue
        missing = [graph.producers[t] for t in graph.ops[op].inputs if graph.producers.get(t, op) not in (op, *found)]
        if missing:
            stack += [op, *missing]
        else:
            found[op] = None
    return list(found)
