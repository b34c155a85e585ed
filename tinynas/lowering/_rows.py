"""What patches and streamed segments have in common: kernels on some rows of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tinynas.graph import Graph, Op, OpKind, PadAttributes
from tinynas.kernels import select_variant
from tinynas.lowering._storage import PlannedStep


def alone(planned: PlannedStep) -> PlannedStep:
    """The step with a kernel that does not take its input's place: the rows it reads are not those that it writes."""
    if not planned.call.input_dies and not planned.call.input_alone:
        return planned
    call = replace(planned.call, input_dies=False, input_alone=False)
    return replace(planned, variant=select_variant(call), call=call)


def row_bytes(graph: Graph, t: int) -> int:
    """Bytes of a row of an image."""
    _, _, width, channels = graph.tensors[t].shape
    return width * channels


def no_rows(graph: Graph, op: Op, inputs: Sequence[int], output: int) -> str:
    """Why an operator cannot compute some rows of its output from some of its inputs, in words; empty if it can.

    Args:
        graph: The network.
        op: The operator.
        inputs: The activations that its kernel reads.
        output: What it writes.
    """
    tensors = [graph.tensors[t] for t in (*inputs, output)]
    if op.spec.window is None and not op.spec.elementwise:
        return "does not work row by row"
    if any(len(t.shape) != 4 or t.shape[0] != 1 for t in tensors):
        return "does not work on one image"
    if op.spec.elementwise and (len(inputs) != len(op.inputs) or any(t.shape != tensors[-1].shape for t in tensors)):
        return "repeats an operand or has a constant one"
    return ""


def no_streamed_rows(graph: Graph, op: Op, inputs: Sequence[int], output: int) -> str:
    """The same where rows come and go in their order, so that those of a PAD may be its own.

    Arguments and result are those of `no_rows`.
    """
    if op.kind is not OpKind.PAD:
        return no_rows(graph, op, inputs, output)
    shape = graph.tensors[inputs[0]].shape
    return "" if len(shape) == 4 and paddings_of(op)[0] == (0, 0) and shape[0] == 1 else "does not work on one image"


def paddings_of(op: Op) -> tuple[tuple[int, int], ...]:
    """What a PAD adds before and behind each dimension."""
    assert isinstance(op.attributes, PadAttributes)
    return op.attributes.paddings
