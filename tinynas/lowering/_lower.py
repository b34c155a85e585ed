"""Lowering: fuse, choose a kernel per operator, and share storage where that is safe.

A search caches the costs of blocks, so a chain of blocks must lower to the concatenation of what its blocks lower to.
Every decision therefore looks at nothing beyond the block: the kernel of an operator depends on its own shapes and
attributes, and storage is shared by the rule in `_storage`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tinynas.graph import (
    DType,
    Graph,
    Op,
    OpKind,
    PadAttributes,
    short_name,
    sliding_window,
    without_dead_operators,
)
from tinynas.kernels import (
    MAX_DIMENSION,
    KernelCall,
    UnsupportedGraphError,
    padding_of,
    require_symmetric_weights,
    select_variant,
)
from tinynas.lowering._patches import PatchPlan, split_into_patches, step_macs
from tinynas.lowering._schedule import Schedule, Step
from tinynas.lowering._scratch import within_arena
from tinynas.lowering._storage import Activations, BandTensor, PlannedStep, assign_storage, root_of
from tinynas.lowering._stream_plan import StreamError, StreamPlan
from tinynas.lowering._streams import segment_constant_bytes, streamed
from tinynas.lowering._substitution import constant_bytes_of

if TYPE_CHECKING:
    from tinynas.lowering._lowering import Lowering


@dataclass(frozen=True)
class PlannedNetwork:
    """A network whose kernels are chosen, before parts of it run in patches or row by row and storage is assigned.

    Attributes:
        graph: What is lowered, without dead operators.
        steps: In order, as a whole.
        alias: Tensor -> the one whose storage it is (RESHAPE).
        inputs: The network's, of int8.
        outputs: The same.
    """

    graph: Graph
    steps: list[PlannedStep]
    alias: dict[int, int]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def plan_network(lowering: Lowering, graph: Graph) -> PlannedNetwork:
    """Choose the kernels of a network as a whole.

    Raises:
        UnsupportedGraphError: An operator that the engine cannot execute, by name.
    """
    graph = without_dead_operators(graph)
    inputs, outputs, edge = _int8_interface(graph)
    return PlannedNetwork(graph, *_plan_steps(graph, inputs, outputs, edge, lowering), inputs, outputs)


def lower_as(
    lowering: Lowering, graph: Graph, patches: PatchPlan | None, streams: Sequence[StreamPlan] = ()
) -> Schedule:
    """Lower an int8 graph, or an int8 skeleton without weights and quantization, to a schedule.

    A float QUANTIZE at the network's inputs and a DEQUANTIZE at its outputs are removed: the interface of the
    generated code is int8. RESHAPE becomes an alias, PAD is fused into the convolutions that read it. Operators whose
    results reach no output are left out: the schedule's graph is without them.

    Args:
        lowering: For which core, and what is given up.
        graph: The network.
        patches: Run the first layers patch by patch. A block lowered alone knows nothing of this, so costs by block
            hold for plain schedules only. `tinynas.memory.best_patch_plan` finds what pays.
        streams: Parts of the network to run row by row, in any order; behind the layers in patches.

    Raises:
        UnsupportedGraphError: An operator that the engine cannot execute, by name.
        PatchError: The first layers cannot run in these patches; the message says why.
        StreamError: The same of layers row by row.
    """
    network = plan_network(lowering, graph)
    graph, planned, alias = network.graph, network.steps, network.alias
    inputs, outputs = network.inputs, network.outputs
    if streams:
        if patches is not None:
            _require_behind(patches, streams)
        planned = streamed(graph, planned, alias, inputs, outputs, streams)
    bands: Mapping[int, BandTensor] = {}
    if patches is not None:
        planned, bands = split_into_patches(graph, planned, alias, outputs, patches)
    held = () if any(plan.pushed for plan in streams) else inputs
    activations = Activations(graph, alias, held, outputs, bands)
    if lowering.arena_bytes is not None:
        planned = within_arena(planned, activations, lowering.arena_bytes)
    slot_of, buffers = assign_storage(planned, activations)
    features = features_by_call(planned)
    streamed_layers = itertools.count(len(planned))
    steps = tuple(
        _step(p, i, slot_of, features[id(p.call)])
        if p.stream is None
        else _streamed_step(p, i, slot_of, streamed_layers)
        for i, p in enumerate(planned)
    )
    buffer_of = {t: buffer for t, buffer in slot_of.items() if t not in bands}
    return Schedule(graph, steps, buffers, inputs, outputs, buffer_of, lowering.instruction_set)


def _require_behind(patches: PatchPlan, streams: Sequence[StreamPlan]) -> None:
    """Patches are computed one after the other: none of their layers is part of a segment."""
    first = min(plan.first for plan in streams)
    if first < patches.layers:
        raise StreamError(
            f"layer {first} is to run row by row, and in patches, as the first {patches.layers} layers do"
        )


def features_by_call(planned: Iterable[PlannedStep]) -> dict[int, Mapping[str, float]]:
    """Loop counts of each call, by its `id`: patches of one shape share one call, and they are counted once."""
    by_call = {id(p.call): p for p in planned if p.stream is None}
    return {call: p.variant.features(p.call) for call, p in by_call.items()}


def _step(p: PlannedStep, index: int, slot_of: Mapping[int, int], features: Mapping[str, float]) -> Step:
    name = p.call.op.name
    return Step(
        index=index,
        variant=p.variant.name,
        ops=p.ops,
        inputs=p.inputs,
        output=p.output,
        input_buffers=tuple(slot_of[t] for t in p.input_slots),
        output_buffer=slot_of[p.output_slot],
        name=name if p.band is None else f"{name} rows {p.band.rows[0]} to {p.band.rows[1] - 1}",
        macs=step_macs(p),
        padding=p.call.padding,
        scratch_bytes=p.scratch_bytes,
        constant_bytes=constant_bytes_of(p.variant, p.call, p.band, index),
        features=features,
        band=p.band,
        shrinks=p.variant.shrinks(p.call),
    )


def _streamed_step(p: PlannedStep, index: int, slot_of: Mapping[int, int], places: Iterator[int]) -> Step:
    assert p.stream is not None
    layers = tuple(
        replace(layer, step=replace(layer.step, index=place))
        for layer, place in zip(p.stream.stream.layers, places, strict=False)
    )
    stream = replace(p.stream.stream, layers=layers)
    first, last = (short_name(layer.step.name) for layer in (layers[0], layers[-1]))
    return Step(
        index=index,
        variant=p.variant.name,
        ops=p.ops,
        inputs=p.inputs,
        output=p.output,
        input_buffers=tuple(slot_of[t] for t in p.input_slots),
        output_buffer=slot_of[p.output],
        name=f"{first} to {last}, row by row" if len(layers) > 1 else f"{first}, row by row",
        macs=sum(layer.step.macs for layer in layers),
        scratch_bytes=p.scratch_bytes,
        constant_bytes=segment_constant_bytes(stream),
        features=p.stream.features,
        stream=stream,
    )


def _int8_interface(graph: Graph) -> tuple[tuple[int, ...], tuple[int, ...], frozenset[int]]:
    """Interface tensors with the float edges cut off, and the QUANTIZE and DEQUANTIZE operators at those edges."""
    edge: set[int] = set()
    inputs: list[int] = []
    for t in graph.inputs:
        if graph.tensors[t].dtype is DType.INT8:
            inputs.append(t)
            continue
        readers = graph.consumers.get(t, ())
        if len(readers) != 1 or graph.ops[readers[0]].kind is not OpKind.QUANTIZE:
            raise UnsupportedGraphError(
                f"input {graph.tensors[t].name!r} is {graph.tensors[t].dtype.value} and not read by one QUANTIZE: "
                "the engine runs int8 graphs; quantize the model first"
            )
        edge.add(readers[0])
        inputs.append(graph.ops[readers[0]].outputs[0])
    outputs: list[int] = []
    for t in graph.outputs:
        if graph.tensors[t].dtype is DType.INT8:
            outputs.append(t)
            continue
        producer = graph.producers.get(t, -1)
        if producer < 0 or graph.ops[producer].kind is not OpKind.DEQUANTIZE or graph.consumers.get(t):
            raise UnsupportedGraphError(
                f"output {graph.tensors[t].name!r} is {graph.tensors[t].dtype.value} and not written by a DEQUANTIZE: "
                "the engine runs int8 graphs; quantize the model first"
            )
        edge.add(producer)
        outputs.append(graph.ops[producer].inputs[0])
    return tuple(inputs), tuple(outputs), frozenset(edge)


def _plan_steps(
    graph: Graph,
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    edge: frozenset[int],
    lowering: Lowering,
) -> tuple[list[PlannedStep], dict[int, int]]:
    """One step per operator that needs a kernel, and the tensors whose storage is another tensor's (RESHAPE)."""
    alias: dict[int, int] = {}
    fused: dict[int, int] = {}  # output of a fused PAD -> index of the PAD
    calls: list[_Call] = []
    for index, op in enumerate(graph.ops):
        if index in edge:
            continue
        _require_int8(graph, op)
        if op.kind is OpKind.RESHAPE and not graph.tensors[op.inputs[0]].constant:
            alias[op.outputs[0]] = op.inputs[0]
        elif op.kind is OpKind.PAD and _fusable(graph, op, outputs):
            fused[op.outputs[0]] = index
        else:
            calls.append(_call(graph, index, op, fused.get(op.inputs[0], -1), lowering))
    return _choose_variants(calls, alias, inputs, outputs, lowering), alias


@dataclass(frozen=True)
class _Call:
    """A kernel call whose variant is not chosen yet."""

    call: KernelCall
    ops: tuple[int, ...]
    inputs: tuple[int, ...]


def _choose_variants(
    calls: list[_Call],
    alias: dict[int, int],
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    lowering: Lowering,
) -> list[PlannedStep]:
    """The first variant that applies to each call, given what is alive and what dies there."""
    last_read = {root_of(alias, t): i for i, c in enumerate(calls) for t in c.inputs}
    last_read |= {root_of(alias, t): len(calls) for t in outputs}
    alive = {root_of(alias, t) for t in inputs}
    planned = []
    for i, c in enumerate(calls):
        alive = {t for t in alive if last_read.get(t, -1) >= i}
        in_place = lowering.in_place and c.ops[-1] not in lowering.apart
        dies = in_place and bool(c.inputs) and last_read[root_of(alias, c.inputs[0])] == i
        call = replace(c.call, input_dies=dies, input_alone=dies and len(alive) == 1)
        alive.add(root_of(alias, call.op.outputs[0]))
        planned.append(
            PlannedStep(select_variant(call), call, c.ops, c.inputs, call.op.outputs[0], may_overwrite=in_place)
        )
    return planned


def _call(graph: Graph, index: int, op: Op, pad: int, lowering: Lowering) -> _Call:
    padding = padding_of(graph, op)
    source = op.inputs[0]
    if pad >= 0:
        attributes = graph.ops[pad].attributes
        assert isinstance(attributes, PadAttributes)
        _, vertical, horizontal, _ = attributes.paddings
        top, bottom, left, right = padding
        padding = (top + vertical[0], bottom + vertical[1], left + horizontal[0], right + horizontal[1])
        source = graph.ops[pad].inputs[0]
    call = KernelCall(graph, op, padding, source, instruction_set=lowering.instruction_set, unlinked=lowering.unlinked)
    _require_supported_shapes(call)
    if op.weights is not None:
        require_symmetric_weights(call)
    activations = tuple(i for i in op.inputs if i >= 0 and not graph.tensors[i].constant)
    inputs = (source, *activations[1:]) if pad >= 0 else activations
    return _Call(call, (pad, index) if pad >= 0 else (index,), inputs)


def _require_int8(graph: Graph, op: Op) -> None:
    if op.spec.rewritten is not None:
        raise UnsupportedGraphError(
            f"{op.kind} {op.name!r}: only files have it; lower what `tinynas.graph.simplified` makes of the graph"
        )
    if len(op.outputs) > 1:
        raise UnsupportedGraphError(
            f"{op.kind} {op.name!r} has {len(op.outputs)} outputs: kernels of the engine write one"
        )
    for t in (*op.inputs, *op.outputs):
        if t >= 0 and not graph.tensors[t].constant and graph.tensors[t].dtype is not DType.INT8:
            raise UnsupportedGraphError(
                f"{op.kind} {op.name!r}: {graph.tensors[t].name!r} is {graph.tensors[t].dtype.value} inside the "
                "network; the engine runs int8 graphs: quantize the model first"
            )


def _require_supported_shapes(call: KernelCall) -> None:
    op = call.op
    where = f"{op.kind} {op.name!r}"
    if _reads_constants_only(call):
        remedy = "`tinynas.graph.simplified` computes it in advance, unless it is too large for any microcontroller"
        if not op.spec.folds_to(call.output.dtype):
            remedy = "nothing computes it in advance; put the constant that it gives in its place"
        raise UnsupportedGraphError(f"{where}: all of its inputs are constant: {remedy}")
    if op.spec.single_image and call.input.shape[0] != 1:
        raise UnsupportedGraphError(f"{where}: the engine runs one image at a time, got {list(call.input.shape)}")
    window = sliding_window(call.graph, op)
    sizes = () if window is None else (*window.filter_size, *window.stride, *window.dilation)
    if max((*call.input.shape, *call.output.shape, *call.padding, *sizes)) > MAX_DIMENSION:
        raise UnsupportedGraphError(f"{where}: dimensions above {MAX_DIMENSION}, got {list(call.input.shape)}")


def _reads_constants_only(call: KernelCall) -> bool:
    """Whether a call reads nothing but constants."""
    return all(i < 0 or call.graph.tensors[i].constant for i in call.op.inputs)


def _fusable(graph: Graph, op: Op, outputs: tuple[int, ...]) -> bool:
    """PAD with the zero point equals a convolution's own padding. Pooling ignores padding, so it keeps its PAD."""
    attributes = op.attributes
    assert isinstance(attributes, PadAttributes)
    paddings = attributes.paddings
    readers = graph.consumers.get(op.outputs[0], ())
    return (
        len(paddings) == 4
        and paddings[0] == paddings[3] == (0, 0)
        and op.outputs[0] not in outputs
        and bool(readers)
        and all(graph.ops[i].spec.is_convolution for i in readers)
    )
