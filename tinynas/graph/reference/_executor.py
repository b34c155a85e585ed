"""The loop over the operators, and batching. The kernel of each operator is in its spec."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinynas.graph._errors import GraphError
from tinynas.graph._graph import Graph
from tinynas.graph._operator import Op
from tinynas.graph._tensor import Tensor
from tinynas.graph._validation import validate
from tinynas.graph.fixed_point import Runtime
from tinynas.graph.reference._node import Array, Node

_MOST_ELEMENTS = 1 << 23
"""Of one activation: the temporaries of a kernel take some dozen times as much, and a MEAN over more would overflow the
32 bits of its sum on a device."""

_CHUNK_ELEMENTS = 1 << 19
"""Elements of the largest activation that are computed at a time: temporaries of a few MB stay near the caches."""


def execute(
    graph: Graph, inputs: Sequence[Array], *, keep_all: bool = False, runtime: Runtime = Runtime.LITERT
) -> dict[int, Array]:
    """Run `graph` on `inputs`.

    int8 graphs are computed in integers, equal to LiteRT's reference kernels (`BUILTIN_REF`) to the last bit in every
    tensor; float32 graphs in float32, where only the order of summation may differ.

    Args:
        graph: A graph whose constants have data and whose int8 tensors have quantization.
        inputs: One array per graph input, of the tensor's dtype and shape, or with a first dimension that is a
            multiple of the tensor's: a batch. The multiple is the same for all inputs.
        keep_all: Return every activation, not only the outputs.
        runtime: LITERT, or TFLM to check against that: see `Runtime` for where the two differ.

    Returns:
        Tensor index -> value. In a batch every first dimension is that multiple of the tensor's own (a scalar
        becomes a vector).

    Raises:
        GraphError: The graph is not valid, a constant has no data, an activation is larger than what is executed here,
            or an input has the wrong dtype or shape.
    """
    validate(graph)
    _require_executable_size(graph)
    batched, batch = _batched_inputs(graph, inputs)
    constants = {i: _constant(tensor) for i, tensor in graph.constants()}
    largest = max(tensor.elements for tensor in graph.tensors)
    step = max(1, _CHUNK_ELEMENTS // largest)
    # Scales of a file may take float32 to infinity, which is a value there as on the device.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        chunks = [
            _execute_chunk(graph, constants, [x[start : start + step] for x in batched], keep_all, runtime)
            for start in range(0, batch, step)
        ]
    return {
        i: np.concatenate([chunk[i] for chunk in chunks]).reshape(_merged_shape(graph.tensors[i], batch))
        for i in chunks[0]
    }


def _require_executable_size(graph: Graph) -> None:
    for i, tensor in enumerate(graph.tensors):
        if not tensor.constant and tensor.elements > _MOST_ELEMENTS:
            raise GraphError(
                f"tensor {i} {tensor.name!r} {list(tensor.shape)} of graph {graph.name!r} has {tensor.elements:,} "
                f"elements; the reference executes activations of at most {_MOST_ELEMENTS:,}"
            )


def _merged_shape(tensor: Tensor, batch: int) -> tuple[int, ...]:
    """The batch multiplies the first dimension; alone, it leaves the declared shape."""
    if not tensor.shape:
        return (batch,) if batch > 1 else ()
    return (batch * tensor.shape[0], *tensor.shape[1:])


def _batched_inputs(graph: Graph, inputs: Sequence[Array]) -> tuple[list[Array], int]:
    """Inputs as [batch, *declared shape], and the batch."""
    if len(inputs) != len(graph.inputs):
        raise GraphError(f"graph {graph.name!r} takes {len(graph.inputs)} inputs, got {len(inputs)}")
    batches = set()
    for index, array in zip(graph.inputs, inputs, strict=True):
        tensor = graph.tensors[index]
        batch, rest = divmod(math.prod(array.shape), tensor.elements)
        if rest or not batch or array.dtype != tensor.dtype.numpy or array.shape != _merged_shape(tensor, batch):
            raise GraphError(
                f"input {tensor.name!r} is {tensor.dtype.value}{list(tensor.shape)} or a batch of it along the first "
                f"dimension, got {array.dtype}{list(array.shape)}"
            )
        batches.add(batch)
    if len(batches) != 1:
        raise GraphError(f"the inputs of graph {graph.name!r} have different batches: {sorted(batches)}")
    batch = batches.pop()
    return [
        array.reshape(batch, *graph.tensors[index].shape) for index, array in zip(graph.inputs, inputs, strict=True)
    ], batch


def _constant(tensor: Tensor) -> Array:
    if tensor.data is None:
        raise GraphError(f"constant {tensor.name!r} has no data: a skeleton can be counted but not executed")
    return tensor.data[np.newaxis]


def _execute_chunk(
    graph: Graph, constants: dict[int, Array], inputs: list[Array], keep_all: bool, runtime: Runtime
) -> dict[int, Array]:
    values = dict(zip(graph.inputs, inputs, strict=True))
    kept = set(graph.outputs)
    for position, op in enumerate(graph.ops):
        arrays = [None if i < 0 else constants[i] if i in constants else values[i] for i in op.inputs]
        tensors = tuple(graph.tensors[i] if i >= 0 else None for i in op.inputs)
        outputs = tuple(graph.tensors[t] for t in op.outputs)
        results = _results(Node(op, tensors, outputs, runtime), arrays, f"op {position} ")
        for t, result in zip(op.outputs, results, strict=True):
            # An operator that reads constants only has no batch yet.
            values[t] = np.broadcast_to(result, (inputs[0].shape[0], *result.shape[1:]))
        if not keep_all:
            for i in op.inputs:
                if i not in kept and i in values and graph.consumers[i][-1] == position:
                    del values[i]
    batch = inputs[0].shape[0]
    for i in kept & constants.keys():
        values[i] = np.broadcast_to(constants[i], (batch, *constants[i].shape[1:]))
    return values if keep_all else {i: values[i] for i in graph.outputs}


def _results(node: Node, arrays: Sequence[Array | None], where: str) -> list[Array]:
    try:
        results = node.op.spec.reference(node, arrays)
        return results if isinstance(results, list) else [results]
    except ValueError as error:
        if isinstance(error, GraphError):
            raise
        # The fixed-point parameters say what is out of range; only the caller knows where.
        raise GraphError(f"{where}{node.op.kind} {node.op.name!r}: {error}") from error


def execute_constant(op: Op, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> list[Array]:
    """The values of an operator that reads nothing but constants, of the shapes and dtypes of its outputs.

    Args:
        op: The operator. One that looks at the shape of its input only may read anything.
        inputs: Its input tensors with their data; None where an optional one is absent.
        outputs: Its output tensors.

    Raises:
        GraphError: A constant has no data, or a factor between scales is out of range.
    """
    reads = not op.spec.reads_shape_only
    arrays = [_constant(tensor) if tensor is not None and reads else None for tensor in inputs]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        results = _results(Node(op, tuple(inputs), tuple(outputs), Runtime.LITERT), arrays, "")
    return [
        np.ascontiguousarray(result[0]).reshape(output.shape) for result, output in zip(results, outputs, strict=True)
    ]
