"""A layer ready to be generated: its network, how it is lowered, where its tensors lie."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinynas.graph import Graph, GraphError, OpKind
from tinynas.kernels import InstructionSet, UnsupportedGraphError
from tinynas.lowering import Buffer, Schedule, Step, layers, lower, substitutes, with_variants
from tinynas.memory import MemoryPlan
from tinynas.testing.layers._extremes import ExtremeFiller
from tinynas.testing.layers._skeletons import LAYER_KINDS, draw_kind, layer_skeleton
from tinynas.testing.layers._units import guarded_arena, guarded_buffers

_ATTEMPTS = 100


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: "kind seed/index": draws the same layer again.
        schedule: its lowering, with the kernel variant.
        plan: an arena with guard bytes in it.
    """

    name: str
    schedule: Schedule
    plan: MemoryPlan

    @property
    def visible(self) -> tuple[int, ...]:
        """The tensors that can be compared after the last step: results that no later step writes over."""
        found = list(self.schedule.outputs)
        written: list[tuple[int, int]] = []
        for step in reversed(self.schedule.steps):
            (first, end), *others = writable(self.schedule, self.plan, step)
            if step.band is None and all(end <= a or b <= first for a, b in written):
                found.append(step.output)
            written += [(first, end), *others]
        return tuple(dict.fromkeys(found))

    @property
    def variant(self) -> str:
        """The kernel variant, or what lowering does without one."""
        return self.schedule.steps[0].variant if self.schedule.steps else "no kernel"

    @property
    def description(self) -> str:
        """Shapes and attributes, in one line."""
        graph = self.schedule.graph
        op = graph.ops[-1]
        inputs = ", ".join(str(list(graph.tensors[t].shape)) for t in graph.ops[0].inputs if t >= 0)
        shares = " in place" if self._is_in_place() else ""
        padding = self.schedule.steps[0].padding if self.schedule.steps else ""
        shape = list(graph.tensors[op.outputs[0]].shape)
        return f"{self.name}: {self.variant}{shares} {inputs} -> {shape}, padding {padding}, {op.attributes}"

    def _is_in_place(self) -> bool:
        return any(s.shrinks or s.output_buffer in s.input_buffers for s in self.schedule.steps)


def writable(schedule: Schedule, plan: MemoryPlan, step: Step) -> list[tuple[int, int]]:
    """Where in the arena (first byte, end) a step may write: its output, its scratch, and where a segment's grows."""
    size = schedule.buffers[step.output_buffer].size_bytes
    starts = [(plan.offsets[step.output_buffer], size)]
    if step.scratch_bytes:
        starts.append((plan.scratch_offsets[step.index], step.scratch_bytes))
    if step.stream is not None:
        starts.append((plan.streamed_offsets[step.index], size))
    return [(first, first + size_bytes) for first, size_bytes in starts]


def random_layer(
    seed: int,
    index: int,
    kinds: tuple[str, ...] = LAYER_KINDS,
    instruction_set: InstructionSet = InstructionSet.DSP,
) -> Layer:
    """Layer `index` of the sequence that `seed` stands for, lowered for the cores with an instruction set.

    The kernel variant is the one that lowering chooses or, sometimes, any other of the catalogue that applies: a
    general kernel has to be right where a special one usually stands before it.
    """
    rng = np.random.default_rng((seed, index))
    for _ in range(_ATTEMPTS):
        kind = draw_kind(rng, kinds)
        try:
            graph = ExtremeFiller(rng, layer_skeleton(rng, kind)).graph()
            schedule = _lowered(rng, graph, instruction_set)
        except (UnsupportedGraphError, GraphError):
            continue  # for example a broadcast of more dimensions than the kernels have
        plan = (
            guarded_arena(schedule)
            if rng.random() < 0.2
            else guarded_buffers(schedule, shrink_to_end=rng.random() < 0.5)
        )
        return Layer(f"{kind} {seed}/{index}", schedule, plan)
    raise RuntimeError(f"none of {_ATTEMPTS} random layers of {', '.join(kinds)} can be lowered")


def layer_of(name: str, schedule: Schedule, *, in_place: bool = True) -> Layer:
    """A given schedule, of one step or of many, guard bytes around every buffer.

    Args:
        name: What it is called in results.
        schedule: Of a network without patches.
        in_place: False gives every step's output a buffer of its own, so that all tensors can be compared.
    """
    if not in_place:
        schedule = _with_own_buffers(schedule)
    return Layer(name, schedule, guarded_buffers(schedule))


def _with_own_buffers(schedule: Schedule) -> Schedule:
    produced = {step.output for step in schedule.steps}
    graph, last = schedule.graph, max(0, len(schedule.steps) - 1)
    owners = [*schedule.inputs, *(step.output for step in schedule.steps)]
    buffer_of = {t: index for index, t in enumerate(owners)}
    for op in graph.ops:  # a RESHAPE without a step is another name for its input
        if op.outputs[0] not in produced and op.inputs[0] in buffer_of and op.kind is OpKind.RESHAPE:
            buffer_of[op.outputs[0]] = buffer_of[op.inputs[0]]
    return replace(
        schedule,
        steps=tuple(
            replace(
                step,
                input_buffers=tuple(buffer_of[t] for t in step.inputs),
                output_buffer=buffer_of[step.output],
                shrinks=False,
            )
            for step in schedule.steps
        ),
        buffers=tuple(Buffer(i, graph.tensors[t].size_bytes, (t,), 0, last) for i, t in enumerate(owners)),
        buffer_of=buffer_of,
    )


def _lowered(rng: np.random.Generator, graph: Graph, instruction_set: InstructionSet) -> Schedule:
    draw = rng.random()
    schedule = lower(graph, instruction_set=instruction_set, in_place=draw < 0.55)
    return schedule if draw < 0.7 else _with_any_variant(rng, schedule)


_FOR_SPEED = 0.5


def _with_any_variant(rng: np.random.Generator, schedule: Schedule) -> Schedule:
    """`schedule`, which shares no storage, with any variant that can execute its layers.

    Rather one that the local rule does not choose: for speed, or for few rows.
    """
    variants: dict[int, str] = {}
    for layer in layers(schedule):
        candidates = substitutes(schedule, layer)
        faster = tuple(variant for variant in candidates if variant.for_speed or variant.few_rows)
        candidates = faster if faster and rng.random() < _FOR_SPEED else candidates
        variants |= dict.fromkeys(layer, candidates[int(rng.integers(len(candidates)))].name)
    return with_variants(schedule, variants)


def for_speed(schedule: Schedule) -> Schedule:
    """`schedule` with the variants that spend flash for speed wherever there are some."""
    variants: dict[int, str] = {}
    for layer in layers(schedule):
        faster = [variant.name for variant in substitutes(schedule, layer) if variant.for_speed]
        variants |= dict.fromkeys(layer, faster[0]) if faster else {}
    return with_variants(schedule, variants)
