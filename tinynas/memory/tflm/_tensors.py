"""The tensors of a model file as TFLM sees them: more than those of the graph, and in the file's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tinynas.graph import DType, Graph, Op, OpKind, Tensor

_CONSTANT_OPERANDS: Mapping[OpKind, int] = {
    OpKind.PAD: 1,
    OpKind.MEAN: 1,
    OpKind.RESHAPE: 1,
    OpKind.RESIZE_NEAREST_NEIGHBOR: 1,
    OpKind.TRANSPOSE: 1,
    OpKind.EXPAND_DIMS: 1,
    OpKind.STRIDED_SLICE: 3,
}
"""Operators whose attributes are constant tensors in the file, and how many (see the classes of `tinynas.graph`)."""

_WEIGHTED = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)


class FileTensors(Protocol):
    """How the tensors of a file relate to a graph: one entry per tensor of the file, in its order.

    `tinynas.formats.tensor_table` reads one from a file. TFLM keeps a structure for every tensor, whether an operator
    uses it or not, and plans equal sizes in an order that depends on it.
    """

    @property
    def graph_tensors(self) -> Sequence[int | None]:
        """The graph's index of the tensor, or None where the graph does not hold it."""
        ...

    @property
    def idle_bytes(self) -> Sequence[int]:
        """Bytes of a tensor that the graph does not hold and that has no data: TFLM plans it although unused."""
        ...

    @property
    def scales(self) -> Sequence[int]:
        """Number of quantization scales, 0 where the tensor is not quantized."""
        ...


@dataclass(frozen=True)
class WrittenTensors:
    """The tensors of the file that `tinynas.formats.write_tflite` writes for a graph."""

    graph_tensors: tuple[int | None, ...]
    idle_bytes: tuple[int, ...]
    scales: tuple[int, ...]


def as_written(graph: Graph) -> tuple[Graph, WrittenTensors]:
    """The graph in the file that `write_tflite` writes, and the tensors of that file.

    The file has the graph's tensors in order, then a bias of zeros for each CONV_2D without one and a constant for each
    operator whose attribute is a tensor in the file.

    A graph without quantization parameters (a skeleton that is only counted and planned) is taken as quantized per
    output channel in convolutions and per tensor elsewhere.
    """
    graph = _with_zero_biases(graph)
    constants = sum(_constant_operands(op) for op in graph.ops)
    held: tuple[int | None, ...] = tuple(range(len(graph.tensors)))
    return graph, WrittenTensors(
        held + (None,) * constants,
        (0,) * (len(held) + constants),
        _scales(graph) + (0,) * constants,
    )


def _constant_operands(op: Op) -> int:
    """Constants that the file has for an operator and the graph does not: none for a shape that is computed."""
    computed = op.kind is OpKind.RESHAPE and len(op.inputs) > 1
    return 0 if computed else _CONSTANT_OPERANDS.get(op.kind, 0)


def _with_zero_biases(graph: Graph) -> Graph:
    tensors, ops = list(graph.tensors), list(graph.ops)
    for i, op in enumerate(ops):
        if op.kind is OpKind.CONV_2D and (len(op.inputs) < 3 or op.inputs[2] < 0):
            weights = tensors[op.inputs[1]]
            dtype = DType.INT32 if weights.dtype is DType.INT8 else weights.dtype
            ops[i] = replace(op, inputs=(*op.inputs[:2], len(tensors)))
            tensors.append(Tensor(f"{op.name}/bias", weights.shape[:1], dtype, weights.quantization, constant=True))
    return replace(graph, tensors=tuple(tensors), ops=tuple(ops))


def _scales(graph: Graph) -> tuple[int, ...]:
    if any(t.quantization is not None for t in graph.tensors):
        return tuple(0 if t.quantization is None else len(t.quantization.scales) for t in graph.tensors)
    scales = [int(t.dtype in (DType.INT8, DType.UINT8)) for t in graph.tensors]
    for op in graph.ops:
        if op.kind in _WEIGHTED and scales[op.inputs[1]]:
            shape = graph.tensors[op.inputs[1]].shape
            per_tensor = op.kind is OpKind.FULLY_CONNECTED
            channels = 1 if per_tensor else shape[0 if op.kind is OpKind.CONV_2D else 3]
            for t in op.inputs[1:]:
                if t >= 0:
                    scales[t] = channels
    return tuple(scales)
