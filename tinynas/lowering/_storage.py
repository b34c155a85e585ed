"""Storage: which tensors share a buffer, decided so that a block of a chain needs to know nothing beyond itself.

One rule: where a kernel works in place, its output takes the place of an operand of equal size that nothing reads
afterwards. Network inputs are no exception (the application writes them anew for every inference), nor is a tensor that
is alone alive between two steps, as between the expansion and the depthwise convolution of an inverted bottleneck.

A block decides alone as it does inside a network: nothing outside reads its input, and its output is read after its
last step in both cases.
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

    Results of the network are read one step after the last.
    """

    produced: Mapping[int, int]
    last_read: Mapping[int, int]


def root_of(alias: Mapping[int, int], t: int) -> int:
    """The tensor whose storage `t` is, seen through any number of reshapes."""
    while t in alias:
        t = alias[t]
    return t


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
        return root_of(alias, t)

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
    return _Lifetimes(produced, last_read)


def _overwritten(graph: Graph, output: int, operands: Iterable[int], step: int, lifetimes: _Lifetimes) -> int | None:
    """The operand that the output overwrites: dead after the step, and of equal size.

    Of several, the one produced latest, so that the other, which is alive for longer, is freed as a whole.
    """
    size = graph.tensors[output].size_bytes
    candidates = [t for t in operands if lifetimes.last_read[t] == step and graph.tensors[t].size_bytes == size]
    return max(candidates, key=lifetimes.produced.__getitem__, default=None)
