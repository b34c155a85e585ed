"""The kernels that could execute each layer of a schedule, what they take, and which must not be chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tinynas.kernels import KernelVariant
from tinynas.latency import LatencyModel
from tinynas.lowering import Schedule, Step, layers, segment_scratch_bytes, substitutes, with_variants
from tinynas.memory import NativeMemoryModel, live_ranges, plan_arena


class Obstacle(StrEnum):
    """Why a kernel must not be chosen."""

    UNSIZED = "no memory model knows its code"
    UNPREDICTED = "no latency model knows its loops"
    INCOMPARABLE = "there is nothing to compare it with"
    RAISES_ARENA = "its scratch would raise the arena"
    NO_ROOM = "its scratch does not fit"
    UNSUITED = "it cannot requantize with the weights and scales of this layer"

    @property
    def is_of_ticks(self) -> bool:
        """Whether only its ticks are not known: where nothing else fits, it is the better choice."""
        return self in (Obstacle.UNPREDICTED, Obstacle.INCOMPARABLE)


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
        excess_bytes: How many bytes too many its scratch keeps alive; 0 where it does not, or only no plan was found.
    """

    variant: str
    ticks: int | None
    error: float
    constant_bytes: int
    scratch: tuple[int, ...]
    obstacle: Obstacle | None
    excess_bytes: int = 0


@dataclass(frozen=True)
class Layer:
    """The steps of a layer and the kernels that could execute it: first that of the schedule.

    `local` is the kernel by shape alone. It is another than the schedule's where its scratch was given up, and it is
    not among the candidates where it worked in place of its input.
    """

    steps: tuple[int, ...]
    candidates: tuple[Candidate, ...]
    local: Candidate

    @property
    def gave_up(self) -> bool:
        """Whether the local rule's kernel may not be chosen for its scratch."""
        return self.local.obstacle is Obstacle.NO_ROOM and not any(
            c.variant == self.local.variant and c.obstacle is None for c in self.candidates
        )


def candidates(
    schedule: Schedule,
    by_shape: Schedule,
    memory: NativeMemoryModel | None,
    latency: LatencyModel | None,
    arena_bytes: int | None,
) -> list[Layer]:
    """All layers of a schedule, with what could execute them.

    What is faster than the schedule's kernel by less than the standard error of the prediction is as fast.

    Args:
        schedule: The network.
        by_shape: The same steps with the kernels that shapes alone decide.
        memory: Knows the code of kernels, or is missing.
        latency: Knows the ticks of kernels, or is missing.
        arena_bytes: What the arena may take; None for what the schedule's takes.
    """
    found = []
    for steps in layers(schedule):
        suited = substitutes(schedule, steps)
        local, *others = (
            _candidate(with_variants(schedule, dict.fromkeys(steps, variant.name)), steps, memory, latency)
            for variant in suited
        )
        compared = (_compared(other, local) for other in others)
        applying = substitutes(schedule, steps, suited=False)
        unsuited = (_unsuited(schedule, steps, variant) for variant in applying if variant not in suited)
        found.append(Layer(steps, (local, *compared, *unsuited), _candidate(by_shape, steps, memory, latency)))
    if arena_bytes is None:
        return _within_the_arena(schedule, found, plan_arena(schedule).arena_bytes, Obstacle.RAISES_ARENA)
    found = [
        replace(layer, local=_too_large(layer.local, _most_alive(by_shape, layer.steps) - arena_bytes))
        if layer.local.variant != layer.candidates[0].variant
        else layer
        for layer in found
    ]
    return _within_the_arena(schedule, found, arena_bytes, Obstacle.NO_ROOM)


def _candidate(
    schedule: Schedule, steps: Sequence[int], memory: NativeMemoryModel | None, latency: LatencyModel | None
) -> Candidate:
    substituted = [schedule.parts[index] for index in steps]
    variant = substituted[0].variant
    predicted = [None if latency is None else latency.ticks_of(step) for step in substituted]
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
        constant_bytes=sum(step.constant_bytes for step in substituted),
        scratch=tuple(step.scratch_bytes for step in substituted),
        obstacle=obstacle,
    )


def _unsuited(schedule: Schedule, steps: Sequence[int], variant: KernelVariant) -> Candidate:
    calls = [call for index in steps for call in schedule.calls(index)]
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


def _within_the_arena(schedule: Schedule, found: Sequence[Layer], arena: int, obstacle: Obstacle) -> list[Layer]:
    """The same, where scratch that takes more than the arena is an obstacle.

    `widest` has in every step the most scratch of what has passed, so that what passes can be combined.
    """
    widest, result = schedule, []
    planned = max(arena, plan_arena(schedule).arena_bytes)
    for layer in found:
        passed = []
        for candidate in layer.candidates:
            wider = _with_scratch(widest, layer.steps, candidate.scratch)
            if candidate.obstacle is not None or wider is widest:
                passed.append(candidate)
                continue
            # The planner searches long for plans that no arrangement reaches: the bytes alive say so at once.
            excess = _most_alive(wider, layer.steps) - arena
            if excess > 0 or plan_arena(wider).arena_bytes > planned:
                passed.append(_too_large(candidate, excess, obstacle))
            else:
                widest = wider
                passed.append(candidate)
        result.append(replace(layer, candidates=tuple(passed)))
    return result


def _too_large(candidate: Candidate, excess_bytes: int, obstacle: Obstacle = Obstacle.NO_ROOM) -> Candidate:
    return replace(candidate, obstacle=obstacle, excess_bytes=max(0, excess_bytes))


def _most_alive(schedule: Schedule, steps: Sequence[int]) -> int:
    """The most bytes alive during any of these steps, or the segments of these layers."""
    alive = live_ranges(schedule).bytes_per_step()
    segment_of = {layer.index: step.index for step in schedule.steps for layer in step.layers}
    return max(alive[segment_of.get(step, step)] for step in steps)


def _with_scratch(schedule: Schedule, indices: Sequence[int], scratch: Sequence[int]) -> Schedule:
    """The schedule with at least so much scratch in these steps; itself where it has that."""
    wider = {i: size for i, size in zip(indices, scratch, strict=True) if size > schedule.parts[i].scratch_bytes}
    if not wider:
        return schedule
    steps = [_with_wider(step, wider) for step in schedule.steps]
    return replace(schedule, steps=tuple(steps))


def _with_wider(step: Step, scratch: Mapping[int, int]) -> Step:
    """A step with at least so much scratch, by its index or those of its layers."""
    if step.stream is None:
        return replace(step, scratch_bytes=scratch.get(step.index, step.scratch_bytes))
    layers = tuple(replace(layer, step=_with_wider(layer.step, scratch)) for layer in step.stream.layers)
    stream = replace(step.stream, layers=layers)
    return replace(step, stream=stream, scratch_bytes=segment_scratch_bytes(stream))
