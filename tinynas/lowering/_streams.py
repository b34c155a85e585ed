"""Streamed segments: layers that hand each other rows, so that none of their results ever exists as a whole.

A layer of a segment writes a few rows in each of its calls, into a window that holds what is still read: the rows that
a convolution sees, and those that a residual sum waits for. Nothing is computed twice. A layer is called when its
operands are there and a reader waits for its rows, the last one that can be first: windows stay short.

A segment reads its input from the top down, and so its output may grow into the rows of its input that nothing reads
any more: msf-CNN and MCUNetV2 do not do that; within one layer vMCU does (Zheng et al. 2024, "vMCU: Coordinated Memory
Management and Kernel Optimization for DNN Inference on MCUs"). By how many bytes the output may begin before the input
follows from the order of the calls (`Trace`), row by row.

The first segment may be given the network's input row by row: it has a window like any other then, and is never there
as a whole. For the order of the calls its rows are what a layer before all others writes, one in each call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tinynas.graph import Graph
from tinynas.kernels import POINTER, words
from tinynas.kernels.streaming import STREAM, STREAM_ROWS, STREAMED_LAYER, STREAMED_STATE
from tinynas.lowering._rows import row_bytes
from tinynas.lowering._schedule import Stream
from tinynas.lowering._storage import PlannedStep, StreamedSteps, root_of
from tinynas.lowering._stream_layers import layer_by_rows, layer_rows, streamed_layer
from tinynas.lowering._stream_loops import pushed_loops, segment_loops
from tinynas.lowering._stream_plan import StreamError, StreamPlan, where
from tinynas.lowering._sums import summed_image
from tinynas.lowering._trace import LayerRows, Trace, trace

MOST_LAYERS = 0xFF
"""Layers of one segment: their positions are bytes."""
MOST_READERS = 2
"""Layers that read the rows of one window."""


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
        source = _segment_source(graph, planned, alias, inputs, outputs, plan)
        of = zip(planned[plan.first : plan.end], plan.rows, strict=True)
        layers = [layer_by_rows(p, rows_per_call, alias) for p, rows_per_call in of]
        result.append(_segment_step(graph, layers, inputs, plan, source))
        done = plan.end
    return [*result, *planned[done:]]


def _segment_source(
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
    source = only_input(planned[plan.first : plan.end], alias)
    _require_cuts(graph, planned, alias, inputs, outputs, plan, source)
    return source


def _segment_step(
    graph: Graph, segment: Sequence[PlannedStep], inputs: Sequence[int], plan: StreamPlan, source: int
) -> PlannedStep:
    """A segment of some layers (`layer_by_rows`), as one step; see `_segment_source`.

    Raises:
        StreamError: It cannot run row by row; the message says why.
    """
    require_layers(segment)
    if plan.pushed and (plan.first > 0 or tuple(inputs) != (source,)):
        raise StreamError(f"{where(segment[0])} does not read the only input of the network, which is to come by rows")
    position = {source: 0} | {p.output: index for index, p in enumerate(segment, 1)}
    rows = [layer_rows(graph, p, count, position) for p, count in zip(segment, plan.rows, strict=True)]
    executed = segment_trace(segment, rows, graph.tensors[source].shape[1])
    if plan.pushed and len(executed.readers[0]) > MOST_READERS:
        raise StreamError(f"{where(segment[0])}: more than {MOST_READERS} layers read its rows")
    windows, end = [], words(executed.window_rows[0] * row_bytes(graph, source)) if plan.pushed else 0
    for p, held in zip(segment[:-1], executed.window_rows[1:-1], strict=True):
        windows.append(end)
        end += words(held * row_bytes(graph, p.output))
    layers = tuple(
        streamed_layer(graph, p, layer, index, executed, [*windows, 0])
        for index, (p, layer) in enumerate(zip(segment, rows, strict=True), 1)
    )
    if segment[-1].call.sums is not None:
        layers = (*layers[:-1], replace(layers[-1], sums_offset=end))
        end += words(layers[-1].step.scratch_bytes)
    scratch = end + STREAMED_STATE.size_bytes * (len(segment) + 1)
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


def require_layers(segment: Sequence[PlannedStep]) -> None:
    """Refuse layers (`layer_by_rows`) that are no segment, whatever their rows.

    Raises:
        StreamError: The message says why.
    """
    if len(segment) > MOST_LAYERS:
        raise StreamError(f"{where(segment[-1])}: {len(segment)} layers in one segment; at most {MOST_LAYERS}")
    inner = [p for p in segment[:-1] if p.call.sums is not None]
    if inner:
        raise StreamError(f"{where(inner[0])} adds all rows to sums, which ends a segment")


def segment_trace(segment: Sequence[PlannedStep], rows: Sequence[LayerRows], height: int) -> Trace:
    """Execute a segment of some layers (`layer_by_rows`), whose input has so many rows.

    Raises:
        StreamError: It cannot run row by row; the message says why.
    """
    executed = trace(tuple(rows), height, 1)
    if executed is None:
        raise StreamError(f"{where(segment[-1])}: its segment comes to no end")
    for p, readers in zip(segment, executed.readers[1:], strict=True):
        if len(readers) > MOST_READERS:
            raise StreamError(f"{where(p)}: more than {MOST_READERS} layers read its rows")
    return executed


def segment_scratch_bytes(stream: Stream) -> int:
    """SRAM of a segment beside its input and output: windows, sums, states, and the scratch of a kernel at a time."""
    shared = (words(layer.step.scratch_bytes) for layer in stream.layers if layer.sums_offset is None)
    return stream.scratch_offset + max(shared, default=0)


def segment_constant_bytes(stream: Stream) -> int:
    """Flash of a segment: what its layers take, the entry for its input, and where all of that is."""
    layers = sum(layer.step.constant_bytes for layer in stream.layers)
    variant = STREAM if stream.input_window_rows is None else STREAM_ROWS
    return layers + STREAMED_LAYER.size_bytes + variant.parameters.size_bytes + POINTER


def only_input(segment: Sequence[PlannedStep], alias: Mapping[int, int]) -> int:
    """The tensor that a segment reads from outside."""
    made = {p.output for p in segment}
    read = [t for p in segment for t in _read(p, alias)]
    if any(root_of(alias, t) in made for t in read if t in alias):
        raise StreamError(f"{where(segment[-1])}: its segment reads a result of its own through a RESHAPE")
    found = list(dict.fromkeys(t for t in read if t not in made))
    if len(found) != 1:
        raise StreamError(f"{where(segment[-1])}: its segment reads {len(found)} tensors from outside; it may read one")
    return found[0]


def _read(p: PlannedStep, alias: Mapping[int, int]) -> tuple[int, ...]:
    """The activations that a layer reads row by row."""
    image = summed_image(p.call, p.inputs, alias)
    return p.inputs if image is None else (image,)


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
    about = where(segment[-1])
    source = root_of(alias, source)
    waiting = sorted((before & later) | ({root_of(alias, p.output) for p in segment[:-1]} & later))
    if waiting:
        raise StreamError(f"{about}: {graph.tensors[waiting[0]].name!r} is read behind its segment as well")
    stray = before - {source} - {root_of(alias, t) for p in planned[: plan.first] for t in p.inputs}
    if stray:
        raise StreamError(f"{about}: an input of the network that nothing reads is alive beside its segment")


def _lead_bytes(graph: Graph, source: int, last: PlannedStep, rows: LayerRows, executed: Trace) -> int:
    """By how many bytes the output must begin before the input so that it never meets a row that is still read."""
    into = row_bytes(graph, source)
    if last.call.sums is None:
        out = row_bytes(graph, last.output)
        written = [min((call + 1) * rows.rows_per_call, rows.rows) * out for call in range(rows.calls)]
    else:
        written = [*(0 for _ in range(rows.calls - 1)), graph.tensors[last.output].size_bytes]
    lead = max(end - first * into for end, first in zip(written, executed.input_read, strict=True))
    return words(max(0, lead))
