"""Scratch is given up where SRAM is what is short: each step gets the first kernel with which it fits.

Bytes alive during a step are those of its tensors and of what others wait for, which the order of the steps decides,
and what its kernel adds: its scratch, and its output where that does not lie in place of an input. No step's choice
changes the bytes of another one. So the fewest bytes that all choices of kernels need are found step by step, and by a
rule as local as that of shapes: a block within a network has alive what it has alone, and chooses the same kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate

from tinynas.kernels import KernelVariant, by_rule, words
from tinynas.lowering._storage import Activations, Lifetimes, PlannedStep, overwritten


def select_within(
    variants: Sequence[KernelVariant], arena_bytes: int, bytes_with: Callable[[KernelVariant], int]
) -> KernelVariant:
    """The first variant with which a step takes at most so many bytes, or else the one with which it takes the fewest.

    Args:
        variants: In order of preference, at least one.
        arena_bytes: What may be alive.
        bytes_with: What is alive during the step.
    """
    for variant in variants:
        if bytes_with(variant) <= arena_bytes:
            return variant
    return min(variants, key=bytes_with)


def within_arena(planned: Sequence[PlannedStep], activations: Activations, arena_bytes: int) -> list[PlannedStep]:
    """The steps with kernels that leave at most `arena_bytes` alive, where there are any, else the fewest.

    Patches of a layer share its weights, and keep one kernel.
    """
    alive = _Alive.during(planned, activations)
    found: dict[int, list[int]] = {}
    for i, p in enumerate(planned):
        if p.stream is not None:
            continue
        found.setdefault(i if p.band is None else p.band.weights_step, []).append(i)
    result = list(planned)
    for steps in found.values():
        if alive.most_with(planned[steps[0]].variant, steps) <= arena_bytes:
            continue
        variants = _executing([planned[i] for i in steps])
        taken = select_within(variants, arena_bytes, partial(alive.most_with, steps=steps))
        for i in steps:
            result[i] = replace(planned[i], variant=taken)
    return result


def _executing(layer: Sequence[PlannedStep]) -> list[KernelVariant]:
    """Those of the rule that execute all of a layer's steps, and the layer as a whole, whose weights patches share."""
    others = [
        {v.name for v in by_rule(call)}
        for p in layer
        for call in ((p.call,) if p.band is None else (p.call, replace(p.call, input_rows=None, output_rows=None)))
    ]
    present = layer[0].variant
    return [
        present,
        *(v for v in by_rule(layer[0].call) if v is not present and all(v.name in names for names in others)),
    ]


@dataclass(frozen=True)
class _Alive:
    """What is alive during each step but its scratch and what it writes first, in bytes; and what decides the rest."""

    planned: Sequence[PlannedStep]
    uses: Sequence[tuple[int, list[int]]]
    sizes: dict[int, int]
    lifetimes: Lifetimes
    beside: Sequence[int]

    @classmethod
    def during(cls, planned: Sequence[PlannedStep], activations: Activations) -> _Alive:
        uses, sizes = activations.uses(planned), activations.sizes()
        lifetimes = activations.lifetimes(uses)
        change = [0] * (len(planned) + 2)
        for t, produced in lifetimes.produced.items():
            # A result is alive beside the kernels of the steps behind the one that writes it first.
            change[produced + 1] += words(sizes[t])
            change[max(produced, 0, min(lifetimes.last_read[t], len(planned))) + 1] -= words(sizes[t])
        return cls(planned, uses, sizes, lifetimes, list(accumulate(change)))

    def most_with(self, variant: KernelVariant, steps: Sequence[int]) -> int:
        """The most bytes alive during any of some steps that this kernel executes."""
        return max(self._bytes_with(variant, step) for step in steps)

    def _bytes_with(self, variant: KernelVariant, step: int) -> int:
        call, (output, operands) = self.planned[step].call, self.uses[step]
        taken = self.beside[step] + words(variant.scratch_bytes(call))
        if self.lifetimes.produced[output] < step or variant.shrinks(call):
            return taken  # a later patch writes other rows of what is there already, or the result lies in the input
        overwrites = self.planned[step].may_overwrite and variant.in_place
        if overwrites and overwritten(self.sizes, output, operands, step, self.lifetimes) is not None:
            return taken
        return taken + words(self.sizes[output])
