"""What patches and streamed segments have in common: kernels on some rows of an image."""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph import Graph, OpKind
from tinynas.kernels import select_variant
from tinynas.lowering._storage import PlannedStep

POINTWISE = frozenset((OpKind.ADD, OpKind.MUL, OpKind.QUANTIZE))
"""Operators without windows whose rows follow from the same rows of their operands."""


def alone(planned: PlannedStep) -> PlannedStep:
    """The step with a kernel that does not take its input's place: the rows it reads are not those that it writes."""
    call = replace(planned.call, input_dies=False, input_alone=False)
    return replace(planned, variant=select_variant(call), call=call)


def row_bytes(graph: Graph, t: int) -> int:
    """Bytes of a row of an image."""
    _, _, width, channels = graph.tensors[t].shape
    return width * channels


def repeats_or_constant(graph: Graph, planned: PlannedStep) -> bool:
    """Whether an operator without windows has an operand that is repeated or constant: it has no rows of its own."""
    shape = graph.tensors[planned.output].shape
    return len(planned.inputs) != len(planned.call.op.inputs) or any(
        graph.tensors[t].shape != shape for t in planned.inputs
    )
