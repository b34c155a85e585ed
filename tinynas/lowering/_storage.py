"""Storage: which tensors share a buffer, decided so that a block of a chain needs to know nothing beyond itself.

A block's input is the only tensor alive where the block begins (a *cut tensor*), and so is its output where it ends.
An output is put onto an operand (in place) only if that operand is neither an input or output of the network nor a cut
tensor: a cut tensor may be the input of a block, which, lowered alone, is a network input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tinynas.graph import Graph
from tinynas.lowering._schedule import Buffer
from tinynas.lowering._variants import KernelCall, KernelVariant


@dataclass(frozen=True)
class PlannedStep:
    """A step before storage is assigned."""

    variant: KernelVariant
    call: KernelCall
    ops: tuple[int, ...]
    inputs: tuple[int, ...]
    output: int


@dataclass(frozen=True)
class _Lifetimes:
    """By tensor, reshapes seen through: the step that writes it (-1: an input), and the last that reads it.

    Results of the network are read one step after the last. `pinned` tensors are never overwritten in place.
    """

    produced: Mapping[int, int]
    last_read: Mapping[int, int]
    pinned: frozenset[int]


def assign_storage(
    graph: Graph,
    planned: Sequence[PlannedStep],
    alias: Mapping[int, int],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> tuple[dict[int, int], tuple[Buffer, ...]]:
    """Buffer of each activation, and the buffers.

    `alias` maps a tensor to the one whose storage it is (the output of a RESHAPE to its input).
    """

    def root(t: int) -> int:
        while t in alias:
            t = alias[t]
        return t

    steps = [(root(p.output), [root(t) for t in p.inputs]) for p in planned]
    lifetimes = _lifetimes(steps, [root(t) for t in inputs], [root(t) for t in outputs])
    buffer_of: dict[int, int] = {}
    members: list[list[int]] = []
    first_step: list[int] = []

    def store(t: int, step: int) -> None:
        buffer_of[t] = len(members)
        members.append([t])
        first_step.append(step)

    for t in dict.fromkeys(map(root, inputs)):
        store(t, 0)
    for i, (output, operands) in enumerate(steps):
        operand = _overwritten(graph, output, operands, i, lifetimes) if planned[i].variant.in_place else None
        if operand is None:
            store(output, i)
        else:
            buffer_of[output] = buffer_of[operand]
            members[buffer_of[output]].append(output)
    last = max(0, len(steps) - 1)
    buffers = []
    for index, (tensors, first) in enumerate(zip(members, first_step, strict=True)):
        end = min(last, max(first, *(max(lifetimes.last_read[t], lifetimes.produced[t]) for t in tensors)))
        names = (*tensors, *(t for t in alias if root(t) in tensors))
        buffers.append(Buffer(index, graph.tensors[tensors[0]].size_bytes, names, first, end))
    buffer_of.update((t, buffer_of[root(t)]) for t in alias)
    return buffer_of, tuple(buffers)


def _lifetimes(steps: Sequence[tuple[int, list[int]]], inputs: Sequence[int], outputs: Sequence[int]) -> _Lifetimes:
    produced = dict.fromkeys(inputs, -1) | {output: i for i, (output, _) in enumerate(steps)}
    last_read = dict(produced)
    for i, (_, operands) in enumerate(steps):
        last_read.update(dict.fromkeys(operands, i))
    last_read.update(dict.fromkeys(outputs, len(steps)))
    cuts = _cut_tensors(produced, last_read, len(steps))
    return _Lifetimes(produced, last_read, frozenset((*inputs, *outputs, *cuts)))


def _cut_tensors(produced: Mapping[int, int], last_read: Mapping[int, int], steps: int) -> set[int]:
    """Tensors that are, between some two steps, the only one alive. One sweep over counts and sums of indices."""
    count = [0] * (steps + 2)
    total = [0] * (steps + 2)
    for t, start in produced.items():
        # Alive across the boundaries after steps start .. last_read - 1; boundary b lies after step b - 1.
        for position, sign in ((start + 1, 1), (last_read[t] + 1, -1)):
            count[position] += sign
            total[position] += sign * t
    cuts: set[int] = set()
    alive = summed = 0
    for boundary in range(steps):
        alive += count[boundary]
        summed += total[boundary]
        if alive == 1:
            cuts.add(summed)
    return cuts


def _overwritten(graph: Graph, output: int, operands: Iterable[int], step: int, lifetimes: _Lifetimes) -> int | None:
    """The operand that the output overwrites: dead after the step, of equal size, not pinned.

    Of several, the one produced latest, so that the other, which is alive for longer, is freed as a whole.
    """
    size = graph.tensors[output].size_bytes
    candidates = [
        t
        for t in operands
        if t not in lifetimes.pinned and lifetimes.last_read[t] == step and graph.tensors[t].size_bytes == size
    ]
    return max(candidates, key=lifetimes.produced.__getitem__, default=None)
