"""The kernels that could execute each layer of a schedule, what they take, and which must not be chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tinynas.latency import LatencyModel
from tinynas.lowering import KernelVariant, Schedule, exchangeable, layers, with_variants
from tinynas.memory import NativeMemoryModel, live_ranges, plan_arena


class Obstacle(StrEnum):
    """Why a kernel must not be chosen."""

    UNSIZED = "no memory model knows its code"
    UNPREDICTED = "no latency model knows its loops"
    INCOMPARABLE = "there is nothing to compare it with"
    RAISES_ARENA = "its scratch would raise the arena"
    UNSUITED = "it cannot requantize with the weights and scales of this layer"


@dataclass(frozen=True)
class Candidate:
    """A kernel that could execute a layer.

    Attributes:
        variant: Its name.
        ticks: Predicted for all steps of the layer; None where they cannot be.
        error: Standard error of `ticks`.
        constant_bytes: Weights, tables, parameters and addresses of the layer.
        scratch: Bytes of scratch of each of its steps.
        obstacle: Why it must not be chosen; None where it may.
    """

    variant: str
    ticks: int | None
    error: float
    constant_bytes: int
    scratch: tuple[int, ...]
    obstacle: Obstacle | None


@dataclass(frozen=True)
class Layer:
    """The steps of a layer and the kernels that could execute it: first that of the local rule."""

    steps: tuple[int, ...]
    candidates: tuple[Candidate, ...]


def candidates(schedule: Schedule, memory: NativeMemoryModel | None, latency: LatencyModel | None) -> list[Layer]:
    """All layers of a schedule, with what could execute them.

    What is faster than the local rule's kernel by less than the standard error of the prediction is as fast.
    """
    found = []
    for steps in layers(schedule):
        suited = exchangeable(schedule, steps)
        local, *others = (
            _candidate(with_variants(schedule, dict.fromkeys(steps, variant.name)), steps, memory, latency)
            for variant in suited
        )
        compared = (_compared(other, local) for other in others)
        applying = exchangeable(schedule, steps, suited=False)
        unsuited = (_unsuited(schedule, steps, variant) for variant in applying if variant not in suited)
        found.append(Layer(steps, (local, *compared, *unsuited)))
    return _within_the_arena(schedule, found)


def _candidate(
    schedule: Schedule, steps: Sequence[int], memory: NativeMemoryModel | None, latency: LatencyModel | None
) -> Candidate:
    exchanged = [schedule.steps[index] for index in steps]
    variant = exchanged[0].variant
    predicted = [None if latency is None else latency.ticks_of(step) for step in exchanged]
    known = [p for p in predicted if p is not None]
    obstacle = None
    if memory is None or memory.unknown_variants(frozenset({variant})):
        obstacle = Obstacle.UNSIZED
    elif len(known) < len(predicted):
        obstacle = Obstacle.UNPREDICTED
    return Candidate(
        variant=variant,
        ticks=None if len(known) < len(predicted) else round(sum(ticks for ticks, _ in known)),
        # The misfit of a kernel's loops repeats from step to step.
        error=sum(error for _, error in known),
        constant_bytes=sum(step.constant_bytes for step in exchanged),
        scratch=tuple(step.scratch_bytes for step in exchanged),
        obstacle=obstacle,
    )


def _unsuited(schedule: Schedule, steps: Sequence[int], variant: KernelVariant) -> Candidate:
    calls = [schedule.call(schedule.steps[index]) for index in steps]
    return Candidate(
        variant=variant.name,
        ticks=None,
        error=0.0,
        constant_bytes=variant.constant_bytes(calls[0]),
        scratch=tuple(variant.scratch_bytes(call) for call in calls),
        obstacle=Obstacle.UNSUITED,
    )


def _compared(candidate: Candidate, local: Candidate) -> Candidate:
    if candidate.ticks is None or local.ticks is None:
        return replace(candidate, obstacle=candidate.obstacle or Obstacle.INCOMPARABLE)
    # Kernels are fitted apart, and err independently.
    told_apart = local.ticks - candidate.ticks > math.hypot(candidate.error, local.error)
    return candidate if told_apart or candidate.ticks >= local.ticks else replace(candidate, ticks=local.ticks)


def _within_the_arena(schedule: Schedule, found: Sequence[Layer]) -> list[Layer]:
    """The same, where scratch that would raise the arena is an obstacle.

    `widest` has in every step the most scratch of what has passed, so that what passes can be combined.
    """
    arena = plan_arena(schedule).arena_bytes
    widest, result = schedule, []
    for layer in found:
        passed = []
        for candidate in layer.candidates:
            if candidate.obstacle is not None:
                passed.append(candidate)
                continue
            wider = _with_scratch(widest, layer.steps, candidate.scratch)
            if wider is widest or _fits(wider, arena):
                widest = wider
                passed.append(candidate)
            else:
                passed.append(replace(candidate, obstacle=Obstacle.RAISES_ARENA))
        result.append(replace(layer, candidates=tuple(passed)))
    return result


def _fits(schedule: Schedule, arena: int) -> bool:
    # The planner searches long for plans that no arrangement reaches: its lower bound says so at once.
    return live_ranges(schedule).lower_bound <= arena and plan_arena(schedule).arena_bytes <= arena


def _with_scratch(schedule: Schedule, indices: Sequence[int], scratch: Sequence[int]) -> Schedule:
    """The schedule with at least so much scratch in these steps; itself where it has that."""
    wider = {i: size for i, size in zip(indices, scratch, strict=True) if size > schedule.steps[i].scratch_bytes}
    if not wider:
        return schedule
    steps = [replace(s, scratch_bytes=wider[s.index]) if s.index in wider else s for s in schedule.steps]
    return replace(schedule, steps=tuple(steps))
