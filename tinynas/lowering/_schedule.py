"""The schedule: what our engine executes. Memory, flash, latency and the generated C are functions of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from tinynas.graph import Graph
from tinynas.kernels import InstructionSet, KernelCall, PartialSums


@dataclass(frozen=True)
class Buffer:
    """Storage of one activation, or of several that share it (a RESHAPE's input and output, an in-place result).

    `tensors` are indices into the graph. The first use and last use are positions of steps: a network input is
    live from step 0, a network output until the last step. `rows` (first, end) is set where the buffer holds a band of
    rows of a tensor only.
    """

    index: int
    size_bytes: int
    tensors: tuple[int, ...]
    first_step: int
    last_step: int
    rows: tuple[int, int] | None = None


@dataclass(frozen=True)
class Band:
    """What a step computes of its operator where the first layers of a network run patch by patch.

    A patch is a band of rows over the whole width: in NHWC its bytes are contiguous, so that any kernel can compute it.

    Attributes:
        patch: Position of the patch.
        rows: Rows of the output that the step computes: first, end.
        input_rows: Rows of the inputs that it reads.
        input_offsets: Bytes from the start of each input's buffer to the first of these rows.
        output_offset: Bytes from the start of the output's buffer to the first row that it writes.
        weights_step: The step whose weights and tables this one uses, too.
        parameters_step: The step whose parameter structure this one uses, too.
    """

    patch: int
    rows: tuple[int, int]
    input_rows: tuple[int, int]
    input_offsets: tuple[int, ...]
    output_offset: int
    weights_step: int
    parameters_step: int


class Structure(NamedTuple):
    """The calls of a streamed layer that share a parameter structure.

    Attributes:
        calls: How many there are.
        input_rows: Rows of the operands that each sees.
        output_rows: Rows that each writes; None where rows are added to sums.
        padding: (top, bottom, left, right) around the rows that it sees.
        sums: Where rows are added to sums, whether they are the first or the last.
    """

    calls: int
    input_rows: int
    output_rows: int | None
    padding: tuple[int, int, int, int]
    sums: PartialSums | None = None

    def of(self, whole: KernelCall) -> KernelCall:
        """The call of some rows that a call of the whole operator becomes."""
        return whole.of_rows(self.input_rows, self.output_rows, self.padding, self.sums)


@dataclass(frozen=True)
class StreamedLayer:
    """A layer of a streamed segment.

    Attributes:
        step: Its kernel with what all of its calls take together: MACs and features are sums, scratch is the most that
            one takes. Its index is its place in `Schedule.parts`; its buffers are none of the schedule's.
        structures: Of its calls, in order: the first calls, those between, which share one, and the last.
        last_structures: How many of them are for single calls at the end.
        operands: Positions of the layers that write what it reads; 0 is the segment's input.
        rows_per_call: How many rows it writes in a call; if it adds rows to sums, how many it reads.
        stride: Rows of its operands between two of its output.
        extent: Rows of its operands that one row of its output depends on.
        readers: Positions of the layers that read its rows, two at most; of the last layer, whose output is kept, 0 and
            its own: the input's position stands for what waits for rows without end.
        window_rows: Rows of its output that its window has room for; of the last layer, all of them, and if that adds
            rows to sums, all that it reads.
        window_offset: Bytes from the start of the segment's scratch to its window; 0 for the last layer.
        sums_offset: The same to the sums of a last layer that adds rows to them (`tinynas.lowering._sums`); None for
            any other layer.
    """

    step: Step
    structures: tuple[Structure, ...]
    last_structures: int
    operands: tuple[int, ...]
    rows_per_call: int
    stride: int
    extent: int
    readers: tuple[int, ...]
    window_rows: int
    window_offset: int
    sums_offset: int | None = None

    @property
    def calls(self) -> int:
        """How often it is called."""
        return sum(structure.calls for structure in self.structures)


@dataclass(frozen=True)
class Stream:
    """A streamed segment: layers that hand each other rows (`tinynas.lowering._streams`).

    Attributes:
        layers: In the order of the graph.
        states_offset: Bytes from the start of the segment's scratch to the state of its layers.
        scratch_offset: The same to the scratch of its kernels, of which one runs at a time; sums are none of it.
        lead_bytes: Bytes by which the segment's output must begin before its input, at least, where they overlap: then
            no row is written over one that is still read.
        input_window_rows: Rows in the window of an input that comes row by row, at the start of the segment's scratch;
            None where the input is there as a whole.
    """

    layers: tuple[StreamedLayer, ...]
    states_offset: int
    scratch_offset: int
    lead_bytes: int
    input_window_rows: int | None = None


@dataclass(frozen=True)
class Step:
    """One kernel call.

    `variant` names an entry of the catalogue; `ops` are the graph operators it covers, in order (a fused PAD and
    its convolution, for example). `inputs` and `output` are tensor indices of activations; `input_buffers` and
    `output_buffer` the storage they live in. `padding` is (top, bottom, left, right) in elements with every PAD
    folded in. `scratch_bytes` live during this step only and belong to the memory plan. `features` are the loop
    counts of the kernel that explain its instructions (see the variant's documentation). `band` is set where the step
    computes a band of rows only; MACs, features and padding are then those of the band. `stream` is set where the step
    is a streamed segment: its scratch then holds all windows, and its features are the loops around its kernels' calls.
    Where it `shrinks`, its output lies at one end of its first input. `reason` says in one line why it has this
    variant, where that was chosen for the network as a whole; it is empty where the local rule alone decided.
    """

    index: int
    variant: str
    ops: tuple[int, ...]
    inputs: tuple[int, ...]
    output: int
    input_buffers: tuple[int, ...]
    output_buffer: int
    name: str
    macs: int
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    scratch_bytes: int = 0
    constant_bytes: int = 0
    features: Mapping[str, float] = field(default_factory=dict)
    band: Band | None = None
    shrinks: bool = False
    reason: str = ""
    stream: Stream | None = None

    @property
    def layers(self) -> tuple[Step, ...]:
        """The layers of a streamed segment; empty for any other step."""
        return () if self.stream is None else tuple(layer.step for layer in self.stream.layers)

    @property
    def parts(self) -> tuple[Step, ...]:
        """The kernels that run: those of a streamed segment's layers, and the step's own."""
        return (*self.layers, self)

    @property
    def own_constant_bytes(self) -> int:
        """Flash of a streamed segment without its layers; of any other step, all of it."""
        return self.constant_bytes - sum(layer.constant_bytes for layer in self.layers)


@dataclass(frozen=True)
class Schedule:
    """A lowered graph: steps in execution order over buffers.

    `inputs` and `outputs` are the int8 tensors at the interface of the generated code (edge QUANTIZE and DEQUANTIZE
    are gone). `graph` is what was lowered, without operators whose results reach no output. `constant_bytes` of a step
    is what its weights, biases, requantization parameters, parameter structure and addresses take in flash, to the
    byte. Tensors that only exist as bands of rows are not in `buffer_of`: steps name their buffers. Nor is an input
    that comes row by row, into a window of the first step's scratch.
    `instruction_set` is that of the core it is for.
    """

    graph: Graph
    steps: tuple[Step, ...]
    buffers: tuple[Buffer, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    buffer_of: Mapping[int, int]
    instruction_set: InstructionSet = InstructionSet.DSP

    @property
    def input_by_rows(self) -> bool:
        """Whether the network takes its input row by row: then it has no buffer."""
        return any(step.stream is not None and step.stream.input_window_rows is not None for step in self.steps)

    @property
    def held_inputs(self) -> tuple[int, ...]:
        """The inputs that are held as a whole."""
        return () if self.input_by_rows else self.inputs

    def call(self, step: Step) -> KernelCall:
        """The kernel call that a step stands for."""
        op = self.graph.ops[step.ops[-1]]
        source = step.inputs[0] if len(step.ops) > 1 else op.inputs[0]
        call = KernelCall(self.graph, op, step.padding, source, instruction_set=self.instruction_set)
        if step.band is None:
            return call
        (first, end), (input_first, input_end) = step.band.rows, step.band.input_rows
        return replace(call, input_rows=input_end - input_first, output_rows=end - first)

    def calls(self, part: int) -> tuple[KernelCall, ...]:
        """The different kernel calls of a part: one, or one for each structure of a streamed layer."""
        if part < len(self.steps):
            return (self.call(self.parts[part]),)
        return self.streamed_calls(self.streamed_layer(part))

    def streamed_layer(self, part: int) -> StreamedLayer:
        """The streamed layer that a part is."""
        streams = (step.stream for step in self.steps if step.stream is not None)
        return next(layer for stream in streams for layer in stream.layers if layer.step.index == part)

    def streamed_calls(self, layer: StreamedLayer) -> tuple[KernelCall, ...]:
        """The kernel calls of a streamed layer: one for each of its structures."""
        whole = replace(self.call(layer.step), source=layer.step.inputs[0])
        return tuple(structure.of(whole) for structure in layer.structures)

    @property
    def variants(self) -> frozenset[str]:
        """The kernel variants the firmware must contain: code size is a union over these, not a sum over steps."""
        return frozenset(part.variant for part in self.parts)

    @cached_property
    def parts(self) -> tuple[Step, ...]:
        """All steps, and behind them the layers of all streamed segments: each at the place of its index."""
        return (*self.steps, *(layer for step in self.steps for layer in step.layers))

    @property
    def streamed_parts(self) -> tuple[Step, ...]:
        """The layers of all streamed segments."""
        return self.parts[len(self.steps) :]

    @property
    def macs(self) -> int:
        return sum(step.macs for step in self.steps)
