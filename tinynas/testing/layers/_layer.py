"""A layer ready to be generated: its network, how it is lowered, where its tensors lie."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinynas.graph import Graph, GraphError, OpKind
from tinynas.lowering import CATALOGUE, Schedule, UnsupportedGraphError, lower
from tinynas.memory import MemoryPlan
from tinynas.testing.layers._extremes import ExtremeFiller
from tinynas.testing.layers._skeletons import LAYER_KINDS, draw_kind, layer_skeleton
from tinynas.testing.layers._units import guarded_arena, guarded_buffers

_ATTEMPTS = 100
_WEIGHTED = frozenset({OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED})


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


def random_layer(seed: int, index: int, kinds: tuple[str, ...] = LAYER_KINDS) -> Layer:
    """Layer `index` of the sequence that `seed` stands for.

    The kernel variant is the one that lowering chooses or, sometimes, any other of the catalogue that applies: a
    general kernel has to be right where a special one usually stands before it.
    """
    rng = np.random.default_rng((seed, index))
    for _ in range(_ATTEMPTS):
        kind = draw_kind(rng, kinds)
        try:
            graph = ExtremeFiller(rng, layer_skeleton(rng, kind)).graph()
            schedule = _lowered(rng, graph)
        except (UnsupportedGraphError, GraphError):
            continue  # for example a broadcast of more dimensions than the kernels have
        plan = (
            guarded_arena(schedule)
            if rng.random() < 0.2
            else guarded_buffers(schedule, shrink_to_end=rng.random() < 0.5)
        )
        return Layer(f"{kind} {seed}/{index}", schedule, plan)
    raise RuntimeError(f"none of {_ATTEMPTS} random layers of {', '.join(kinds)} can be lowered")


def layer_of(name: str, graph: Graph) -> Layer:
    """A given network as lowering would have it, guard bytes around every buffer."""
    schedule = lower(graph)
    return Layer(name, schedule, guarded_buffers(schedule))


def _lowered(rng: np.random.Generator, graph: Graph) -> Schedule:
    draw = rng.random()
    if draw < 0.55:
        return lower(graph)
    if draw < 0.7:
        return lower(graph, in_place_depthwise=False)
    return _with_any_variant(rng, lower(graph, in_place=False))


def _with_any_variant(rng: np.random.Generator, schedule: Schedule) -> Schedule:
    """`schedule`, which shares no storage, with any variant that applies to its convolutions.

    Of the kernels without weights the shapes alone decide, and the code generator relies on that.
    """
    steps = []
    for step in schedule.steps:
        call = schedule.call(step)
        if call.op.kind not in _WEIGHTED:
            steps.append(step)
            continue
        variants = [v for v in CATALOGUE.values() if call.op.kind in v.kinds and v.applies(call)]
        variant = variants[int(rng.integers(len(variants)))]
        steps.append(
            replace(
                step,
                variant=variant.name,
                scratch_bytes=variant.scratch_bytes(call),
                constant_bytes=variant.constant_bytes(call),
                features=variant.features(call),
            )
        )
    return replace(schedule, steps=tuple(steps))
