"""The tensors of a model file as TFLM sees them: more than those of the graph, and in the file's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tinynas.graph import DType, Graph, Tensor


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
    constants = sum(len(op.spec.constants_of_file(op)) for op in graph.ops)
    held: tuple[int | None, ...] = tuple(range(len(graph.tensors)))
    return graph, WrittenTensors(
        held + (None,) * constants,
        (0,) * (len(held) + constants),
        _scales(graph) + (0,) * constants,
    )


def _with_zero_biases(graph: Graph) -> Graph:
    tensors, ops = list(graph.tensors), list(graph.ops)
    for i, op in enumerate(ops):
        if op.weights is not None and op.weights.bias_in_files and (len(op.inputs) < 3 or op.inputs[2] < 0):
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
        rules = op.weights
        if rules is not None and scales[op.inputs[1]]:
            channels = graph.tensors[op.inputs[1]].shape[rules.channel_axis] if rules.scale_per_channel else 1
            for t in op.inputs[1:]:
                if t >= 0:
                    scales[t] = channels
    return tuple(scales)
