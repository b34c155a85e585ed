"""EXPAND_DIMS and SQUEEZE are RESHAPEs, which cost nothing, and a RESHAPE knows its shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tinynas.graph._errors import GraphError
from tinynas.graph._graph import Graph
from tinynas.graph._names import short_name
from tinynas.graph._operator import Op, OpKind, Rewritten
from tinynas.graph.ops.reshape import ReshapeAttributes


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
    if op.spec.rewritten is Rewritten.AS_RESHAPE:
        shape = graph.tensors[op.outputs[0]].shape
        return replace(op, kind=OpKind.RESHAPE, attributes=ReshapeAttributes(shape))
    return op


def _with_known_shape(graph: Graph, op: Op) -> Op:
    attributes, data = op.attributes, None if len(op.inputs) == 1 else graph.tensors[op.inputs[1]].data
    assert isinstance(attributes, ReshapeAttributes)
    if data is None:
        return op
    computed = [int(size) for size in data.reshape(-1)[: len(attributes.shape) + 1]]
    if not _says(computed, attributes.shape):
        raise GraphError(
            f"RESHAPE {short_name(op.name)!r} computes the shape {computed}, its output is declared "
            f"{list(attributes.shape)}"
        )
    return replace(op, inputs=op.inputs[:1])


def _says(computed: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether a computed shape, with one size that may be left open (-1), is this one."""
    wrong = [size for size, declared in zip(computed, shape, strict=False) if size != declared]
    return len(computed) == len(shape) and wrong in ([], [-1])
