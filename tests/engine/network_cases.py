"""Networks to generate code for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.kernels import KernelVariant
from tinynas.testing import random_int8_graph
from tinynas.testing._random_quantization import QuantizationFiller

MODELS = Path(__file__).resolve().parents[3] / "shared" / "models"


def random_graphs(seeds: range) -> list[Graph]:
    """One network per seed; every third has scales that saturate or vanish."""
    return [random_int8_graph(np.random.default_rng(seed), operators=10, extreme=seed % 3 == 0) for seed in seeds]


def filled(skeleton: Graph, seed: int = 0) -> Graph:
    """`skeleton` with random weights and quantization."""
    return QuantizationFiller(np.random.default_rng(seed), skeleton, extreme=False).graph()


def channel_buffers() -> Graph:
    """Windows of three, five and seven, and of other sizes, strides of one and two, odd and even; channels in fours."""
    b = GraphBuilder("planes", DType.INT8)
    x = b.input((1, 23, 17, 19))
    branches = [
        b.mean(
            b.depthwise_conv_2d(x, kernel, stride=stride, name=f"d{kernel}-{stride}"),
            keep_dims=True,
            name=f"m{kernel}-{stride}",
        )
        for kernel in (2, 3, 5, 7, 9)
        for stride in (1, 2)
    ]
    fours = b.depthwise_conv_2d(b.conv_2d(x, 12, 1, name="expand"), 3, stride=2, name="fours")
    branches.append(b.mean(b.conv_2d(fours, 19, 1, name="project"), keep_dims=True, name="mean"))
    x = b.depthwise_conv_2d(x, (3, 5), stride=2, name="flat")
    for i, branch in enumerate(branches):
        x = b.add(x, branch, name=f"add{i}")
    return filled(b.build([x]), seed=5)


def constant_operands() -> Graph:
    """Operators with constant operands, and two outputs."""
    b = GraphBuilder("constants", DType.INT8)
    x, table, row = (b.input(shape, name) for shape, name in (((1, 3, 3, 5), "x"), ((1, 3, 3, 5), "t"), ((5,), "r")))
    summed = b.add(table, x, name="sum")
    scaled = b.mul(summed, row, name="scaled")
    graph = filled(b.build([b.concatenation([scaled, table, x], name="joined"), summed]))
    rng = np.random.default_rng(3)
    tensors = list(graph.tensors)
    for t in (table, row):
        data = rng.integers(-128, 128, tensors[t].shape).astype(np.int8)
        tensors[t] = replace(tensors[t], constant=True, data=data)
    return replace(graph, tensors=tuple(tensors), inputs=(x,))


def in_plain_schedules(variant: KernelVariant) -> bool:
    """Whether networks that run as a whole have a kernel: not what segments bring, nor what spends flash for speed."""
    return bool(variant.kinds) and not (variant.for_speed or variant.few_rows or variant.keeps_sums)
