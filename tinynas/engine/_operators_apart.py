"""Operators whose results get storage of their own, so that kernels may execute them that cannot work in place.

Where flash is short, the code of a kernel may be saved that one layer alone needs because it works in place, if there
is SRAM for that layer's result beside its input. Bytes alive during a step follow from that step's kernel and storage
(`tinynas.lowering`), so every layer has its own options: its kernels in place, and others apart. Which of them together
fit flash in the fewest ticks is the same knapsack as that of kernels alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinynas.engine._kernel_candidates import Layer, candidates
from tinynas.engine._knapsack import Option, Room, choose_options
from tinynas.latency import LatencyModel
from tinynas.lowering import Schedule
from tinynas.memory import NativeMemoryModel, live_ranges


def operators_apart(
    in_place: Schedule,
    apart: Schedule,
    memory: NativeMemoryModel,
    latency: LatencyModel | None,
    room: Room,
    arena_bytes: int,
) -> frozenset[int]:
    """The operators to keep apart, by their place in the graph: none where that helps nothing, or nothing fits.

    Args:
        in_place: The network with everything in place that can be, within the arena.
        apart: The same with nothing in place.
        memory: Knows the code of kernels.
        latency: Knows their ticks; None: the least flash decides.
        room: Bytes of constants that fit beside the code of some kernels.
        arena_bytes: What may be alive during a step.
    """
    layers = [candidates(schedule, schedule, memory, latency, arena_bytes) for schedule in (in_place, apart)]
    alive = [live_ranges(schedule).bytes_per_step() for schedule in (in_place, apart)]
    # Kernels whose ticks are not known are taken where nothing else fits.
    for unknown in (False, True) if latency is not None else (True,):
        options: list[list[tuple[Option, bool]]] = []
        for inside, beside in zip(*layers, strict=True):
            found = [(option, False) for option in _options(inside, alive[0], arena_bytes, unknown=unknown)]
            taken = {option.variant for option, _ in found}
            others = _options(beside, alive[1], arena_bytes, unknown=unknown)
            found += [(option, True) for option in others if option.variant not in taken]
            options.append(found)
        if not all(options) or not any(is_apart for found in options for _, is_apart in found):
            return frozenset()
        choice = choose_options([[option for option, _ in found] for found in options], room)
        if choice is not None:
            return frozenset(
                apart.steps[layer.steps[0]].ops[-1]
                for layer, found, place in zip(layers[1], options, choice.options, strict=True)
                if found[place][1]
            )
    return frozenset()


def _options(layer: Layer, alive: Sequence[int], arena_bytes: int, *, unknown: bool) -> list[Option]:
    """The kernels that may be chosen; none where the schedule's own, which takes the fewest bytes, does not fit."""
    if max(alive[step] for step in layer.steps) > arena_bytes:
        return []
    present, *others = layer.candidates
    passed = [c for c in others if c.obstacle is None or (unknown and c.obstacle.is_of_ticks)]
    return [Option(c.variant, c.ticks or 0, c.constant_bytes) for c in (present, *passed)]
