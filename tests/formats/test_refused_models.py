"""Whole files of models that are unsupported or contradict themselves: one clear line each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from altered_files import altered, sparse, tensor, two_subgraphs
from refusals import refusal

from tinynas.formats import read_tflite, write_tflite
from tinynas.graph import DType, OpKind, execute
from tinynas.testing import random_float_graph, random_input


def _operator_code(code: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.operatorCodes[0].builtinCode = code
        model.operatorCodes[0].deprecatedBuiltinCode = min(code, 127)

    return change


def _first_op(**fields: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for name, value in fields.items():
            setattr(model.subgraphs[0].operators[0], name, value)

    return change


def _option(**fields: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for name, value in fields.items():
            setattr(model.subgraphs[0].operators[0].builtinOptions, name, value)

    return change


def _cycle(model: Any) -> None:
    """The first operator reads what the last one writes."""
    operators = model.subgraphs[0].operators
    operators[0].inputs = [operators[-1].outputs[0], *operators[0].inputs[1:]]


def _custom_quantization(model: Any) -> None:
    quantization = model.subgraphs[0].tensors[0].quantization
    quantization.detailsType, quantization.details = 1, schema.CustomQuantizationT()


def _scale(value: float) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.subgraphs[0].tensors[0].quantization.scale = [value]

    return change


def _operand(model: Any, position: int) -> Any:
    """Input, weights, bias (0 to 2) or output (3) of the last operator that has all of them."""
    graph = model.subgraphs[0]
    operator = next(op for op in reversed(graph.operators) if len(op.inputs) == 3)
    return graph.tensors[[*operator.inputs, *operator.outputs][position]]


def _zero_point(position: int, value: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        quantization = _operand(model, position).quantization
        quantization.zeroPoint = np.full(len(quantization.zeroPoint), value, np.int64)

    return change


def _scale_of(position: int, value: float) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        quantization = _operand(model, position).quantization
        quantization.scale = np.full(len(quantization.scale), value, np.float32)

    return change


def _operator_version(version: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.operatorCodes[0].version = version

    return change


def _schema_version(model: Any) -> None:
    model.version = 77


@pytest.mark.parametrize("kind", [OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED])
@pytest.mark.parametrize(
    ("change", "fact"),
    [
        (_zero_point(0, 128), "zero point 128, which for int8"),
        (_zero_point(0, -129), "zero point -129, which for int8"),
        (_zero_point(1, 1 << 31), "zero point 2147483648, which for int8"),
        (_zero_point(1, -(1 << 63)), "zero point -9223372036854775808, which for int8"),
        (_zero_point(2, 1), "zero point 1, which for int32 must be 0"),
        (_scale_of(1, math.inf), "not a quantization"),
        (_scale_of(2, math.nan), "not a quantization"),
    ],
)
def test_scales_and_zero_points_outside_of_their_type(kind: OpKind, change: Callable[[Any], None], fact: str):
    assert fact in refusal(altered(change, {kind}))


def test_a_bias_of_another_scale_is_refused_where_the_runtimes_refuse_it():
    assert "FULLY_CONNECTED" in (line := refusal(altered(_scale_of(2, 1e9), {OpKind.FULLY_CONNECTED})))
    assert "the bias has scale 1e+09" in line
    read_tflite(altered(_scale_of(2, 1e9), {OpKind.CONV_2D}))


def _factor_of(factor: float) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        x, y = (_operand(model, position).quantization for position in (0, 3))
        _operand(model, 1).quantization.scale = [factor * y.scale[0] / x.scale[0]]
        _operand(model, 2).quantization = None

    return change


@pytest.mark.parametrize("bits", [16, 20, 30])
def test_a_factor_that_fully_connected_cannot_round_by(bits: int):
    """What leaves int32 wraps differently from runtime to runtime."""
    assert "is more than the kernel takes" in refusal(altered(_factor_of(2.0**bits), {OpKind.FULLY_CONNECTED}))
    read_tflite(altered(_factor_of(2.0), {OpKind.FULLY_CONNECTED}))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_float_weights_that_are_no_numbers(value: float):
    graph = random_float_graph(np.random.default_rng(0))
    index, weights = next((i, t) for i, t in graph.constants() if t.dtype is DType.FLOAT32)
    data = np.array(weights.data)
    data.reshape(-1)[-1] = value
    tensors = [replace(t, data=data) if i == index else t for i, t in enumerate(graph.tensors)]
    assert "not finite numbers" in refusal(write_tflite(replace(graph, tensors=tuple(tensors))))


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        (_operator_version(0), ["damaged (operator code 0 has version 0)"]),
        (_operator_version(1 << 30), ["damaged (operator code 0 has version 1073741824)"]),
        (_schema_version, ["schema version 77, all files have 3"]),
        (_operator_code(schema.BuiltinOperator.GATHER), ["not supported: GATHER (2)", "`tinynas list operators`"]),
        (_operator_code(schema.BuiltinOperator.CUSTOM), ["not supported: CUSTOM (2)"]),
        (_operator_code(9999), ["not supported: builtin code 9999 (2)"]),
        (two_subgraphs, ["has 2 subgraphs", "export one signature alone"]),
        (_cycle, ["op 0 CONV_2D", "before it is written"]),
        (_first_op(opcodeIndex=7), ["damaged"]),
        (_first_op(inputs=[0, 1, 250]), ["op 0 CONV_2D refers to tensor 250"]),
        (_first_op(inputs=[0, 1, -5]), ["op 0 CONV_2D refers to tensor -5"]),
        (_first_op(inputs=[-1, 1, 2]), ["op 0 CONV_2D has no first input"]),
        (_first_op(inputs=[]), ["op 0 CONV_2D has 0 inputs"]),
        (_first_op(outputs=[]), ["op 0 CONV_2D", "0 outputs"]),
        (_first_op(builtinOptionsType=5), ["op 0 CONV_2D has options of type 5"]),
        (_option(fusedActivationFunction=4), ["op 0 CONV_2D", "TANH is not supported; use RELU"]),
        (_option(padding=3), ["padding code 3"]),
        (_option(strideW=0), ["op 0 CONV_2D", "must be positive"]),
        (
            tensor(0, type=schema.TensorType.INT16),
            ["op 0 CONV_2D", "is int16", "16-bit activations are not supported yet"],
        ),
        (tensor(0, type=schema.TensorType.UINT8), ["is uint8, which is supported at inputs and outputs"]),
        (tensor(0, type=schema.TensorType.FLOAT32), ["float32 activations and int8 weights (dynamic-range"]),
        (tensor(0, type=99), ["of type 99"]),
        (tensor(0, quantization=None), ["int8 without a scale"]),
        (tensor(0, shape=[1, 1 << 20, 1 << 20, 4]), ["would take 4398046511104 bytes"]),
        (tensor(0, shape=[1, -1, 4, 4]), ["every dimension must be known and positive"]),
        (tensor(0, shape=[1] * 4000), ["every dimension"]),
        (tensor(0, isVariable=True), ["is a variable: the network keeps state"]),
        (tensor(0, buffer=77), ["tensor 0 has buffer 77"]),
        (tensor(0, name="a\nb\x00" * 5000, type=schema.TensorType.BOOL), ["is bool"]),
        (tensor(1, buffer=0), ["op 0 CONV_2D computes its weights", "from activations"]),
        (tensor(2, buffer=0), ["op 0 CONV_2D computes its bias"]),
        (tensor(1, shape=[1, 1, 1, 1]), ["bytes of data, the file has"]),
        (sparse, ["is stored sparse"]),
        (_custom_quantization, ["custom or blockwise quantization"]),
        (_scale(0.0), ["not a quantization"]),
        (_scale(float("nan")), ["not a quantization"]),
        (_scale(-0.5), ["not a quantization"]),
    ],
)
def test_unsupported_and_inconsistent_models(change: Callable[[Any], None], facts: list[str]):
    line = refusal(altered(change))
    for fact in facts:
        assert fact in line


def _constant_becomes_computed(model: Any) -> None:
    operator = model.subgraphs[0].operators[0]
    model.subgraphs[0].tensors[operator.inputs[1]].buffer = 0


def _constant_is_dropped(model: Any) -> None:
    model.subgraphs[0].operators[0].inputs = model.subgraphs[0].operators[0].inputs[:1]


@pytest.mark.parametrize("kind", [OpKind.PAD, OpKind.TRANSPOSE, OpKind.RESIZE_NEAREST_NEIGHBOR])
@pytest.mark.parametrize(
    ("change", "fact"), [(_constant_becomes_computed, "must be a constant"), (_constant_is_dropped, "has no")]
)
def test_operators_whose_constant_input_is_missing(kind: OpKind, change: Callable[[Any], None], fact: str):
    assert f"op 0 {kind}" in (line := refusal(altered(change, {kind})))
    assert fact in line


def _scales_apart(model: Any) -> None:
    """The first operator would have to multiply by 1e70."""
    graph = model.subgraphs[0]
    graph.tensors[graph.operators[0].inputs[0]].quantization.scale = [3e38]
    graph.tensors[graph.operators[0].outputs[0]].quantization.scale = [1e-38]


@pytest.mark.parametrize("kind", [OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.ADD, OpKind.MUL, OpKind.MEAN])
def test_scales_that_no_multiplier_takes_to_each_other(kind: OpKind):
    """Read and inspected before, then a trace when the C code was generated."""
    line = refusal(altered(_scales_apart, {kind}))
    assert f"op 0 {kind}" in line
    assert "factor" in line or "cannot bring" in line


def test_an_activation_that_overflows_its_scale_is_no_bound():
    def change(model: Any) -> None:
        model.subgraphs[0].operators[0].builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU6
        graph = model.subgraphs[0]
        graph.tensors[graph.operators[0].inputs[0]].quantization.scale = [1e-40]
        graph.tensors[graph.operators[0].outputs[0]].quantization.scale = [1e-40]

    graph = read_tflite(altered(change))
    execute(graph, random_input(graph, np.random.default_rng(0)))


def test_a_name_of_many_parts_leaves_room_for_what_is_wrong():
    """Converters join the names of all that they fused."""

    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        output = graph.tensors[graph.operators[0].outputs[0]]
        output.name, output.shape = ";".join(["model/conv/Relu"] * 100), [1, 1, 1, 1]

    line = refusal(altered(change))
    assert "op 0 CONV_2D 'model/conv/Relu' gives [1, " in line
    assert "but its output 'model/conv/Relu' is declared [1, 1, 1, 1]" in line


def test_names_hold_nothing_that_a_terminal_obeys():
    graph = read_tflite(altered(tensor(0, name="\x1b[31mred\x00\n卷积")))
    assert graph.tensors[0].name == "?[31mred??卷积"


def test_a_constant_is_not_an_output():
    def change(model: Any) -> None:
        model.subgraphs[0].outputs = [model.subgraphs[0].operators[0].inputs[1]]

    assert "is written by no op" in refusal(altered(change))
