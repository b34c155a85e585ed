"""Costs of parts of a network that combine into the costs of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tinynas.kernels.streaming import BEGUN_BYTES
from tinynas.lowering import Schedule
from tinynas.memory._plan import plan_arena


@dataclass(frozen=True)
class BlockCost:
    """What a block costs, in figures that combine. A whole network is a block too.

    The arena of a chain is the maximum over its blocks (`tinynas.memory._segments` has the proof), constants and
    steps add up, and code is a union over kernel variants.

    Attributes:
        arena_bytes: Of the block lowered alone, `kept_bytes` among it.
        arena_lower_bound_bytes: The most bytes alive during any of its steps.
        constant_bytes: Weights, biases, requantization tables, parameter structures and addresses.
        macs: Multiply-accumulates.
        kept_bytes: Of the arena, what outlives all else, and so lies beside the arena of every block.
        steps: Kernel variant -> number of calls by the generated code; 0 where segments alone call it.
        streamed: Kernel variants that segments call: the stack is deeper there.
    """

    arena_bytes: int = 0
    arena_lower_bound_bytes: int = 0
    constant_bytes: int = 0
    macs: int = 0
    steps: Mapping[str, int] = field(default_factory=dict)
    kept_bytes: int = 0
    streamed: frozenset[str] = frozenset()


def block_cost(schedule: Schedule) -> BlockCost:
    """The cost of a block, or of a whole network, from its schedule."""
    plan = plan_arena(schedule)
    return BlockCost(
        arena_bytes=plan.arena_bytes,
        arena_lower_bound_bytes=plan.lower_bound_bytes,
        constant_bytes=sum(step.constant_bytes for step in schedule.steps),
        macs=schedule.macs,
        # Kernels that segments call row by row are linked, and are no calls of the generated code.
        steps={**dict.fromkeys(schedule.variants, 0), **Counter(step.variant for step in schedule.steps)},
        kept_bytes=BEGUN_BYTES if schedule.input_by_rows else 0,
        streamed=frozenset(part.variant for part in schedule.streamed_parts),
    )


def combine(costs: Iterable[BlockCost]) -> BlockCost:
    """The cost of the chain of blocks."""
    arena = bound = constants = macs = kept = 0
    steps: dict[str, int] = {}
    streamed: frozenset[str] = frozenset()
    for cost in costs:
        if cost.arena_bytes - cost.kept_bytes > arena:
            arena = cost.arena_bytes - cost.kept_bytes
        if cost.arena_lower_bound_bytes - cost.kept_bytes > bound:
            bound = cost.arena_lower_bound_bytes - cost.kept_bytes
        constants += cost.constant_bytes
        macs += cost.macs
        kept += cost.kept_bytes
        streamed |= cost.streamed
        for variant, count in cost.steps.items():
            steps[variant] = steps.get(variant, 0) + count
    return BlockCost(arena + kept, bound + kept, constants, macs, steps, kept, streamed)
