"""Files as converters write them: read as they are, and after the passes equal to LiteRT's reference kernels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from refusals import refusal

from tinynas.formats import read_tflite, write_tflite
from tinynas.graph import (
    DType,
    Graph,
    GraphBuilder,
    GraphError,
    Op,
    OpKind,
    Quantization,
    QuantizeAttributes,
    ReshapeAttributes,
    Tensor,
    TransposeAttributes,
    execute,
    simplified,
)
from tinynas.graph.passes import as_int8
from tinynas.latency import with_random_constants
from tinynas.testing import disguised_graph, random_input, random_int8_graph, run_litert

SEEDS = range(60)


def changed(content: bytes, change: Callable[[Any], None]) -> bytes:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    change(model)
    builder = flatbuffers.Builder(1 << 12)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operators(model: Any, kind: OpKind) -> list[Any]:
    code = getattr(schema.BuiltinOperator, kind.value)
    return [op for op in model.subgraphs[0].operators if model.operatorCodes[op.opcodeIndex].builtinCode == code]


def constant_of(model: Any, operator: Any, position: int, dtype: Any = np.int32) -> np.ndarray:
    return np.frombuffer(bytes(model.buffers[model.subgraphs[0].tensors[operator.inputs[position]].buffer].data), dtype)


def replace_constant(model: Any, operator: Any, position: int, values: np.ndarray) -> None:
    tensor = model.subgraphs[0].tensors[operator.inputs[position]]
    model.buffers[tensor.buffer].data = values.astype("<i4").tobytes()
    tensor.shape = list(values.shape)


def with_kind(kind: OpKind) -> bytes:
    """A file with an operator that converters leave in it."""
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        graph = read_tflite(write_tflite(disguised_graph(rng, random_int8_graph(rng, operators=2))))
        if any(op.kind is kind for op in graph.ops) and graph.tensors[graph.inputs[0]].dtype is not DType.FLOAT32:
            return write_tflite(graph)
    raise AssertionError(f"no file with {kind}")


def assert_equal_to_litert(content: bytes) -> Graph:
    """The file is read, and computes what LiteRT computes, before and after the passes."""
    graph, rng = read_tflite(content), np.random.default_rng(0)
    (values,) = random_input(graph, rng)
    if values.dtype == np.uint8:
        values = rng.integers(0, 256, values.shape).astype(np.uint8)
    expected = run_litert(content, [values])[schema.Model.GetRootAs(content, 0).Subgraphs(0).Outputs(0)]
    (before,) = execute(graph, [values]).values()
    np.testing.assert_array_equal(before, expected)
    after = simplified(graph)
    (value,) = execute(after, [as_int8(values) if values.dtype == np.uint8 else values]).values()
    np.testing.assert_array_equal(value, as_int8(expected) if expected.dtype == np.uint8 else expected)
    return after


def _negative_axes(model: Any) -> None:
    for operator in operators(model, OpKind.EXPAND_DIMS):
        rank = len(model.subgraphs[0].tensors[operator.inputs[0]].shape)
        replace_constant(model, operator, 1, constant_of(model, operator, 1) - rank - 1)
    for operator in operators(model, OpKind.PACK):
        operator.builtinOptions.axis = -1


def _squeezed_without_axes(model: Any) -> None:
    for operator in operators(model, OpKind.SQUEEZE):
        tensor = model.subgraphs[0].tensors[operator.inputs[0]]
        if list(tensor.shape).count(1) == 1:
            operator.builtinOptions.squeezeDims = []


def _sliced_by_masks(model: Any) -> None:
    """The first size of a shape, as `shape[-rank]` and with an end that is left open."""
    for operator in operators(model, OpKind.STRIDED_SLICE):
        replace_constant(model, operator, 1, np.array([-model.subgraphs[0].tensors[operator.inputs[0]].shape[0]]))
        operator.builtinOptions.endMask = 1


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (OpKind.EXPAND_DIMS, _negative_axes),
        (OpKind.PACK, _negative_axes),
        (OpKind.SQUEEZE, _squeezed_without_axes),
        (OpKind.STRIDED_SLICE, _sliced_by_masks),
    ],
)
def test_what_options_may_say_in_another_way(kind: OpKind, change: Callable[[Any], None]) -> None:
    assert_equal_to_litert(changed(with_kind(kind), change))


def _network(shape: tuple[int, ...] = (1, 8, 8, 3), kernel: tuple[int, int] = (3, 3)) -> Graph:
    builder = GraphBuilder("net", DType.INT8)
    return with_random_constants(builder.build([builder.conv_2d(builder.input(shape), 4, kernel, name="conv")]), seed=0)


def _with_uint8(graph: Graph, *, at_input: bool, at_output: bool, shift: int, factor: float) -> Graph:
    """The network between QUANTIZE operators; a `shift` other than 128 or a `factor` makes them compute."""
    tensors, ops = list(graph.tensors), list(graph.ops)

    def border(t: int) -> int:
        q = tensors[t].quantization
        assert q is not None
        zero_point = min(max(q.zero_point + shift, 0), 255)
        quantization = Quantization((q.scale * factor,), (zero_point,))
        tensors.append(dataclasses.replace(tensors[t], name="border", dtype=DType.UINT8, quantization=quantization))
        return len(tensors) - 1

    inputs, outputs = graph.inputs, graph.outputs
    if at_input:
        inputs = (border(graph.inputs[0]),)
        ops.insert(0, Op(OpKind.QUANTIZE, inputs, graph.inputs, QuantizeAttributes(), "from_uint8"))
    if at_output:
        outputs = (border(graph.outputs[0]),)
        ops.append(Op(OpKind.QUANTIZE, graph.outputs, outputs, QuantizeAttributes(), "to_uint8"))
    return dataclasses.replace(graph, tensors=tuple(tensors), ops=tuple(ops), inputs=inputs, outputs=outputs)


@pytest.mark.parametrize(("at_input", "at_output"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize(("shift", "factor"), [(128, 1.0), (120, 1.0), (131, 1.7), (128, 0.6)])
def test_uint8_borders_become_int8(at_input: bool, at_output: bool, shift: int, factor: float) -> None:
    graph = _with_uint8(_network(), at_input=at_input, at_output=at_output, shift=shift, factor=factor)
    after = assert_equal_to_litert(write_tflite(graph))
    for before_t, t in zip((*graph.inputs, *graph.outputs), (*after.inputs, *after.outputs), strict=True):
        before, tensor = graph.tensors[before_t], after.tensors[t]
        assert (tensor.dtype, tensor.shape, tensor.name) == (DType.INT8, before.shape, before.name)
        assert before.quantization is not None
        assert tensor.quantization is not None
        moved = 128 if before.dtype is DType.UINT8 else 0
        assert tensor.quantization.zero_point == before.quantization.zero_point - moved
    if (shift, factor) == (128, 1.0):
        assert [op.kind for op in after.ops] == [OpKind.CONV_2D]


def test_weights_that_are_transposed_at_run_time_are_transposed_when_read() -> None:
    graph = _network()
    op = graph.ops[0]
    weights = graph.tensors[op.inputs[1]]
    assert weights.data is not None
    assert weights.quantization is not None
    stored = Tensor(
        "stored", weights.shape[::-1], DType.INT8, Quantization((0.1,), (0,)), True, weights.data.transpose().copy()
    )
    tensors = [*graph.tensors, stored]
    tensors[op.inputs[1]] = dataclasses.replace(weights, constant=False, data=None)
    transpose = Op(
        OpKind.TRANSPOSE, (len(tensors) - 1,), (op.inputs[1],), TransposeAttributes((3, 2, 1, 0)), "transpose"
    )
    content = write_tflite(dataclasses.replace(graph, tensors=tuple(tensors), ops=(transpose, op)))
    after = assert_equal_to_litert(content)
    assert [op.kind for op in after.ops] == [OpKind.CONV_2D]
    np.testing.assert_array_equal(after.tensors[after.ops[0].inputs[1]].data, weights.data)


def test_a_computed_shape_is_the_declared_one() -> None:
    graph = _network((1, 4, 4, 2), (1, 1))
    shape = Tensor("shape", (2,), DType.INT32, None, True, np.array([4, 16], np.int32))
    y = graph.outputs[0]
    flat = dataclasses.replace(graph.tensors[y], name="flat", shape=(1, 64))
    computed = dataclasses.replace(shape, name="computed", constant=False, data=None)
    first = len(graph.tensors)
    ops = (
        *graph.ops,
        Op(OpKind.RESHAPE, (first,), (first + 1,), ReshapeAttributes((2,)), "same"),
        Op(OpKind.RESHAPE, (y, first + 1), (first + 2,), ReshapeAttributes((1, 64)), "flatten"),
    )
    tensors = (*graph.tensors, shape, computed, flat)
    content = write_tflite(dataclasses.replace(graph, tensors=tensors, ops=ops, outputs=(first + 2,)))
    with pytest.raises(
        GraphError, match=r"RESHAPE 'flat' computes the shape \[4, 16\], its output is declared \[1, 64\]"
    ):
        simplified(read_tflite(content))


def test_a_computed_shape_may_leave_one_size_open() -> None:
    content = with_kind(OpKind.PACK)
    assert any(len(op.inputs) > 1 for op in read_tflite(content).ops if op.kind is OpKind.RESHAPE)
    assert all(len(op.inputs) == 1 for op in assert_equal_to_litert(content).ops if op.kind is OpKind.RESHAPE)


def test_a_shape_that_depends_on_values_is_refused() -> None:
    graph = _network((1, 4, 4, 2), (1, 1))
    first = len(graph.tensors)
    shape = Tensor("shape", (2,), DType.INT32)
    flat = dataclasses.replace(graph.tensors[graph.outputs[0]], name="flat", shape=(1, 64))
    op = Op(OpKind.RESHAPE, (graph.outputs[0], first), (first + 1,), ReshapeAttributes((1, 64)), "flatten")
    content = write_tflite(
        dataclasses.replace(
            graph,
            tensors=(*graph.tensors, shape, flat),
            ops=(*graph.ops, op),
            inputs=(*graph.inputs, first),
            outputs=(first + 1,),
        )
    )
    assert "op 1 RESHAPE: its shape must be a constant" in refusal(content)
