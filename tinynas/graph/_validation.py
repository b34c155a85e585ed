"""Checks that a graph could be executed: indices, order, shapes, element types, quantization."""

from __future__ import annotations

import math

from tinynas.graph._errors import GraphError
from tinynas.graph._graph import Graph
from tinynas.graph._names import short_name
from tinynas.graph._operator import Op
from tinynas.graph._quantization_rules import check_activation, check_quantization
from tinynas.graph._shapes import infer_shapes
from tinynas.graph._tensor import DType, Quantization, Tensor

_ZERO_POINTS = {DType.INT8: (-128, 127), DType.UINT8: (0, 255), DType.INT32: (0, 0)}
"""Smallest and largest zero point. Tensors of int32 are biases, and have none (TFLite's quantization specification)."""


def validate(graph: Graph) -> None:
    """Check `graph`; an INT8 skeleton (no quantization, no data) passes.

    Raises:
        GraphError: The first thing found wrong, naming the operator's index, kind and name or the tensor.
    """
    _check_tensors(graph)
    written = {i for i, tensor in enumerate(graph.tensors) if tensor.constant}
    for what, indices in (("input", graph.inputs), ("output", graph.outputs)):
        if not indices:
            raise GraphError(f"graph {graph.name!r} has no {what}s")
        for i in indices:
            if not 0 <= i < len(graph.tensors):
                raise GraphError(f"{what} {i} of graph {graph.name!r} is not one of its {len(graph.tensors)} tensors")
    for i in graph.inputs:
        if i in written:
            raise GraphError(f"input tensor {i} {short_name(graph.tensors[i].name)!r} is a constant or listed twice")
        check_activation(graph.tensors[i], f"graph {graph.name!r}")
        written.add(i)
    static = {i for i, tensor in enumerate(graph.tensors) if tensor.constant}
    for position, op in enumerate(graph.ops):
        where = f"op {position} {op.kind} {short_name(op.name)!r}"
        _check_wiring(graph, op, where, written)
        _check_shapes(graph, op, position)
        _check_dtypes(graph, op, where)
        if static.issuperset(op.inputs):
            static.update(op.outputs)
        check_quantization(graph, op, where, static)
        written.update(op.outputs)
    for i in graph.outputs:
        if i not in written or graph.tensors[i].constant:
            raise GraphError(f"output tensor {i} {short_name(graph.tensors[i].name)!r} is written by no op")


def _check_tensors(graph: Graph) -> None:
    for i, tensor in enumerate(graph.tensors):
        if any(size < 1 for size in tensor.shape):
            raise GraphError(f"tensor {i} {short_name(tensor.name)!r} has an empty dimension: {list(tensor.shape)}")
        quantization = tensor.quantization
        if quantization is None:
            continue
        _check_range(f"tensor {i} {short_name(tensor.name)!r}", tensor.dtype, quantization)
        # The axis of a 1-D tensor carries no information; TFLM's person_detect says 3 for its biases.
        axis = 0 if len(tensor.shape) == 1 else quantization.axis
        if quantization.per_channel and (
            axis not in range(len(tensor.shape)) or tensor.shape[axis] != len(quantization.scales)
        ):
            raise GraphError(
                f"tensor {i} {short_name(tensor.name)!r} {list(tensor.shape)} has {len(quantization.scales)} scales "
                f"along axis {quantization.axis}"
            )


def _check_range(where: str, dtype: DType, quantization: Quantization) -> None:
    """Scales and zero points that the kernels' integers can hold, whoever reads them. Float kernels read none."""
    if dtype not in _ZERO_POINTS:
        return
    if not all(0 < scale < math.inf for scale in quantization.scales):
        raise GraphError(f"{where} has a scale that is not a positive number: quantize the model again")
    low, high = _ZERO_POINTS[dtype]
    outside = next((z for z in quantization.zero_points if not low <= z <= high), None)
    if outside is not None:
        expected = f"in [{low}, {high}]" if low < high else "0"
        raise GraphError(
            f"{where} has the zero point {outside}, which for {dtype.value} must be {expected}: "
            "quantize the model again"
        )


def _check_wiring(graph: Graph, op: Op, where: str, written: set[int]) -> None:
    if not op.outputs:
        raise GraphError(f"{where} has no output")
    for position, i in enumerate(op.inputs):
        if i == -1 and position == 2 and op.weights is not None:
            continue
        if not 0 <= i < len(graph.tensors):
            raise GraphError(f"{where}: input {i} is not one of the graph's {len(graph.tensors)} tensors")
        if i not in written:
            raise GraphError(f"{where} reads tensor {i} {short_name(graph.tensors[i].name)!r} before it is written")
    for position, output in enumerate(op.outputs):
        if not 0 <= output < len(graph.tensors):
            raise GraphError(f"{where}: output {output} is not one of the graph's {len(graph.tensors)} tensors")
        if output in written or output in op.outputs[:position]:
            raise GraphError(
                f"{where} writes tensor {output} {short_name(graph.tensors[output].name)!r}, which has a value already"
            )


def _check_shapes(graph: Graph, op: Op, position: int) -> None:
    try:
        inferred = infer_shapes(op, [graph.tensors[i].shape if i >= 0 else () for i in op.inputs])
    except GraphError as error:
        raise GraphError(f"op {position} {error}") from error
    where = f"op {position} {op.kind} {short_name(op.name)!r}"
    if len(op.outputs) != len(inferred):
        raise GraphError(f"{where} must have {_counted(len(inferred))}, has {len(op.outputs)}")
    for t, shape in zip(op.outputs, inferred, strict=True):
        output = graph.tensors[t]
        if output.shape != shape:
            raise GraphError(
                f"{where} gives {list(shape)} but its output {short_name(output.name)!r} is declared "
                f"{list(output.shape)}"
            )


def _counted(outputs: int) -> str:
    return "one output" if outputs == 1 else f"{outputs} outputs"


def _check_dtypes(graph: Graph, op: Op, where: str) -> None:
    spec = op.spec
    inputs = [graph.tensors[i] if i >= 0 else None for i in op.inputs]
    first = inputs[0]
    assert first is not None  # only a bias can be absent: _check_wiring
    _require(where, "input", first, *spec.input_types)
    for t in op.outputs:
        _require(where, "output", graph.tensors[t], *(spec.output_types or (first.dtype,)))
    if spec.weights is not None:
        weights, bias = inputs[1], inputs[2] if len(inputs) > 2 else None
        assert weights is not None
        _require(where, "weights", weights, first.dtype)
        if bias is not None:
            _require(where, "bias", bias, DType.INT32 if first.dtype is DType.INT8 else DType.FLOAT32)
    else:
        for tensor in inputs[1:]:
            assert tensor is not None
            _require(where, "input", tensor, *(spec.operand_types or (first.dtype,)))


def _require(where: str, what: str, tensor: Tensor, *allowed: DType) -> None:
    if tensor.dtype not in allowed:
        expected = " or ".join(dtype.value for dtype in allowed)
        raise GraphError(f"{where}: {what} {short_name(tensor.name)!r} is {tensor.dtype.value}, expected {expected}")
