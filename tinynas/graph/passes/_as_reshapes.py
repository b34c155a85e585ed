"""EXPAND_DIMS and SQUEEZE are RESHAPEs, which cost nothing, and a RESHAPE knows its shape."""

from __future__ import annotations

import math
from dataclasses import replace

from tinynas.graph._graph import Graph, GraphError
from tinynas.graph._names import short_name
from tinynas.graph._ops import Op, OpKind, ReshapeAttributes


def as_reshapes(graph: Graph) -> Graph:
    """The graph with a RESHAPE for each EXPAND_DIMS and SQUEEZE.

    A RESHAPE whose shape is computed and turned out to be constant loses its second input.

    Raises:
        GraphError: That shape is not the one that the output is declared with.
    """
    ops = tuple(_as_reshape(graph, op) for op in graph.ops)
    return graph if all(a is b for a, b in zip(ops, graph.ops, strict=True)) else replace(graph, ops=ops)


def _as_reshape(graph: Graph, op: Op) -> Op:
    if op.kind is OpKind.RESHAPE:
        return _with_known_shape(graph, op)
    if op.kind in (OpKind.EXPAND_DIMS, OpKind.SQUEEZE):
        shape = graph.tensors[op.outputs[0]].shape
        return replace(op, kind=OpKind.RESHAPE, attributes=ReshapeAttributes(shape))
    return op


def _with_known_shape(graph: Graph, op: Op) -> Op:
    assert isinstance(op.attributes, ReshapeAttributes)
    if len(op.inputs) == 1 or graph.tensors[op.inputs[1]].data is None:
        return op
    computed = [int(size) for size in graph.tensors[op.inputs[1]].data.reshape(-1)]  # type: ignore[union-attr]
    if _resolved(computed, math.prod(op.attributes.shape)) != op.attributes.shape:
        raise GraphError(
            f"RESHAPE {short_name(op.name)!r} computes the shape {computed[:8]}, its output is declared "
            f"{list(op.attributes.shape)}"
        )
    return replace(op, inputs=op.inputs[:1])


def _resolved(shape: list[int], elements: int) -> tuple[int, ...]:
    """The shape with the one size that is open (-1) filled in."""
    known = math.prod(size for size in shape if size != -1)
    return tuple(elements // known if size == -1 and known else size for size in shape)
