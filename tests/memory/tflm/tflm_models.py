"""Models for the tests: random networks, one network per operator, and the real ones where they are present."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tinynas.graph import (
    DType,
    Graph,
    GraphBuilder,
    LeakyReluAttributes,
    OpKind,
    Quantization,
    UnaryAttributes,
)
from tinynas.testing import random_int8_graph

MODELS = Path(__file__).resolve().parents[4] / "shared" / "models"


def known_model(name: str) -> bytes:
    """A real model; skips the test where it is not at hand."""
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path.name} is not beside the repository")
    return path.read_bytes()


def random_graph(seed: int) -> Graph:
    """A random network of up to two dozen operators of every kind."""
    rng = np.random.default_rng(seed)
    return random_int8_graph(rng, operators=int(rng.integers(1, 25)), extreme=seed % 7 == 0)


def quantized(graph: Graph) -> Graph:
    """A skeleton with quantization parameters and weights: per channel in convolutions, per tensor elsewhere."""
    tensors = [
        dataclasses.replace(t, quantization=Quantization((0.05,), (0,)))
        if t.dtype is DType.INT8 and not t.constant
        else t
        for t in graph.tensors
    ]
    for op in graph.ops:
        if op.spec.fixed_output is not None:
            y = op.outputs[0]
            tensors[y] = dataclasses.replace(tensors[y], quantization=op.spec.fixed_output)
        weighted = op.kind in (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)
        for t in (t for t in op.inputs[1:] if weighted and t >= 0):
            axis = 3 if op.kind is OpKind.DEPTHWISE_CONV_2D and len(tensors[t].shape) == 4 else 0
            channels = 1 if op.kind is OpKind.FULLY_CONNECTED else tensors[t].shape[axis]
            scale = 0.01 if tensors[t].dtype is DType.INT8 else 0.0005
            quantization = Quantization((scale,) * channels, (0,) * channels, axis)
            data = np.ones(tensors[t].shape, tensors[t].dtype.numpy)
            tensors[t] = dataclasses.replace(tensors[t], quantization=quantization, data=data)
    return dataclasses.replace(graph, tensors=tuple(tensors))


def skeleton(build: Callable[[GraphBuilder, int], int], shape: tuple[int, ...] = (1, 9, 7, 4)) -> Graph:
    """A network of one input, without weights."""
    builder = GraphBuilder(dtype=DType.INT8)
    return builder.build([build(builder, builder.input(shape))])


def _unary(kind: str) -> Callable[[GraphBuilder, int], int]:
    return lambda b, x: b.operator(OpKind(kind), [x], UnaryAttributes(), name="op")[0]


ONE_OPERATOR: dict[str, Callable[[GraphBuilder, int], int]] = {
    "conv": lambda b, x: b.conv_2d(x, 6, 3, name="op"),
    "conv without bias": lambda b, x: b.conv_2d(x, 6, 3, bias=False, name="op"),
    "grouped conv": lambda b, x: b.conv_2d(x, 6, 3, groups=2, name="op"),
    "wide conv": lambda b, x: b.conv_2d(x, 257, 1, name="op"),
    "depthwise conv": lambda b, x: b.depthwise_conv_2d(x, 3, depth_multiplier=2, name="op"),
    "depthwise conv without bias": lambda b, x: b.depthwise_conv_2d(x, 5, bias=False, name="op"),
    "fully connected": lambda b, x: b.fully_connected(b.reshape(x, (1, -1)), 10, name="op"),
    "fully connected without bias": lambda b, x: b.fully_connected(b.reshape(x, (1, -1)), 10, bias=False, name="op"),
    "average pool": lambda b, x: b.average_pool_2d(x, 2, name="op"),
    "max pool": lambda b, x: b.max_pool_2d(x, 2, name="op"),
    "add": lambda b, x: b.add(x, b.max_pool_2d(x, 1, name="p"), name="op"),
    "add to itself": lambda b, x: b.add(x, x, name="op"),
    "mul by one value per channel": lambda b, x: b.mul(x, b.average_pool_2d(x, (9, 7), name="p"), name="op"),
    "concatenation": lambda b, x: b.concatenation([x, b.max_pool_2d(x, 1, name="p"), x], name="op"),
    "pad": lambda b, x: b.pad(x, ((0, 0), (1, 1), (2, 2), (0, 3)), name="op"),
    "mean": lambda b, x: b.mean(x, name="op"),
    "mean of one axis": lambda b, x: b.mean(x, axes=(3,), keep_dims=True, name="op"),
    "softmax": lambda b, x: b.softmax(x, name="op"),
    "reshape": lambda b, x: b.reshape(x, (1, -1), name="op"),
    "resize": lambda b, x: b.resize_nearest_neighbor(x, (18, 14), name="op"),
    "transpose": lambda b, x: b.transpose(x, (0, 2, 1, 3), name="op"),
    "dequantize": lambda b, x: b.dequantize(x, name="op"),
    "requantize": lambda b, x: b.quantize(x, name="op"),
    **{kind.lower(): _unary(kind) for kind in ("LOGISTIC", "TANH", "HARD_SWISH", "ELU", "RELU", "RELU6", "ABS")},
    "leaky relu": lambda b, x: b.operator(OpKind.LEAKY_RELU, [x], LeakyReluAttributes(0.1), name="op")[0],
}
