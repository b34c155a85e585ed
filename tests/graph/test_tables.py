"""Operators that are tables: every input, every output, against both runtimes, with scales and zero points."""

from __future__ import annotations

import importlib
from dataclasses import replace

import numpy as np
import pytest

from tinynas.formats import write_tflite
from tinynas.graph import (
    OWN_KINDS,
    Attributes,
    DType,
    Graph,
    GraphError,
    LeakyReluAttributes,
    Op,
    OpKind,
    Quantization,
    Runtime,
    Tensor,
    UnaryAttributes,
    execute,
)
from tinynas.graph.fixed_point import table_of
from tinynas.kernels import CATALOGUE
from tinynas.lowering import lower
from tinynas.testing import run_litert, run_tflm
from tinynas.testing.operators import OF_ONE_RUNTIME, unary_attributes
from tinynas.testing.operators.unary import OF_LITERT, OF_TFLM

TABLES = [kind for kind in OWN_KINDS if kind.spec.table is not None]
EVERY_INPUT = np.arange(-128, 128).astype(np.int8).reshape(1, 16, 16, 1)


def _network(kind: OpKind, rng: np.random.Generator) -> Graph:
    x = Quantization((float(2 ** rng.uniform(-9, 0)),), (int(rng.integers(-128, 128)),))
    y = kind.spec.fixed_output
    if y is None:
        # Equal scales take a path of their own in ABS.
        scale = x.scale if rng.random() < 0.2 else x.scale * 2 ** rng.uniform(-4, 4)
        y = Quantization((float(scale),), (int(rng.integers(-128, 128)),))
    tensors = (Tensor("x", (1, 16, 16, 1), DType.INT8, x), Tensor("y", (1, 16, 16, 1), DType.INT8, y))
    return Graph(tensors, (Op(kind, (0,), (1,), unary_attributes(kind, rng), "y"),), (0,), (1,))


@pytest.mark.parametrize("kind", TABLES)
def test_every_input_gives_what_the_reference_kernels_give(kind: OpKind) -> None:
    for seed in range(40):
        graph = _network(kind, np.random.default_rng(seed))
        content = write_tflite(graph)
        if kind not in OF_TFLM:
            np.testing.assert_array_equal(execute(graph, [EVERY_INPUT])[1], run_litert(content, [EVERY_INPUT])[1])
        if kind not in OF_LITERT:
            as_tflm = execute(graph, [EVERY_INPUT], runtime=Runtime.TFLM)[1]
            np.testing.assert_array_equal(as_tflm, run_tflm(content, [EVERY_INPUT])[0])


def _of(kind: OpKind, x: Quantization, y: Quantization, attributes: Attributes) -> Graph:
    tensors = (Tensor("x", (1, 16, 16, 1), DType.INT8, x), Tensor("y", (1, 16, 16, 1), DType.INT8, y))
    return Graph(tensors, (Op(kind, (0,), (1,), attributes, "y"),), (0,), (1,))


def _equals_both(graph: Graph) -> None:
    content = write_tflite(graph)
    np.testing.assert_array_equal(execute(graph, [EVERY_INPUT])[1], run_litert(content, [EVERY_INPUT])[1])
    as_tflm = execute(graph, [EVERY_INPUT], runtime=Runtime.TFLM)[1]
    np.testing.assert_array_equal(as_tflm, run_tflm(content, [EVERY_INPUT])[0])


@pytest.mark.parametrize("alpha", [-0.5, -0.75, -0.125, -1.5])
@pytest.mark.parametrize("zero_point", [3, 127])
@pytest.mark.parametrize(("x_scale", "scale"), [(1 / 16, 1 / 16), (1 / 16, 1 / 8), (0.25, 1.0), (0.1, 0.1)])
def test_halves_of_a_negative_alpha(alpha: float, zero_point: int, x_scale: float, scale: float) -> None:
    x, y = Quantization((x_scale,), (zero_point,)), Quantization((scale,), (-5,))
    _equals_both(_of(OpKind.LEAKY_RELU, x, y, LeakyReluAttributes(alpha)))


@pytest.mark.parametrize(
    ("kind", "x_scale", "scale", "zero_point"),
    [
        ("LEAKY_RELU", "0x1.2e927ep-1", "0x1.936dfep-2", 0),
        ("LEAKY_RELU", "0x1.163bbcp-3", "0x1.72fa50p-3", 127),
        ("ABS", "0x1.067044p-3", "0x1.5deb06p-3", 0),
        ("ABS", "0x1.188bdap-4", "0x1.760fcep-4", 0),
    ],
)
def test_scales_of_which_float32_and_double_give_different_outputs(
    kind: str, x_scale: str, scale: str, zero_point: int
) -> None:
    x, y = (Quantization((float.fromhex(s),), (z,)) for s, z in ((x_scale, zero_point), (scale, -5)))
    attributes = LeakyReluAttributes(float(np.float32(1 / 3))) if kind == "LEAKY_RELU" else UnaryAttributes()
    graph = _of(OpKind(kind), x, y, attributes)
    _equals_both(graph)
    values = [execute(graph, [EVERY_INPUT], runtime=runtime)[1] for runtime in Runtime]
    assert not np.array_equal(*values)


@pytest.mark.parametrize("exponent", [-12, -13])
def test_elu_near_zero_is_that_of_each_runtime(exponent: int) -> None:
    """There expm1 and exp - 1 differ. LiteRT's reference kernels lack ELU, so its others are asked."""
    interpreters = importlib.import_module("ai_edge_litert.interpreter")
    x, y = Quantization((2.0**exponent,), (127,)), Quantization((2.0 ** (exponent + 1),), (100,))
    graph = _of(OpKind.ELU, x, y, UnaryAttributes())
    content = write_tflite(graph)
    resolver = interpreters.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = interpreters.Interpreter(model_content=content, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], EVERY_INPUT)
    interpreter.invoke()
    litert = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    tflm = run_tflm(content, [EVERY_INPUT])[0]
    assert not np.array_equal(litert, tflm)
    np.testing.assert_array_equal(execute(graph, [EVERY_INPUT])[1], litert)
    np.testing.assert_array_equal(execute(graph, [EVERY_INPUT], runtime=Runtime.TFLM)[1], tflm)


@pytest.mark.parametrize("zero_point", [-128, 3, 127])
@pytest.mark.parametrize(
    ("x_scale", "scale"), [(1e-3, 0.52), (0.1, 52.0), (0.1, 70.0), (1.7e-7, 1e-7), (1.7e-7, 1.7e-7), (1e-10, 3e-11)]
)
def test_a_hard_swish_that_shifts_by_16_and_more(x_scale: float, scale: float, zero_point: int) -> None:
    """Scales of outputs 512 times those of inputs and more, and inputs near zero."""
    x, y = (Quantization((float(np.float32(s)),), (z,)) for s, z in ((x_scale, zero_point), (scale, -5)))
    _equals_both(_of(OpKind.HARD_SWISH, x, y, UnaryAttributes()))


@pytest.mark.parametrize("kind", sorted(OF_ONE_RUNTIME))
def test_the_other_runtime_lacks_it(kind: OpKind) -> None:
    content = write_tflite(_network(kind, np.random.default_rng(0)))
    with pytest.raises((RuntimeError, ValueError)):
        run_litert(content, [EVERY_INPUT]) if kind in OF_TFLM else run_tflm(content, [EVERY_INPUT])


@pytest.mark.parametrize("kind", TABLES)
def test_in_float32_it_equals_litert(kind: OpKind) -> None:
    if kind in OF_TFLM:
        pytest.skip("LiteRT's reference kernels lack it")
    rng = np.random.default_rng(1)
    tensors = tuple(Tensor(name, (1, 8, 8, 2), DType.FLOAT32) for name in "xy")
    graph = Graph(tensors, (Op(kind, (0,), (1,), unary_attributes(kind, rng), "y"),), (0,), (1,))
    x = rng.normal(0, 4, (1, 8, 8, 2)).astype(np.float32)
    np.testing.assert_allclose(execute(graph, [x])[1], run_litert(write_tflite(graph), [x])[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "scale"), [(OpKind.LOGISTIC, "1/256"), (OpKind.TANH, "1/128")])
def test_a_fixed_scale_of_the_output_is_asked_for(kind: OpKind, scale: str) -> None:
    q = Quantization((0.1,), (0,))
    tensors = tuple(Tensor(name, (1, 2), DType.INT8, q) for name in "xy")
    graph = Graph(tensors, (Op(kind, (0,), (1,), UnaryAttributes(), "y"),), (0,), (1,))
    with pytest.raises(GraphError, match=f"an int8 {kind} gives scale {scale} and zero point"):
        execute(graph, [np.zeros((1, 2), np.int8)])


def test_a_hard_swish_to_a_scale_that_no_runtime_takes_is_refused() -> None:
    x, y = Quantization((1.0,), (0,)), Quantization((1 / 300,), (0,))
    tensors = (Tensor("x", (1, 2), DType.INT8, x), Tensor("y", (1, 2), DType.INT8, y))
    graph = Graph(tensors, (Op(OpKind.HARD_SWISH, (0,), (1,), UnaryAttributes(), "y"),), (0,), (1,))
    with pytest.raises(GraphError, match="HARD_SWISH cannot bring an input of scale"):
        execute(graph, [np.zeros((1, 2), np.int8)])


def test_a_scale_without_an_inverse_is_refused() -> None:
    x, y = Quantization((0.1,), (0,)), Quantization((1e-39,), (0,))
    with pytest.raises(GraphError, match="ELU 'y': the inverse of the output scale 1e-39 is infinite in float32"):
        execute(_of(OpKind.ELU, x, y, UnaryAttributes()), [EVERY_INPUT])
    with pytest.raises(ValueError, match="infinite in float32"):
        table_of(np.exp, x, y)


@pytest.mark.parametrize(
    ("entries", "found"), [(np.zeros(255, np.int8), r"int8 \[255\]"), (np.zeros(256, np.int64), r"int64 \[256\]")]
)
def test_a_table_of_another_type_or_length_is_refused(
    entries: np.ndarray, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before an executor or a kernel looks anything up in it."""
    q = Quantization((0.1,), (0,))
    graph = _of(OpKind.ABS, q, q, UnaryAttributes())
    schedule = lower(graph)
    monkeypatch.setattr(OpKind.ABS, "_spec", replace(OpKind.ABS.spec, table=lambda op, x, output, runtime: entries))
    message = f"ABS 'y': its table is {found}, expected int8 \\[256\\]"
    with pytest.raises(GraphError, match=message):
        execute(graph, [EVERY_INPUT])
    (step,) = schedule.steps
    with pytest.raises(GraphError, match=message):
        CATALOGUE[step.variant].pack(schedule.call(step), "abs")


def test_a_leaky_relu_needs_its_alpha() -> None:
    with pytest.raises(TypeError, match="LEAKY_RELU 'y' needs LeakyReluAttributes, got UnaryAttributes"):
        Op(OpKind.LEAKY_RELU, (0,), (1,), UnaryAttributes(), "y")
    assert LeakyReluAttributes(0.1).alpha == 0.1
