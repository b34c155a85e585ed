"""Streamed segments: layers that hand each other rows, so that none of their results ever exists as a whole.

A layer of a segment writes a few rows in each of its calls, into a window that holds what is still read: the rows that
a convolution sees, and those that a residual sum waits for. Nothing is computed twice. Layers are called as soon as
their operands are there, the last one that can be first, so that windows stay as short as they can be.

A segment reads its input from the top down, and so its output may grow into the rows of its input that nothing reads
any more: msf-CNN and MCUNetV2 do not do that; within one layer vMCU does (Zheng et al. 2024, "vMCU: Coordinated Memory
Management and Kernel Optimization for DNN Inference on MCUs"). By how many bytes the output may begin before the input
follows from the order of the calls (`Trace`), row by row.

The first segment may be given the network's input row by row: it has a window like any other then, and is never there
as a whole. For the order of the calls its rows are what a layer before all others writes, one in each call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tinynas.errors import ModelError
from tinynas.graph import Graph, op_macs
from tinynas.kernels import POINTER, WINDOWED, KernelCall, KernelVariant, for_few_rows, window_of, words
from tinynas.kernels.streaming import STREAM, STREAM_ROWS, STREAMED_LAYER, STREAMED_STATE
from tinynas.lowering._rows import alone, no_rows, row_bytes
from tinynas.lowering._schedule import Step, Stream, StreamedLayer, Structure
from tinynas.lowering._storage import PlannedStep, StreamedSteps, root_of
from tinynas.lowering._stream_loops import pushed_loops, segment_loops
from tinynas.lowering._trace import LayerRows, Trace, trace

_MOST_ROWS = 0xFFFE  # 16 bits, of which one value stands for "never"
FEW_ROWS = 3
"""Rows that a call may write for kernels for few rows to be preferred: a depthwise convolution with a channel buffer
gathers two more rows of each window again, which takes as long from four rows on as what the other one does longer."""
MOST_LAYERS = 0xFF
"""Layers of one segment: their positions are bytes."""
_MOST_STRUCTURES = 0xFF
MOST_READERS = 2
"""Layers that read the rows of one window."""


class StreamError(ModelError):
    """These layers of a network cannot run row by row."""


@dataclass(frozen=True)
class StreamPlan:
    """Run a part of a network row by row.

    Attributes:
        first: Position of the first kernel call among those of the plain schedule.
        rows: How many rows each of the layers writes in a call, in their order: one entry for each kernel call.
        pushed: Whether the segment's input, which is the network's, comes row by row and is never there as a whole.
    """

    first: int
    rows: tuple[int, ...]
    pushed: bool = False

    @property
    def end(self) -> int:
        """Position of the first kernel call behind the segment."""
        return self.first + len(self.rows)


def streamed(
    graph: Graph,
    planned: Sequence[PlannedStep],
    alias: Mapping[int, int],
    inputs: Sequence[int],
    outputs: Sequence[int],
    plans: Sequence[StreamPlan],
) -> list[PlannedStep]:
    """The steps with each of some segments, which have none in common, as one step.

    Raises:
        StreamError: A segment cannot run row by row; the message says why.
    """
    result: list[PlannedStep] = []
    done = 0
    for plan in sorted(plans, key=lambda plan: plan.first):
        if not plan.rows:
            raise StreamError(f"a segment at layer {plan.first} has no layers")
        if plan.first < 0 or plan.end > len(planned):
            raise StreamError(f"layers {plan.first} to {plan.end - 1} row by row: the network has {len(planned)}")
        if plan.first < done:
            raise StreamError(f"layer {plan.first} is in two segments")
        result += planned[done : plan.first]
        source = segment_source(graph, planned, alias, inputs, outputs, plan)
        of = zip(planned[plan.first : plan.end], plan.rows, strict=True)
        layers = [by_rows(p, rows_per_call) for p, rows_per_call in of]
        result.append(segment_step(graph, layers, inputs, plan, source))
        done = plan.end
    return [*result, *planned[done:]]


def segment_source(
    graph: Graph,
    planned: Sequence[PlannedStep],
    alias: Mapping[int, int],
    inputs: Sequence[int],
    outputs: Sequence[int],
    plan: StreamPlan,
) -> int:
    """The tensor that a segment reads from outside: all that is alive before it, as its output is behind it.

    Raises:
        StreamError: It reads several, or something else is alive beside it.
    """
    source = _only_input(planned[plan.first : plan.end], alias)
    _require_cuts(graph, planned, alias, inputs, outputs, plan, source)
    return source


def segment_step(
    graph: Graph, segment: Sequence[PlannedStep], inputs: Sequence[int], plan: StreamPlan, source: int
) -> PlannedStep:
    """A segment of some layers (`by_rows`), as one step; see `segment_source`.

    Raises:
        StreamError: It cannot run row by row; the message says why.
    """
    if len(segment) > MOST_LAYERS:
        raise StreamError(f"{_where(segment[-1])}: {len(segment)} layers in one segment; at most {MOST_LAYERS}")
    if plan.pushed and (plan.first > 0 or tuple(inputs) != (source,)):
        raise StreamError(f"{_where(segment[0])} does not read the only input of the network, which is to come by rows")
    position = {source: 0} | {p.output: index for index, p in enumerate(segment, 1)}
    rows = [_layer_rows(graph, p, count, position) for p, count in zip(segment, plan.rows, strict=True)]
    height = graph.tensors[source].shape[1]
    executed = trace(tuple(rows), height)
    if executed is None:
        raise StreamError(f"{_where(segment[-1])}: its segment comes to no end")
    crowded = [p for p, readers in zip(segment, executed.readers[1:], strict=True) if len(readers) > MOST_READERS]
    if crowded or (plan.pushed and len(executed.readers[0]) > MOST_READERS):
        raise StreamError(f"{_where([*crowded, segment[0]][0])}: more than {MOST_READERS} layers read its rows")
    windows, end = [], words(executed.window_rows[0] * row_bytes(graph, source)) if plan.pushed else 0
    for p, held in zip(segment[:-1], executed.window_rows[1:-1], strict=True):
        windows.append(end)
        end += words(held * row_bytes(graph, p.output))
    scratch = end + STREAMED_STATE.size_bytes * (len(segment) + 1)
    layers = tuple(
        _streamed_layer(graph, p, layer, index, executed, [*windows, 0])
        for index, (p, layer) in enumerate(zip(segment, rows, strict=True), 1)
    )
    if plan.pushed:
        stream = Stream(layers, end, scratch, 0, executed.window_rows[0])
    else:
        stream = Stream(layers, end, scratch, _lead_bytes(graph, source, segment[-1], rows[-1], executed))
    return PlannedStep(
        variant=STREAM_ROWS if plan.pushed else STREAM,
        call=segment[-1].call,
        ops=tuple(op for p in segment for op in p.ops),
        inputs=(source,),
        output=segment[-1].output,
        may_overwrite=False,
        slots=(segment[-1].output,) if plan.pushed else None,
        stream=StreamedSteps(
            stream,
            segment_scratch_bytes(stream),
            (pushed_loops if plan.pushed else segment_loops)(graph, source, segment, executed),
        ),
    )


def by_rows(planned: PlannedStep, rows_per_call: int) -> PlannedStep:
    """The step as a layer that writes so many rows in a call: with a kernel for few rows where that is preferred."""
    planned = alone(planned)
    variant = for_few_rows(planned.call) if rows_per_call <= FEW_ROWS else None
    return planned if variant is None else replace(planned, variant=variant)


def segment_scratch_bytes(stream: Stream) -> int:
    """SRAM of a segment beside its input and output: windows, states, and the scratch of one kernel at a time."""
    return stream.scratch_offset + max(words(layer.step.scratch_bytes) for layer in stream.layers)


def segment_constant_bytes(stream: Stream) -> int:
    """Flash of a segment: what its layers take, the entry for its input, and where all of that is."""
    layers = sum(layer.step.constant_bytes for layer in stream.layers)
    variant = STREAM if stream.input_window_rows is None else STREAM_ROWS
    return layers + STREAMED_LAYER.size_bytes + variant.parameters.size_bytes + POINTER


def _where(p: PlannedStep) -> str:
    return f"row by row: {p.call.op.kind} {p.call.op.name!r}"


def _only_input(segment: Sequence[PlannedStep], alias: Mapping[int, int]) -> int:
    """The tensor that a segment reads from outside."""
    made = {p.output for p in segment}
    if any(root_of(alias, t) in made for p in segment for t in p.inputs if t in alias):
        raise StreamError(f"{_where(segment[-1])}: its segment reads a result of its own through a RESHAPE")
    found = list(dict.fromkeys(t for p in segment for t in p.inputs if t not in made))
    if len(found) != 1:
        raise StreamError(
            f"{_where(segment[-1])}: its segment reads {len(found)} tensors from outside; it may read one"
        )
    return found[0]


def _require_cuts(
    graph: Graph,
    planned: Sequence[PlannedStep],
    alias: Mapping[int, int],
    inputs: Sequence[int],
    outputs: Sequence[int],
    plan: StreamPlan,
    source: int,
) -> None:
    """Only its input is alive before a segment, and only its output behind it."""
    segment = planned[plan.first : plan.end]
    before = {root_of(alias, t) for t in inputs} | {root_of(alias, p.output) for p in planned[: plan.first]}
    later = {root_of(alias, t) for t in (*outputs, *(t for p in planned[plan.end :] for t in p.inputs))}
    where = _where(segment[-1])
    source = root_of(alias, source)
    waiting = sorted((before & later) | ({root_of(alias, p.output) for p in segment[:-1]} & later))
    if waiting:
        raise StreamError(f"{where}: {graph.tensors[waiting[0]].name!r} is read behind its segment as well")
    stray = before - {source} - {root_of(alias, t) for p in planned[: plan.first] for t in p.inputs}
    if stray:
        raise StreamError(f"{where}: an input of the network that nothing reads is alive beside its segment")


def _layer_rows(graph: Graph, p: PlannedStep, rows_per_call: int, position: Mapping[int, int]) -> LayerRows:
    """What decides when a layer is called."""
    reason = no_rows(graph, p.call.op, p.inputs, p.output)
    if reason:
        raise StreamError(f"{_where(p)} {reason}")
    height = graph.tensors[p.output].shape[1]
    tallest = max(graph.tensors[t].shape[1] for t in (*p.inputs, p.output))
    if tallest > _MOST_ROWS or not 1 <= rows_per_call <= height:
        raise StreamError(f"{_where(p)}: {rows_per_call} rows a call, of {height}")
    operands = tuple(position[t] for t in p.inputs)
    if p.call.op.kind not in WINDOWED:
        return LayerRows(operands, height, rows_per_call)
    size, stride, dilation = window_of(graph, p.call.op)
    return LayerRows(operands, height, rows_per_call, stride[0], (size[0] - 1) * dilation[0] + 1, p.call.padding[0])


def _streamed_layer(
    graph: Graph, p: PlannedStep, rows: LayerRows, index: int, executed: Trace, windows: Sequence[int]
) -> StreamedLayer:
    structures, last = _structures(p, rows, graph.tensors[p.inputs[0]].shape[1])
    step = Step(
        index=index,
        variant=p.variant.name,
        ops=p.ops,
        inputs=p.inputs,
        output=p.output,
        input_buffers=(),
        output_buffer=-1,
        name=p.call.op.name,
        macs=op_macs(graph, p.call.op),
        padding=p.call.padding,
    )
    return StreamedLayer(
        step=executed_by(step, p.variant, structures, [s.of(p.call) for s in structures]),
        structures=structures,
        last_structures=last,
        operands=rows.operands,
        rows_per_call=rows.rows_per_call,
        stride=rows.stride,
        extent=rows.extent,
        readers=executed.readers[index] or (index,),
        window_rows=executed.window_rows[index] if index < len(windows) else rows.rows,
        window_offset=windows[index - 1],
    )


def executed_by(
    step: Step, variant: KernelVariant, structures: Sequence[Structure], calls: Sequence[KernelCall]
) -> Step:
    """A streamed layer with this kernel, and what follows from it.

    Args:
        step: The layer.
        variant: Its kernel.
        structures: Of its calls.
        calls: One for each structure.
    """
    features: dict[str, float] = {}
    for call, structure in zip(calls, structures, strict=True):
        for name, trips in variant.features(call).items():
            features[name] = features.get(name, 0) + structure.calls * trips
    constants = variant.constant_bytes(calls[0]) + (len(calls) - 1) * variant.parameters.size_bytes
    return replace(
        step,
        variant=variant.name,
        scratch_bytes=max(variant.scratch_bytes(call) for call in calls),
        constant_bytes=constants + STREAMED_LAYER.size_bytes,
        features=features,
    )


def _structures(p: PlannedStep, rows: LayerRows, height: int) -> tuple[tuple[Structure, ...], int]:
    """The parameter structures of a layer's calls, in order, and how many are for single calls at the end."""
    _, _, left, right = p.call.padding
    calls = []  # rows of the input and of the output, and of padding above and below
    for written in range(0, rows.rows, rows.rows_per_call):
        output_rows = min(rows.rows_per_call, rows.rows - written)
        first = written * rows.stride - rows.padding
        end = first + (output_rows - 1) * rows.stride + rows.extent
        if first >= height or end <= 0:
            raise StreamError(f"{_where(p)}: some of its rows see nothing but padding")
        above, below = max(-first, 0), max(end - height, 0)
        calls.append((end - below - first - above, output_rows, above, below))
    middle = len(calls) // 2
    begin = end = middle
    while begin > 0 and calls[begin - 1] == calls[middle]:
        begin -= 1
    while end < len(calls) and calls[end] == calls[middle]:
        end += 1
    alike = [*((1, call) for call in calls[:begin]), (end - begin, calls[middle]), *((1, call) for call in calls[end:])]
    structures = tuple(
        Structure(count, input_rows, output_rows, (above, below, left, right))
        for count, (input_rows, output_rows, above, below) in alike
    )
    if len(structures) > _MOST_STRUCTURES:
        raise StreamError(f"{_where(p)}: too many of its rows see padding")
    return structures, len(calls) - end


def _lead_bytes(graph: Graph, source: int, last: PlannedStep, rows: LayerRows, executed: Trace) -> int:
    """By how many bytes the output must begin before the input so that it never meets a row that is still read."""
    into, out = row_bytes(graph, source), row_bytes(graph, last.output)
    ends = (min((call + 1) * rows.rows_per_call, rows.rows) for call in range(rows.calls))
    lead = max(end * out - first * into for end, first in zip(ends, executed.input_read, strict=True))
    return words(max(0, lead))
