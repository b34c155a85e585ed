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
from tinynas.kernels import KernelCall, KernelVariant
from tinynas.lowering._schedule import Band, Buffer, Stream


@dataclass(frozen=True)
class StreamedSteps:
    """What a planned step is where it is a streamed segment.

    Attributes:
        stream: The segment.
        scratch_bytes: Its windows, the state of its layers, and the scratch of their kernels.
        features: Loop counts of the kernel that calls its kernels.
    """

    stream: Stream
    scratch_bytes: int
    features: Mapping[str, float]


@dataclass(frozen=True)
class PlannedStep:
    """A step before storage is assigned."""

    variant: KernelVariant
    call: KernelCall
    ops: tuple[int, ...]
    inputs: tuple[int, ...]
    output: int
    band: Band | None = None
    may_overwrite: bool = True
    """Whether the output may take the place of an input."""
    slots: tuple[int, ...] | None = None
    """Where a patch's step finds its inputs and puts its output (last): tensors or `BandTensor`s, by number."""
    stream: StreamedSteps | None = None
    """The layers that it stands for where it is a streamed segment; `call` is that of the last one then."""

    @property
    def scratch_bytes(self) -> int:
        return self.variant.scratch_bytes(self.call) if self.stream is None else self.stream.scratch_bytes

    @property
    def input_slots(self) -> tuple[int, ...]:
        return self.inputs if self.slots is None else self.slots[:-1]

    @property
    def output_slot(self) -> int:
        return self.output if self.slots is None else self.slots[-1]


@dataclass(frozen=True)
class BandTensor:
    """The rows (first, end) of a tensor that one patch needs. Numbered behind the tensors of the graph."""

    tensor: int
    rows: tuple[int, int]
    size_bytes: int


def root_of(alias: Mapping[int, int], t: int) -> int:
    """The tensor whose storage `t` is, seen through any number of reshapes."""
    while t in alias:
        t = alias[t]
    return t


@dataclass(frozen=True)
class Activations:
    """What is stored while the planned steps run.

    Attributes:
        graph: The network.
        alias: A tensor -> the one whose storage it is (the output of a RESHAPE -> its input).
        inputs: The network's inputs, as the generated code takes them.
        outputs: Its results.
        bands: The tensors of which patches keep some rows only, by number.
    """

    graph: Graph
    alias: Mapping[int, int]
    inputs: Sequence[int]
    outputs: Sequence[int]
    bands: Mapping[int, BandTensor]

    def root(self, t: int) -> int:
        """The tensor whose storage `t` is."""
        return root_of(self.alias, t)

    def sizes(self) -> dict[int, int]:
        """Bytes of every tensor and band."""
        return {t: tensor.size_bytes for t, tensor in enumerate(self.graph.tensors)} | {
            t: band.size_bytes for t, band in self.bands.items()
        }

    def uses(self, planned: Sequence[PlannedStep]) -> list[tuple[int, list[int]]]:
        """What each step writes, and what it reads, reshapes seen through."""
        return [(self.root(p.output_slot), [self.root(t) for t in p.input_slots]) for p in planned]

    def lifetimes(self, uses: Sequence[tuple[int, list[int]]]) -> Lifetimes:
        """Of everything that the steps with these uses read and write."""
        inputs = [self.root(t) for t in self.inputs]
        # Patches write a tensor in several steps: it exists from the first of them.
        produced = dict.fromkeys(inputs, -1) | {output: i for i, (output, _) in reversed(list(enumerate(uses)))}
        last_read = dict(produced)
        for i, (_, operands) in enumerate(uses):
            last_read.update(dict.fromkeys(operands, i))
        last_read.update(dict.fromkeys(map(self.root, self.outputs), len(uses)))
        return Lifetimes(produced, last_read)


@dataclass(frozen=True)
class Lifetimes:
    """By tensor, reshapes seen through: the step that writes it (-1: an input), and the last that reads it.

    Results of the network are read one step after the last.
    """

    produced: Mapping[int, int]
    last_read: Mapping[int, int]


def assign_storage(
    planned: Sequence[PlannedStep], activations: Activations
) -> tuple[dict[int, int], tuple[Buffer, ...]]:
    """Buffer of each activation and of each band, and the buffers."""
    alias, bands, sizes = activations.alias, activations.bands, activations.sizes()
    steps = activations.uses(planned)
    lifetimes = activations.lifetimes(steps)
    buffer_of: dict[int, int] = {}
    members: list[list[int]] = []
    first_step: list[int] = []

    def store(t: int, step: int) -> None:
        buffer_of[t] = len(members)
        members.append([t])
        first_step.append(step)

    for t in dict.fromkeys(map(activations.root, activations.inputs)):
        store(t, 0)
    for i, (output, operands) in enumerate(steps):
        if output in buffer_of:
            continue  # a later patch writes other rows of the same tensor
        works_in_place = planned[i].may_overwrite and planned[i].variant.in_place
        operand = overwritten(sizes, output, operands, i, lifetimes) if works_in_place else None
        if operand is None:
            store(output, i)
        else:
            buffer_of[output] = buffer_of[operand]
            members[buffer_of[output]].append(output)
    last = max(0, len(steps) - 1)
    buffers = []
    for index, (tensors, first) in enumerate(zip(members, first_step, strict=True)):
        end = min(last, max(first, *(max(lifetimes.last_read[t], lifetimes.produced[t]) for t in tensors)))
        of = tuple(bands[t].tensor if t in bands else t for t in tensors)
        names = (*of, *(t for t in alias if activations.root(t) in tensors))
        rows = bands[tensors[0]].rows if tensors[0] in bands else None
        buffers.append(Buffer(index, sizes[tensors[0]], names, first, end, rows))
    # An image inside a streamed segment has no storage, and so has what a head reads of it through a RESHAPE.
    buffer_of.update((t, buffer_of[root]) for t in alias for root in [activations.root(t)] if root in buffer_of)
    return buffer_of, tuple(buffers)


def overwritten(
    sizes: Mapping[int, int], output: int, operands: Iterable[int], step: int, lifetimes: Lifetimes
) -> int | None:
    """The operand that the output overwrites: dead after the step, and of equal size.

    Of several, the one produced latest, so that the other, which is alive for longer, is freed as a whole.
    """
    candidates = [t for t in operands if lifetimes.last_read[t] == step and sizes[t] == sizes[output]]
    return max(candidates, key=lifetimes.produced.__getitem__, default=None)
