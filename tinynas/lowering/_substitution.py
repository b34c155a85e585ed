"""Kernel substitution: other kernels for steps of a finished schedule, everything else as it is.

The local rule of `_lower` looks at a call alone. Who sees the whole network and the board may choose otherwise, as long
as every tensor stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from tinynas.errors import UsageError
from tinynas.graph import Graph, without_dead_operators
from tinynas.kernels import CATALOGUE, KernelCall, KernelVariant
from tinynas.lowering._addresses import address_bytes
from tinynas.lowering._schedule import Band, Schedule, Step
from tinynas.lowering._stream_layers import executed_by
from tinynas.lowering._streams import segment_constant_bytes, segment_scratch_bytes


class VariantError(UsageError):
    """A step of this schedule cannot be executed by the kernel that is asked for."""


def layers(schedule: Schedule) -> tuple[tuple[int, ...], ...]:
    """The parts that need the same kernel: the steps of a layer in patches, which share its weights; else one each."""
    found: dict[int, list[int]] = {}
    for step in (part for s in schedule.steps for part in (s.layers or (s,))):
        found.setdefault(step.index if step.band is None else step.band.weights_step, []).append(step.index)
    return tuple(map(tuple, found.values()))


def substitutes(schedule: Schedule, layer: Sequence[int], *, suited: bool = True) -> tuple[KernelVariant, ...]:
    """The kernels that can execute a layer with every tensor where it is: first the one that does, then the others.

    Args:
        schedule: The network.
        layer: Indices of the parts of one entry of `layers`.
        suited: Only those that suit the layer's weights and scales, where the graph has them.
    """
    places = [_Place.of(schedule, schedule.parts[index]) for index in layer]
    present = CATALOGUE[places[0].step.variant]
    kind = places[0].call.op.kind
    others = (v for v in CATALOGUE.values() if v is not present and kind in v.kinds)
    return (present, *(v for v in others if all(place.takes(v, suited) for place in places)))


def with_variants(
    schedule: Schedule, variants: Mapping[int, str], reasons: Mapping[int, str] = MappingProxyType({})
) -> Schedule:
    """The same schedule with other kernels: scratch, constants and loop counts follow.

    Args:
        schedule: The network.
        variants: Index of a step or streamed layer -> the name of its kernel. Those that are not named keep theirs.
        reasons: The same -> why it has the kernel that it has, in one line.

    Raises:
        VariantError: A kernel is unknown or cannot take a step over, there is no such step, or steps that share weights
            would not agree.
    """
    steps = list(schedule.parts)
    absent = sorted((variants.keys() | reasons.keys()) - set(range(len(steps))))
    if absent:
        raise VariantError(f"there is no step {absent[0]}: the schedule has {len(steps)} steps")
    for layer in layers(schedule):
        names = {variants.get(index, steps[index].variant) for index in layer}
        if len(names) > 1:
            raise VariantError(
                f"steps {', '.join(map(str, layer))} share their weights and cannot run {' and '.join(sorted(names))}"
            )
        (name,) = names
        if name == steps[layer[0]].variant:
            continue
        if name not in {variant.name for variant in substitutes(schedule, layer)}:
            raise VariantError(
                f"{steps[layer[0]].name!r}: kernel {name} cannot take the place of {steps[layer[0]].variant}"
            )
        for index in layer:
            steps[index] = _executed(schedule, steps[index], CATALOGUE[name])
    for index, reason in reasons.items():
        steps[index] = replace(steps[index], reason=reason)
    return replace(schedule, steps=tuple(_with_layers(step, steps) for step in steps[: len(schedule.steps)]))


def _with_layers(step: Step, parts: Sequence[Step]) -> Step:
    """The step with its layers as they are among all parts, if it is a segment."""
    if step.stream is None:
        return step
    layers = tuple(replace(layer, step=parts[layer.step.index]) for layer in step.stream.layers)
    stream = replace(step.stream, layers=layers)
    return replace(
        step,
        stream=stream,
        scratch_bytes=segment_scratch_bytes(stream),
        constant_bytes=segment_constant_bytes(stream),
    )


def with_constants(schedule: Schedule, graph: Graph) -> Schedule:
    """The schedule of a skeleton for `graph`, which is the skeleton with constants and scales: kernels stay.

    Loop counts and the bytes of tables follow weights and scales: a layer may need the general requantization.
    """
    filled = replace(schedule, graph=without_dead_operators(graph))
    parts = [
        part if part.stream is not None else _executed(filled, part, CATALOGUE[part.variant], part.reason)
        for part in schedule.parts
    ]
    return replace(filled, steps=tuple(_with_layers(step, parts) for step in parts[: len(schedule.steps)]))


def constant_bytes_of(variant: KernelVariant, call: KernelCall, band: Band | None, index: int) -> int:
    """Flash of step `index`: patches share weights and tables, and those of one shape their structure.

    Every step has its own addresses.
    """
    addresses = address_bytes(variant, call)
    if band is None or band.weights_step == index:
        return addresses + variant.constant_bytes(call)
    return addresses + (variant.parameters.size_bytes if band.parameters_step == index else 0)


class _Place(NamedTuple):
    """A step or streamed layer whose kernel may be another one.

    Attributes:
        step: The step.
        call: Its kernel call; of a streamed layer that of all rows.
        whole: The call of the operator as a whole, of which patches share what is packed.
        by_rows: Of a streamed layer, its different calls.
    """

    step: Step
    call: KernelCall
    whole: KernelCall
    by_rows: tuple[KernelCall, ...]

    @classmethod
    def of(cls, schedule: Schedule, step: Step) -> _Place:
        # Who shrinks is alone alive (`KernelCall.input_alone`); who does not, never needs to know.
        call = replace(schedule.call(step), input_dies=step.shrinks, input_alone=step.shrinks)
        whole = call if step.band is None else replace(call, input_rows=None, output_rows=None)
        return cls(step, call, whole, schedule.calls(step.index) if step.index >= len(schedule.steps) else ())

    def takes(self, variant: KernelVariant, suited: bool) -> bool:
        """Whether a kernel executes it, its storage included, and in patches also the operator as a whole."""
        if self.step.output_buffer in self.step.input_buffers and not variant.in_place:
            return False
        if self.step.shrinks and not variant.shrinks(self.call):
            return False
        return (
            variant.executes(self.call)
            and all(map(variant.executes, self.by_rows))
            and (self.step.band is None or variant.executes(self.whole))
            and (not suited or _suits(variant, self.whole))
        )


def suits(schedule: Schedule) -> bool:
    """Whether all kernels can execute their steps with the weights and scales that the graph has.

    A schedule that `lower` and `with_variants` made of a skeleton, and that got its constants later, may not.
    """
    return all(_suits(CATALOGUE[part.variant], schedule.call(part)) for part in schedule.parts if part.stream is None)


def _suits(variant: KernelVariant, call: KernelCall) -> bool:
    return variant.suits is None or not call.has_constants or variant.suits(call)


def _executed(schedule: Schedule, step: Step, variant: KernelVariant, reason: str = "") -> Step:
    """The step, or the streamed layer, with this kernel, and what follows from it."""
    if step.index >= len(schedule.steps):
        structures = schedule.streamed_layer(step.index).structures
        return executed_by(step, variant, structures, schedule.calls(step.index), reason)
    call = schedule.call(step)
    return replace(
        step,
        variant=variant.name,
        scratch_bytes=variant.scratch_bytes(call),
        constant_bytes=constant_bytes_of(variant, call, step.band, step.index),
        features=variant.features(call),
        reason=reason,
    )
