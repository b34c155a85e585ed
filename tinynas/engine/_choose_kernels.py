"""The kernels of a finished network: what flash and scratch buy, and why each was chosen.

The search follows the local rule of lowering, which spends no flash for speed. For a network that is built, all kernels
that could execute a layer are compared: predicted ticks against code, weights and scratch, under what the board has.
Which tensors lie where is given (`_choose_schedule` looks for that).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tinynas.engine._kernel_candidates import Candidate, Layer, Obstacle, candidates
from tinynas.engine._kernel_reasons import Explanation, explain
from tinynas.engine._knapsack import Choice, Option, Room, choose_options
from tinynas.latency import LatencyModel
from tinynas.lowering import Schedule, with_variants
from tinynas.memory import NativeMemoryModel, plan_arena
from tinynas.targets import Reserve


@dataclass(frozen=True)
class Alternative:
    """A kernel that could execute a layer.

    Attributes:
        variant: Its name.
        ticks: Predicted for all steps of the layer; those of the first alternative where the gain is within the error
            of the prediction, and counts as none; None where they cannot be predicted.
        constant_bytes: Weights, tables, parameters and addresses of the layer with it.
        code_bytes: What linking it adds to the code of the other layers' kernels; None where that is not known.
        scratch_bytes: The most that a step of the layer takes in the arena.
        note: What speaks against it, in a few words; "chosen" for the one that is.
    """

    variant: str
    ticks: int | None
    constant_bytes: int
    code_bytes: int | None
    scratch_bytes: int
    note: str


@dataclass(frozen=True)
class KernelChoice:
    """The kernel of one layer.

    Attributes:
        steps: The layer's places in `Schedule.parts`: several steps where it runs in patches.
        name: The layer's name.
        variant: Its kernel.
        local: The kernel of the local rule, by shape alone.
        reason: Why, in one line that begins with the kernel's name.
        alternatives: All that could execute it with every tensor where it is: first that of the schedule.
        scratch_given_up: Whether it is another than the local rule's for that one's scratch, which does not fit.
    """

    steps: tuple[int, ...]
    name: str
    variant: str
    local: str
    reason: str
    alternatives: tuple[Alternative, ...]
    scratch_given_up: bool = False


@dataclass(frozen=True)
class ChosenKernels:
    """A schedule whose steps have the kernels that were chosen, and say why.

    Attributes:
        schedule: What to build.
        layers: The choice for each layer, in the order of their first steps.
        unit: What ticks are; None without a latency model.
        saved_ticks: Fewer than with the local rule's kernels, by the ticks of the alternatives; negative where only
            slower ones fit.
        extra_flash_bytes: More than with these; None where that is not known.
        gap_ticks: How many fewer any other choice among the candidates without obstacles can take at most: 0 where this
            one is proved to be the best.
        not_compared: Why ticks did not decide, in a few words; empty where kernels were compared.
        basis: What ticks rest on; empty where the latency model does not say.
    """

    schedule: Schedule
    layers: tuple[KernelChoice, ...]
    unit: str | None
    saved_ticks: int
    extra_flash_bytes: int | None
    gap_ticks: int
    not_compared: str = ""
    basis: str = ""


def choose_kernels(
    schedule: Schedule,
    memory: NativeMemoryModel | None,
    latency: LatencyModel | None,
    reserve: Reserve | None = None,
    *,
    by_shape: Schedule | None = None,
    arena_bytes: int | None = None,
    least_flash: bool = False,
) -> ChosenKernels:
    """Choose a kernel for every layer: the fewest predicted ticks that fit the board's flash, then the least flash.

    A kernel is considered where it leaves every tensor in its place, takes no more arena than it may, and both models
    know it. Where a model is missing, was fitted with another compiler, or nothing fits, the schedule's kernels stay.

    Args:
        schedule: What the local rule made of the network, all scratch given up that does not fit `arena_bytes`.
        memory: Flash and stack on the board; None where there is no model.
        latency: Ticks; None where there is no model.
        reserve: Memory that the application keeps for itself.
        by_shape: The same steps with the kernels of shapes alone, where scratch was given up; None for `schedule`.
        arena_bytes: What the arena may take; None for what the schedule's takes, so that speed never raises SRAM.
        least_flash: Where nothing fits, take the kernels that miss by the fewest bytes of flash.
    """
    by_shape = schedule if by_shape is None else by_shape
    found = candidates(schedule, by_shape, memory, latency, arena_bytes)
    room = None if memory is None else _room(schedule, by_shape.variants, memory, reserve)
    missing = _missing(memory, room, latency)
    choice, stays = None, "the local rule"
    if not missing and room is not None:
        choice = _choose(found, room)
        missing = "" if choice is not None else "no kernels fit the board's flash"
    if least_flash and choice is None and room is not None and _left(schedule, room) < 0:
        choice, stays = _least_flash(found, room), "the least flash"
    result = schedule if choice is None else with_variants(schedule, _variants(found, choice.options))
    if stays == "the least flash" and latency is not None and room is not None and _left(result, room) >= 0:
        missing = "only kernels whose ticks are not known fit the board's flash"
    if plan_arena(result).arena_bytes > max(plan_arena(schedule).arena_bytes, arena_bytes or 0):
        # The planner found a plan for more scratch; where its effort ends, it need not find one for less.
        missing, stays = "no plan was found for other kernels", "the local rule"
        choice, result = None, schedule
    chosen = (0,) * len(found) if choice is None else choice.options
    unit = "ticks" if latency is None else latency.unit
    explained = explain(found, chosen, room, unit, f"{stays}; {missing}" if missing else "")
    reasons = {step: text.reason for layer, text in zip(found, explained, strict=True) for step in layer.steps}
    taken = [layer.candidates[c] for layer, c in zip(found, chosen, strict=True)]
    return ChosenKernels(
        schedule=with_variants(result, {}, reasons),
        layers=tuple(
            _kernel_choice(schedule, layer, candidate, text)
            for layer, candidate, text in zip(found, taken, explained, strict=True)
        ),
        unit=None if latency is None else latency.unit,
        saved_ticks=sum(_fewer(layer, candidate) for layer, candidate in zip(found, taken, strict=True)),
        extra_flash_bytes=None if room is None else _left(by_shape, room) - _left(result, room),
        gap_ticks=0 if choice is None or missing else choice.ticks - choice.bound,
        not_compared=missing,
        basis="" if latency is None else latency.basis,
    )


def _room(
    schedule: Schedule, others: frozenset[str], memory: NativeMemoryModel, reserve: Reserve | None
) -> Room | None:
    """What fits beside kernels; None where the memory model does not know those of the schedule.

    What streamed segments take beside their layers is gone, whatever the kernels of these.
    """
    if memory.unknown_variants(schedule.variants | others):
        return None
    segments = [step for step in schedule.steps if step.stream is not None]
    fixed = frozenset(segment.variant for segment in segments)
    taken = sum(segment.own_constant_bytes for segment in segments)
    return lambda linked: memory.room_for_constants(linked | fixed, len(schedule.steps), reserve) - taken


def _fewer(layer: Layer, taken: Candidate) -> int:
    """Ticks that a layer saves beside the local rule's kernel; 0 where they are not known."""
    local = layer.local.ticks
    return 0 if local is None or taken.ticks is None else local - taken.ticks


def _left(schedule: Schedule, room: Room) -> int:
    """Flash that is left, in bytes."""
    return room(schedule.variants) - sum(part.constant_bytes for part in schedule.parts if part.stream is None)


def _missing(memory: NativeMemoryModel | None, room: Room | None, latency: LatencyModel | None) -> str:
    """Why nothing can be compared; empty where it can."""
    if memory is None or room is None:
        return "no memory model of the board and toolchain knows these kernels"
    if memory.other_compiler:  # what is left to the last word in flash must be known to the word
        return "the memory model was fitted with another compiler"
    return "" if latency is not None else "there is no latency model"


def _choose(found: Sequence[Layer], room: Room) -> Choice | None:
    """The best choice, by places among all candidates of a layer. The schedule's may stay, predicted or not."""
    places = [[i for i, c in enumerate(layer.candidates) if i == 0 or c.obstacle is None] for layer in found]
    options = [
        [
            Option(layer.candidates[i].variant, layer.candidates[i].ticks or 0, layer.candidates[i].constant_bytes)
            for i in p
        ]
        for layer, p in zip(found, places, strict=True)
    ]
    choice = choose_options(options, room)
    if choice is None:
        return None
    return replace(choice, options=tuple(p[o] for p, o in zip(places, choice.options, strict=True)))


def _least_flash(found: Sequence[Layer], room: Room) -> Choice | None:
    """What misses the board's flash by the fewest bytes: the choice if all kernels were as fast, and flash larger."""
    equal = [replace(layer, candidates=tuple(map(_of_any_ticks, layer.candidates))) for layer in found]
    every = frozenset(c.variant for layer in found for c in layer.candidates if c.obstacle is not Obstacle.UNSIZED)
    more = sum(max(c.constant_bytes for c in layer.candidates) for layer in found) - room(every)
    return _choose(equal, lambda variants: room(variants) + more)


def _of_any_ticks(candidate: Candidate) -> Candidate:
    unknown = candidate.obstacle is not None and candidate.obstacle.is_of_ticks
    return replace(candidate, ticks=0, obstacle=None if unknown else candidate.obstacle)


def _variants(found: Sequence[Layer], chosen: Sequence[int]) -> Mapping[int, str]:
    return {step: layer.candidates[c].variant for layer, c in zip(found, chosen, strict=True) for step in layer.steps}


def _kernel_choice(schedule: Schedule, layer: Layer, taken: Candidate, text: Explanation) -> KernelChoice:
    first = schedule.parts[layer.steps[0]]
    return KernelChoice(
        steps=layer.steps,
        name=first.name if first.band is None else schedule.graph.ops[first.ops[-1]].name,
        variant=taken.variant,
        local=layer.local.variant,
        scratch_given_up=layer.gave_up,
        reason=text.reason,
        alternatives=tuple(
            Alternative(c.variant, c.ticks, c.constant_bytes, code, max(c.scratch), note)
            for c, code, note in zip(layer.candidates, text.code_bytes, text.notes, strict=True)
        ),
    )
