"""The layers of streamed segments: which kernel, how many rows a call, and the parameter structures of their calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

from tinynas.graph import Graph, OpKind, op_macs, sliding_window
from tinynas.kernels import (
    KernelCall,
    KernelVariant,
    PartialSums,
    for_few_rows,
    select_variant,
)
from tinynas.kernels.streaming import STREAMED_LAYER
from tinynas.lowering._rows import alone, no_streamed_rows, paddings_of
from tinynas.lowering._schedule import Step, StreamedLayer, Structure
from tinynas.lowering._storage import PlannedStep
from tinynas.lowering._stream_plan import StreamError, where
from tinynas.lowering._sums import summed_image, summing
from tinynas.lowering._trace import LayerRows, Trace

_MOST_ROWS = 0xFFFE  # 16 bits, of which one value stands for "never"
FEW_ROWS = 3
"""Rows that a call may write for kernels for few rows to be preferred: a depthwise convolution with a channel buffer
gathers two more rows of each window again, which takes as long from four rows on as what the other one does longer."""
_MOST_STRUCTURES = 0xFF


def layer_by_rows(planned: PlannedStep, rows_per_call: int, alias: Mapping[int, int]) -> PlannedStep:
    """The step as a layer that writes so many rows in a call: with a kernel for few rows where that is preferred.

    Who can add rows to sums does: such a layer ends its segment.
    """
    layer = layer_of_any_rows(planned, alias)
    return with_few_rows(layer) if rows_per_call <= FEW_ROWS else layer


def layer_of_any_rows(planned: PlannedStep, alias: Mapping[int, int]) -> PlannedStep:
    """A step as a layer of a segment, with a kernel that suits any number of rows a call."""
    planned = _padded(alone(planned))
    image = summed_image(planned.call, planned.inputs, alias)
    if image is None:
        return planned
    rows = planned.call.graph.tensors[image].shape[1]
    call = summing(planned.call, image, rows, PartialSums(begins=True, ends=True))
    return replace(planned, variant=select_variant(call), call=call, inputs=(image,))


def with_few_rows(layer: PlannedStep) -> PlannedStep:
    """A layer with a kernel for few rows, if there is one."""
    variant = for_few_rows(layer.call) if layer.call.sums is None else None
    return layer if variant is None else replace(layer, variant=variant)


def _padded(planned: PlannedStep) -> PlannedStep:
    """The step; that of a PAD with what it puts around an image as its padding."""
    op = planned.call.op
    if op.kind is not OpKind.PAD or no_streamed_rows(planned.call.graph, op, planned.inputs, planned.output):
        return planned
    _, vertical, horizontal, _ = paddings_of(op)
    return replace(planned, call=replace(planned.call, padding=(*vertical, *horizontal)))


def layer_rows(graph: Graph, p: PlannedStep, rows_per_call: int, position: Mapping[int, int]) -> LayerRows:
    """What decides when a layer is called."""
    if p.call.sums is not None:
        return LayerRows((position[p.inputs[0]],), _height(graph, p, p.inputs[0], rows_per_call), rows_per_call)
    reason = no_streamed_rows(graph, p.call.op, p.inputs, p.output)
    if reason:
        raise StreamError(f"{where(p)} {reason}")
    height = _height(graph, p, p.output, rows_per_call)
    operands = tuple(position[t] for t in p.inputs)
    window = sliding_window(graph, p.call.op)
    if window is None:
        return LayerRows(operands, height, rows_per_call, padding=p.call.padding[0])
    extent = (window.filter_size[0] - 1) * window.dilation[0] + 1
    return LayerRows(operands, height, rows_per_call, window.stride[0], extent, p.call.padding[0])


def _height(graph: Graph, p: PlannedStep, t: int, rows_per_call: int) -> int:
    """Rows of the image that a layer writes, or adds to sums: so many in a call."""
    height = graph.tensors[t].shape[1]
    tallest = max(height, *(graph.tensors[of].shape[1] for of in p.inputs))
    if tallest > _MOST_ROWS or not 1 <= rows_per_call <= height:
        raise StreamError(f"{where(p)}: {rows_per_call} rows a call, of {height}")
    return height


def streamed_layer(
    graph: Graph, p: PlannedStep, rows: LayerRows, index: int, executed: Trace, windows: Sequence[int]
) -> StreamedLayer:
    structures, last = structures_of(p, rows, graph.tensors[p.inputs[0]].shape[1])
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
        readers=executed.readers[index] or (0, index),
        window_rows=executed.window_rows[index] if index < len(windows) else rows.rows,
        window_offset=windows[index - 1],
    )


def executed_by(
    step: Step, variant: KernelVariant, structures: Sequence[Structure], calls: Sequence[KernelCall], reason: str = ""
) -> Step:
    """A streamed layer with this kernel, and what follows from it.

    Args:
        step: The layer.
        variant: Its kernel.
        structures: Of its calls.
        calls: One for each structure.
        reason: Why it has this kernel, in one line.
    """
    constants = variant.constant_bytes(calls[0]) + (len(calls) - 1) * variant.parameters.size_bytes
    return replace(
        step,
        variant=variant.name,
        scratch_bytes=max(variant.scratch_bytes(call) for call in calls),
        constant_bytes=constants + STREAMED_LAYER.size_bytes,
        features=summed_loops(structures, map(variant.features, calls)),
        reason=reason,
    )


def summed_loops(structures: Sequence[Structure], features: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Loop counts of all calls of a streamed layer together, given those of a call of each structure."""
    total: dict[str, float] = {}
    for structure, of in zip(structures, features, strict=True):
        calls = structure.calls
        for name, count in of.items():
            total[name] = total.get(name, 0) + calls * count
    return total


def added_loops(loops: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    """Loop counts of what has these and those."""
    total = dict(loops)
    for name, count in more.items():
        total[name] = total.get(name, 0) + count
    return total


def structures_of(p: PlannedStep, rows: LayerRows, height: int) -> tuple[tuple[Structure, ...], int]:
    """The parameter structures of a layer's calls, in order, and how many are for single calls at the end.

    Args:
        p: The layer.
        rows: When it is called.
        height: Rows of its operands.

    Raises:
        StreamError: Some of its calls are not possible; the message says why.
    """
    structures, last = _structures(rows.of_any_operands, height, p.call.padding[2:], p.call.sums is not None)
    # Rows of padding lie at both ends: who sees no other ones is among the first calls, or the last.
    if p.call.op.kind is not OpKind.PAD and 0 in (structures[0].input_rows, structures[-1].input_rows):
        raise StreamError(f"{where(p)}: some of its rows see nothing but padding")
    if len(structures) > _MOST_STRUCTURES:
        raise StreamError(f"{where(p)}: too many of its rows see padding")
    return structures, last


@lru_cache(maxsize=65536)
def _structures(
    rows: LayerRows, height: int, sides: tuple[int, int], summing: bool
) -> tuple[tuple[Structure, ...], int]:
    """The same of any layer with such rows, and padding at the sides of its operands, that may add rows to sums."""
    call = partial(_summing_call if summing else _writing_call, rows, height)
    alike = _alike(rows, call, range(0) if summing else _without_padding(rows, height))
    calls = [
        *((1, call(index)) for index in range(alike.start)),
        (len(alike), call(alike.start)),
        *((1, call(index)) for index in range(alike.stop, rows.calls)),
    ]
    structures = tuple(
        Structure(count, of.input_rows, of.output_rows, (of.above, of.below, *sides), of.sums) for count, of in calls
    )
    return structures, rows.calls - alike.stop


class _Call(NamedTuple):
    """A call of a layer: rows that it reads and writes, and rows of padding that it sees above and below."""

    input_rows: int
    output_rows: int | None
    above: int = 0
    below: int = 0
    sums: PartialSums | None = None


def _alike(rows: LayerRows, call: Callable[[int], _Call], known: range) -> range:
    """The calls around the one in the middle that are like it.

    Args:
        rows: When the layer is called.
        call: A call, by its index.
        known: Calls that are alike, and unlike those on both sides.
    """
    middle = rows.calls // 2
    if middle in known:
        return known
    begin, end = middle, middle + 1
    while begin > 0 and call(begin - 1) == call(middle):
        begin -= 1
    while end < rows.calls and call(end) == call(middle):
        end += 1
    return range(begin, end)


def _without_padding(rows: LayerRows, height: int) -> range:
    """The calls of a layer that see no rows of padding and write as many rows as others."""
    step = rows.rows_per_call * rows.stride
    seen = (rows.rows_per_call - 1) * rows.stride + rows.extent
    inside = (height + rows.padding - seen) // step + 1
    return range(-(-rows.padding // step), min(rows.rows // rows.rows_per_call, inside))


def _summing_call(rows: LayerRows, height: int, index: int) -> _Call:
    """A call of a layer that adds rows to sums, by its index."""
    first = index * rows.rows_per_call
    sums = PartialSums(begins=index == 0, ends=index == rows.calls - 1)
    return _Call(min(rows.rows_per_call, rows.rows - first), None, sums=sums)


def _writing_call(rows: LayerRows, height: int, index: int) -> _Call:
    """A call of a layer that writes rows, by its index."""
    written = index * rows.rows_per_call
    output_rows = min(rows.rows_per_call, rows.rows - written)
    first = written * rows.stride - rows.padding
    end = first + (output_rows - 1) * rows.stride + rows.extent
    above = min(max(-first, 0), end - first)
    below = min(max(end - height, 0), end - first)
    return _Call(end - first - above - below, output_rows, above, below)
