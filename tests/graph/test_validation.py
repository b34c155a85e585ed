"""What validate refuses, one broken graph per rule."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest

from tinynas.graph import (
    Activation,
    ConcatenationAttributes,
    DType,
    Graph,
    GraphBuilder,
    GraphError,
    Quantization,
    Tensor,
    validate,
)
from tinynas.testing import random_int8_graph


def _graph() -> Graph:
    builder = GraphBuilder("net", DType.INT8)
    x = builder.input((1, 4, 4, 2))
    a = builder.conv_2d(x, 2, 1, name="a")
    b = builder.concatenation([x, a], name="b")
    return builder.build([builder.softmax(b, name="c")])


def _with_tensor(graph: Graph, name: str, **changes: object) -> Graph:
    tensors = tuple(dataclasses.replace(t, **changes) if t.name == name else t for t in graph.tensors)
    return dataclasses.replace(graph, tensors=tensors)


def _with_unread_input(graph: Graph, quantization: Quantization) -> Graph:
    """Its quantization stands in the generated header, whether an operator reads it or not."""
    unread = Tensor("unread", (1, 2), DType.INT8, quantization)
    return dataclasses.replace(graph, tensors=(*graph.tensors, unread), inputs=(*graph.inputs, len(graph.tensors)))


def _with_op(graph: Graph, position: int, **changes: object) -> Graph:
    ops = tuple(dataclasses.replace(op, **changes) if i == position else op for i, op in enumerate(graph.ops))
    return dataclasses.replace(graph, ops=ops)


_Q = Quantization((0.5,), (0,))


@pytest.mark.parametrize(
    ("break_it", "fact"),
    [
        (lambda g: dataclasses.replace(g, inputs=()), "no inputs"),
        (lambda g: dataclasses.replace(g, outputs=(99,)), "output 99"),
        (lambda g: dataclasses.replace(g, outputs=(0,), ops=()), None),
        (lambda g: dataclasses.replace(g, ops=g.ops[::-1]), "op 0 SOFTMAX 'c' reads tensor .* before it is written"),
        (lambda g: dataclasses.replace(g, ops=g.ops[:1]), "output tensor .* is written by no op"),
        (lambda g: dataclasses.replace(g, inputs=(0, 1)), "is a constant or listed twice"),
        (lambda g: _with_op(g, 1, inputs=(0, 77)), "op 1 CONCATENATION 'b': input 77"),
        (lambda g: _with_op(g, 1, inputs=(0, -1)), "input -1"),
        (lambda g: _with_op(g, 1, outputs=(0,)), "has a value already"),
        (lambda g: _with_op(g, 1, outputs=(4, 5)), "must have one output, has 2"),
        (lambda g: _with_tensor(g, "b", shape=(1, 4, 4, 5)), r"op 1 CONCATENATION 'b' gives \[1, 4, 4, 4\]"),
        (lambda g: _with_tensor(g, "a", shape=(1, 0, 4, 2)), "empty dimension"),
        (lambda g: _with_tensor(g, "a", dtype=DType.FLOAT32), "op 0 CONV_2D 'a': output 'a' is float32"),
        (lambda g: _with_tensor(g, "a/bias", dtype=DType.INT8), "bias 'a/bias' is int8, expected int32"),
        (
            lambda g: _with_op(g, 1, attributes=ConcatenationAttributes(3, Activation.RELU)),
            "no runtime fuses an activation into CONCATENATION",
        ),
        (
            lambda g: _with_tensor(_with_tensor(g, "a", quantization=_Q), "b", quantization=Quantization((0.4,), (0,))),
            "op 1 CONCATENATION 'b' does not rescale: its input 'a' has scale 0.5",
        ),
        (lambda g: _with_tensor(g, "c", quantization=_Q), "SOFTMAX gives scale 1/256 and zero point -128"),
        (
            lambda g: _with_tensor(g, "a", quantization=Quantization((0.5,), (128,))),
            "has the zero point 128, which for int8",
        ),
        (lambda g: _with_tensor(g, "a", quantization=Quantization((0.5, 1.0), (0, 0), 3)), "only weights have several"),
        (lambda g: _with_tensor(g, "a", quantization=Quantization((0.5, 1.0), (0, 0), 1)), "2 scales along axis 1"),
        (
            lambda g: _with_tensor(g, "a/weights", quantization=Quantization((0.5, 1.0), (0, 0), 3)),
            "quantized along axis 3, the kernel wants 0",
        ),
        (lambda g: _with_tensor(g, "a/weights", quantization=Quantization((0.5,), (3,))), "assumes symmetric weights"),
        (lambda g: _with_unread_input(g, Quantization((0.5, 1.0), (0, 0), 1)), "'unread' has 2 scales; only weights"),
        (lambda g: _with_tensor(g, "a/weights", quantization=Quantization((0.0,), (0,))), "not a positive number"),
        (lambda g: _with_tensor(g, "a/bias", quantization=Quantization((0.25,), (1,))), "for int32 must be 0"),
        (lambda g: _with_tensor(g, "a/bias", quantization=Quantization((math.inf,), (0,))), "not a positive number"),
    ],
)
def test_broken_graphs_are_refused(break_it: Callable[[Graph], Graph], fact: str | None):
    graph = break_it(_graph())
    if fact is None:
        validate(graph)
        return
    with pytest.raises(GraphError, match=fact) as caught:
        validate(graph)
    assert "\n" not in str(caught.value)


def test_random_graphs_and_skeletons_pass():
    validate(_graph())
    for seed in range(20):
        validate(random_int8_graph(np.random.default_rng(seed), extreme=bool(seed % 2)))


def test_the_axis_of_a_one_dimensional_tensor_is_irrelevant():
    graph = _with_tensor(_graph(), "a/bias", quantization=Quantization((0.5, 1.0), (0, 0), 3))
    validate(graph)


def test_quantization_that_is_left_on_a_float_tensor_is_ignored():
    builder = GraphBuilder("float")
    graph = builder.build([builder.softmax(builder.input((1, 4)), name="c")])
    validate(_with_tensor(graph, "c", quantization=Quantization((1 / 256,), (-128,))))
