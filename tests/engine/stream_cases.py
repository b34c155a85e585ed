"""Networks of layers that work row by row, and random plans for them."""

from __future__ import annotations

import itertools

import numpy as np
from network_cases import filled

from tinynas.graph import Activation, DType, Graph, GraphBuilder, Padding
from tinynas.lowering import Schedule, StreamError, StreamPlan, lower, streamed_shape
from tinynas.testing.layers import random_head

_LAYERS = 7
_PLANS = 3
_ATTEMPTS = 40


def random_network(seed: int) -> Graph:
    """A chain of windows, residual sums and element-wise layers of all kinds, and a head."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder("segments", DType.INT8)

    def number(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    x = b.input((1, number(6, 30), number(3, 11), number(1, 12)))
    for i in range(_LAYERS):
        _, height, width, channels = b.shape(x)
        kind = rng.choice(["conv", "pad", "pad alone", "depthwise", "pointwise", "pool", "residual", "requantize"])
        padding = Padding.SAME if rng.random() < 0.8 or min(height, width) < 5 else Padding.VALID
        stride = number(1, 2) if height > 6 else 1
        if kind == "conv":
            x = b.conv_2d(
                x,
                number(1, 16),
                (number(1, 5), number(1, 3)),
                stride=stride,
                dilation=1 if stride == 2 else number(1, 2),
                activation=Activation.RELU6,
                name=f"conv{i}",
            )
        elif kind == "pad":
            y = b.pad(x, [(0, 0), (number(0, 3), number(0, 3)), (1, 1), (0, 0)], name=f"pad{i}")
            size = (min(5, b.shape(y)[1]), 3)
            x = b.conv_2d(y, number(1, 8), size, padding=Padding.VALID, stride=stride, name=f"padded{i}")
        elif kind == "pad alone":
            y = b.pad(x, [(0, 0), (number(0, 3), number(0, 3)), (1, 0), (0, 0)], name=f"pad{i}")
            x = b.max_pool_2d(y, 2, stride=stride, name=f"pool{i}")
        elif kind == "depthwise":
            x = b.depthwise_conv_2d(
                x, int(rng.choice([3, 3, 5, 7])), stride=stride, padding=Padding.SAME, name=f"depthwise{i}"
            )
        elif kind == "pointwise":
            x = b.conv_2d(x, number(2, 24), 1, name=f"pointwise{i}")
        elif kind == "pool":
            build = b.average_pool_2d if rng.random() < 0.5 else b.max_pool_2d
            x = build(x, (number(1, 3), number(1, 2)), stride=stride, padding=padding, name=f"pool{i}")
        elif kind == "requantize":
            x = b.quantize(x, name=f"requantize{i}")
        else:
            y = b.conv_2d(x, 4 * channels, 1, name=f"expand{i}")
            y = b.depthwise_conv_2d(y, int(rng.choice([3, 5])), name=f"between{i}")
            x = b.add(x, b.conv_2d(y, channels, 1, name=f"project{i}"), name=f"sum{i}")
    return filled(b.build([random_head(rng, b, x)]), seed)


def random_plans(graph: Graph, seed: int) -> list[tuple[StreamPlan, ...]]:
    """Some segments that this network can run row by row, in plans of one to three of them."""
    rng = np.random.default_rng(seed)
    plain = lower(graph)
    found: list[tuple[StreamPlan, ...]] = []
    for _ in range(_ATTEMPTS):
        bounds = sorted(int(n) for n in rng.choice(len(plain.steps) + 1, size=int(rng.integers(2, 5)), replace=False))
        most = int(rng.integers(1, 5))
        plan = tuple(
            StreamPlan(first, tuple(_rows(rng, plain, i, most) for i in range(first, end)))
            for first, end in itertools.pairwise(bounds)
            if rng.random() < 0.8
        )
        try:
            lower(graph, streams=plan)
        except StreamError:
            continue
        if plan and plan not in found:
            found.append(plan)
    return found[:_PLANS]


def pushed_plans(graph: Graph, seed: int) -> list[tuple[StreamPlan, ...]]:
    """Plans in which the first segment takes the input row by row, some with segments behind it."""
    rng = np.random.default_rng([seed, 1])
    plain = lower(graph)
    others = [plan for plans in random_plans(graph, seed) for plan in plans]
    found: list[tuple[StreamPlan, ...]] = []
    for end in range(len(plain.steps), 0, -1):
        most = int(rng.integers(1, 5))
        rows = tuple(_rows(rng, plain, i, most) for i in range(end))
        behind = [plan for plan in others if plan.first >= end][:1]
        plan = (StreamPlan(0, rows, pushed=True), *behind)
        try:
            lower(graph, streams=plan)
        except StreamError:
            continue
        found.append(plan)
    return found[:_PLANS]


def _rows(rng: np.random.Generator, plain: Schedule, position: int, most: int) -> int:
    height, _ = streamed_shape(plain, position)
    return int(rng.integers(1, min(most, height) + 1))
