"""What follows from constants alone is computed now: shape arithmetic, and weights that a file prepares at run time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinynas.graph._counting import op_macs
from tinynas.graph._graph import Graph
from tinynas.graph._ops import Op, OpKind
from tinynas.graph._tensor import DType, Tensor
from tinynas.graph.reference import execute_constant

_MOST_BYTES = 1 << 24
_MOST_MACS = 1 << 26
"""Of all that is computed for one graph. No microcontroller holds 16 MB of constants: a file that asks for them is
damaged or hostile, and its operators stay as they are."""

_EXACT_IN_FLOAT = frozenset(
    (
        *(OpKind.RESHAPE, OpKind.TRANSPOSE, OpKind.EXPAND_DIMS, OpKind.SQUEEZE, OpKind.STRIDED_SLICE, OpKind.PACK),
        *(OpKind.PAD, OpKind.CONCATENATION, OpKind.RESIZE_NEAREST_NEIGHBOR, OpKind.MAX_POOL_2D),
        *(OpKind.QUANTIZE, OpKind.DEQUANTIZE, OpKind.ADD, OpKind.MUL),
    )
)
"""Others sum up floats, in an order that is each runtime's own."""


@dataclass
class _Budget:
    """What may still be computed."""

    left_bytes: int = _MOST_BYTES
    left_macs: int = _MOST_MACS

    def pays(self, size_bytes: int, macs: int) -> bool:
        """Take this much, if there is as much."""
        if size_bytes > self.left_bytes or macs > self.left_macs:
            return False
        self.left_bytes -= size_bytes
        self.left_macs -= macs
        return True


def fold_constants(graph: Graph) -> Graph:
    """The graph with a constant in place of each tensor that follows from constants, or from a shape.

    An output of the network stays computed: somebody has to write it.

    Raises:
        GraphError: A factor between scales is out of range.
    """
    budget, tensors, outputs = _Budget(), list(graph.tensors), set(graph.outputs)
    kept = []
    for op in graph.ops:
        output = tensors[op.outputs[0]]
        inputs = [tensors[t] if t >= 0 else None for t in op.inputs]
        foldable = op.outputs[0] not in outputs and _follows_from_constants(op, inputs, output)
        if foldable and budget.pays(output.size_bytes, op_macs(graph, op)):
            tensors[op.outputs[0]] = replace(output, constant=True, data=execute_constant(op, inputs, output))
        else:
            kept.append(op)
    return graph if len(kept) == len(graph.ops) else replace(graph, tensors=tuple(tensors), ops=tuple(kept))


def _follows_from_constants(op: Op, inputs: Sequence[Tensor | None], output: Tensor) -> bool:
    if op.kind is OpKind.SHAPE:
        return True
    read = [tensor for tensor in inputs if tensor is not None]
    if any(tensor.data is None for tensor in read):
        return False
    dtypes = {tensor.dtype for tensor in (*read, output)}
    if any(t.dtype is DType.INT8 and t.quantization is None for t in (*read, output)):
        return False  # a skeleton
    return op.kind in _EXACT_IN_FLOAT or DType.FLOAT32 not in dtypes
