"""What follows from constants alone is computed now: shape arithmetic, and weights that a file prepares at run time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tinynas.graph._graph import Graph
from tinynas.graph._ops import Op, OpKind
from tinynas.graph._tensor import DType, Tensor
from tinynas.graph.reference import execute_constant

MOST_BYTES = 1 << 23
"""Of all that is computed for one graph. Hardly a microcontroller holds 8 MB of constants: a file that asks for more is
damaged or hostile, and its operators stay as they are."""

_FOLDED = frozenset(
    (
        *(OpKind.RESHAPE, OpKind.TRANSPOSE, OpKind.EXPAND_DIMS, OpKind.SQUEEZE, OpKind.STRIDED_SLICE, OpKind.PACK),
        *(OpKind.PAD, OpKind.CONCATENATION, OpKind.RESIZE_NEAREST_NEIGHBOR, OpKind.SHAPE),
        *(OpKind.QUANTIZE, OpKind.DEQUANTIZE, OpKind.ADD, OpKind.MUL),
    )
)
"""Operators that take as long as their output is large. None sums up: floats come out alike in any order."""


def fold_constants(graph: Graph) -> Graph:
    """The graph with a constant in place of each tensor that follows from constants, or from a shape.

    An output of the network stays computed: somebody has to write it.

    Raises:
        GraphError: A factor between scales is out of range.
    """
    left, tensors, outputs = MOST_BYTES, list(graph.tensors), set(graph.outputs)
    kept = []
    for op in graph.ops:
        output = tensors[op.outputs[0]]
        inputs = [tensors[t] if t >= 0 else None for t in op.inputs]
        follows = op.outputs[0] not in outputs and _follows_from_constants(op, inputs, output)
        if follows and output.size_bytes <= left:
            left -= output.size_bytes
            tensors[op.outputs[0]] = replace(output, constant=True, data=execute_constant(op, inputs, output))
        else:
            kept.append(op)
    return graph if len(kept) == len(graph.ops) else replace(graph, tensors=tuple(tensors), ops=tuple(kept))


def _follows_from_constants(op: Op, inputs: Sequence[Tensor | None], output: Tensor) -> bool:
    if op.kind is OpKind.SHAPE:
        return True
    read = [tensor for tensor in inputs if tensor is not None]
    if op.kind not in _FOLDED or any(tensor.data is None for tensor in read):
        return False
    skeleton = any(tensor.dtype is DType.INT8 and tensor.quantization is None for tensor in (*read, output))
    return not skeleton
