"""What follows from constants alone is computed now: shape arithmetic, and weights that a file prepares at run time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tinynas.graph._graph import Graph
from tinynas.graph._operator import Op
from tinynas.graph._tensor import DType, Tensor
from tinynas.graph.reference import execute_constant

MOST_BYTES = 1 << 23
"""Of all that is computed for one graph. Hardly a microcontroller holds 8 MB of constants: a file that asks for more is
damaged or hostile, and its operators stay as they are."""


def fold_constants(graph: Graph) -> Graph:
    """The graph with a constant in place of each tensor that follows from constants, or from a shape.

    An output of the network stays computed: somebody has to write it.

    Raises:
        GraphError: A factor between scales is out of range.
    """
    left, tensors, outputs = MOST_BYTES, list(graph.tensors), set(graph.outputs)
    kept = []
    for op in graph.ops:
        read = [tensors[t] if t >= 0 else None for t in op.inputs]
        written = [tensors[t] for t in op.outputs]
        size = sum(tensor.size_bytes for tensor in written)
        if outputs.isdisjoint(op.outputs) and _follows_from_constants(op, read, written) and size <= left:
            left -= size
            for t, output, data in zip(op.outputs, written, execute_constant(op, read, written), strict=True):
                tensors[t] = replace(output, constant=True, data=data)
        else:
            kept.append(op)
    return graph if len(kept) == len(graph.ops) else replace(graph, tensors=tuple(tensors), ops=tuple(kept))


def _follows_from_constants(op: Op, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> bool:
    if op.spec.reads_shape_only:
        return True
    read = [tensor for tensor in inputs if tensor is not None]
    folds = all(op.spec.folds_to(tensor.dtype) for tensor in outputs)
    if not folds or any(tensor.data is None for tensor in read):
        return False
    skeleton = any(tensor.dtype is DType.INT8 and tensor.quantization is None for tensor in (*read, *outputs))
    return not skeleton
