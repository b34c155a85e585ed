"""Patches: the first layers of a network, computed band by band, so that none of their results ever exists as a whole.

MCUNetV2 (Lin et al. 2021, "MCUNetV2: Memory-Efficient Patch-based Inference for Tiny Deep Learning", section 3) runs
the memory-hungry first stage on spatial patches: only a patch of each intermediate result is alive, together with the
image and the stage's output. Patches overlap where windows reach beyond them, and what lies in the overlap (the halo)
is computed again for each.

Here a patch is a band of output rows over the whole width. A band is contiguous in NHWC, so the same kernels compute
it, with other heights and another padding at the top: nothing is copied, no new code is linked, weights are shared, and
halos exist in one dimension only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tinynas.errors import ModelError
from tinynas.graph import Graph, op_macs, sliding_window
from tinynas.kernels import KernelCall
from tinynas.lowering._rows import alone, no_rows, row_bytes
from tinynas.lowering._schedule import Band
from tinynas.lowering._storage import BandTensor, PlannedStep, root_of

Rows = tuple[int, int]


class PatchError(ModelError):
    """The first layers of this network cannot run in these patches."""


@dataclass(frozen=True)
class PatchPlan:
    """Compute the first `layers` kernel calls of a network in `patches` bands of rows of the last one's output."""

    layers: int
    patches: int


def split_into_patches(
    graph: Graph, planned: Sequence[PlannedStep], alias: Mapping[int, int], outputs: Sequence[int], plan: PatchPlan
) -> tuple[list[PlannedStep], dict[int, BandTensor]]:
    """The steps with the first `plan.layers` of them replaced by one step per patch and layer, and the bands.

    Raises:
        PatchError: See `_require_patchable`.
    """
    stage = [alone(p) for p in planned[: plan.layers]]
    _require_patchable(graph, stage, planned[plan.layers :], alias, outputs, plan)
    height = graph.tensors[stage[-1].output].shape[1]
    steps: list[PlannedStep] = []
    bands: dict[int, BandTensor] = {}
    owners: dict[tuple[object, ...], tuple[int, KernelCall]] = {}
    for patch in range(plan.patches):
        rows = (patch * height // plan.patches, (patch + 1) * height // plan.patches)
        needed = _needed_rows(graph, stage, rows)
        slot = {stage[-1].output: stage[-1].output}
        for p in stage[:-1]:
            first, end = needed[p.output]
            slot[p.output] = len(graph.tensors) + len(bands)
            bands[slot[p.output]] = BandTensor(p.output, (first, end), (end - first) * row_bytes(graph, p.output))
        for layer, p in enumerate(stage):
            out = needed[p.output]
            read, padding = _rows_read(graph, p, out)
            key = (layer, read[1] - read[0], out[1] - out[0], padding)
            if key not in owners:
                call = replace(p.call, padding=padding, input_rows=read[1] - read[0], output_rows=out[1] - out[0])
                owners[key] = (len(steps), call)
            owner, call = owners[key]
            band = Band(
                patch=patch,
                rows=out,
                input_rows=read,
                input_offsets=tuple(
                    (read[0] - (needed[t][0] if t in slot else 0)) * row_bytes(graph, t) for t in p.inputs
                ),
                output_offset=out[0] * row_bytes(graph, p.output) if p is stage[-1] else 0,
                weights_step=layer,
                parameters_step=owner,
            )
            slots = (*(slot.get(t, t) for t in p.inputs), slot[p.output])
            steps.append(replace(p, call=call, band=band, slots=slots))
    return [*steps, *planned[plan.layers :]], bands


def step_macs(planned: PlannedStep) -> int:
    """Multiply-accumulates of a step: of its rows only, computed again or not."""
    macs = op_macs(planned.call.graph, planned.call.op)
    if planned.band is None:
        return macs
    first, end = planned.band.rows
    return macs * (end - first) // planned.call.graph.tensors[planned.output].shape[1]


def _needed_rows(graph: Graph, stage: Sequence[PlannedStep], rows: Rows) -> dict[int, Rows]:
    """The rows of each tensor that a patch needs, from the last layer back to the first."""
    needed = {stage[-1].output: rows}
    for p in reversed(stage):
        (first, end), _ = _rows_read(graph, p, needed[p.output])
        for t in p.inputs:
            known = needed.get(t, (first, end))
            needed[t] = (min(first, known[0]), max(end, known[1]))
    return needed


def _rows_read(graph: Graph, p: PlannedStep, rows: Rows) -> tuple[Rows, tuple[int, int, int, int]]:
    """The input rows that some output rows depend on, and the padding that is left around them."""
    first, end = rows
    window = sliding_window(graph, p.call.op)
    if window is None:
        return rows, p.call.padding
    filter_size, stride, dilation = window.filter_size, window.stride, window.dilation
    top, _, left, right = p.call.padding
    begin = first * stride[0] - top
    stop = (end - 1) * stride[0] - top + (filter_size[0] - 1) * dilation[0] + 1
    height = graph.tensors[p.inputs[0]].shape[1]
    if begin >= height or stop <= 0:
        raise PatchError(f"{p.call.op.kind} {p.call.op.name!r}: a patch would see nothing but padding; use fewer")
    return (max(begin, 0), min(stop, height)), (max(-begin, 0), max(stop - height, 0), left, right)


def _require_patchable(
    graph: Graph,
    stage: Sequence[PlannedStep],
    rest: Sequence[PlannedStep],
    alias: Mapping[int, int],
    outputs: Sequence[int],
    plan: PatchPlan,
) -> None:
    if not 1 <= plan.layers == len(stage):
        raise PatchError(f"patches over {plan.layers} layers: the network has {len(stage) + len(rest)}")
    made = {p.output for p in stage}
    for p in stage:
        where = f"patches over {plan.layers} layers: {p.call.op.kind} {p.call.op.name!r}"
        reason = no_rows(graph, p.call.op, p.inputs, p.output)
        if reason:
            raise PatchError(f"{where} {reason}")
        if any(t not in made and root_of(alias, t) in made for t in p.inputs):
            raise PatchError(f"{where} reads a result through a RESHAPE")
    inner = made - {stage[-1].output}
    if inner & {root_of(alias, t) for t in (*outputs, *(t for p in rest for t in p.inputs))}:
        raise PatchError(f"patches over {plan.layers} layers: a result inside them is read after them")
    height = graph.tensors[stage[-1].output].shape[1]
    if not 1 <= plan.patches <= height:
        raise PatchError(f"{plan.patches} patches of {height} rows: choose 1 to {height}")
