"""Operators whose output has the bits of their input are left out."""

from __future__ import annotations

from tinynas.graph._graph import Graph
from tinynas.graph._operator import Op
from tinynas.graph.passes._rewiring import Interface, rewired


def drop_identities(graph: Graph) -> Graph:
    """The graph without operators that change neither values nor shape nor what the values mean.

    A RESHAPE to the shape that there is, a TRANSPOSE of nothing, a QUANTIZE to the same scale and zero point, a PAD by
    nothing, a CONCATENATION of one input, a RESIZE to the same size, a pool of 1 x 1.
    """
    instead: dict[int, int] = {}
    interface, ops = Interface(graph, graph.producers.keys()), []
    for op in graph.ops:
        source = instead.get(op.inputs[0], op.inputs[0])
        if _is_identity(graph, op) and interface.gives_way(op.outputs[0], source):
            instead[op.outputs[0]] = source
        else:
            ops.append(op)
    return rewired(graph, graph.tensors, ops, instead) if instead else graph


def _is_identity(graph: Graph, op: Op) -> bool:
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if (x.shape, x.dtype, x.quantization) != (y.shape, y.dtype, y.quantization) or x.constant:
        return False
    if x.quantization is None and op.spec.rescaling is not None:
        return False  # a skeleton does not say whether scales are equal
    return op.spec.is_identity(op)
