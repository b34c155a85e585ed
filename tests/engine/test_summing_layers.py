"""Heads that add rows to sums, alone in a segment, at every number of rows a call, held and pushed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from host_models import build_models

from tinynas.graph import Activation, DType, Graph, GraphBuilder, execute
from tinynas.kernels import InstructionSet
from tinynas.lowering import StreamPlan
from tinynas.testing import random_input
from tinynas.testing._random_quantization import QuantizationFiller

_SHAPES = ((2, 1, 1), (2, 3, 4), (3, 1, 5), (7, 2, 3), (9, 4, 8))


def _mean(b: GraphBuilder, x: int, seed: int) -> int:
    return b.mean(x, keep_dims=seed % 2 == 0, name="head")


def _pool(b: GraphBuilder, x: int, seed: int) -> int:
    activation = (Activation.NONE, Activation.RELU6)[seed % 2]
    return b.average_pool_2d(x, b.shape(x)[1:3], activation=activation, name="head")


def _pixels(b: GraphBuilder, x: int, seed: int) -> int:
    if seed % 3 == 0:
        x = b.reshape(b.reshape(x, (1, -1, 1), name="once"), (1, -1), name="twice")
    return b.fully_connected(
        x, 1 + seed % 9, bias=seed % 4 > 0, activation=Activation(list(Activation)[seed % 3]), name="head"
    )


def _cases(head: Callable[[GraphBuilder, int, int], int]) -> list[tuple[Graph, list[StreamPlan]]]:
    found = []
    for shape in _SHAPES:
        for rows in range(1, shape[0] + 1):
            seed = len(found) // 2
            b = GraphBuilder("head", DType.INT8)
            skeleton = b.build([head(b, b.input((1, *shape)), seed)])
            graph = QuantizationFiller(np.random.default_rng(seed), skeleton, extreme=seed % 5 == 0).graph()
            found += [(graph, [StreamPlan(0, (rows,), pushed=pushed)]) for pushed in (False, True)]
    return found


@pytest.mark.parametrize("core", list(InstructionSet))
@pytest.mark.parametrize("head", [_mean, _pool, _pixels])
def test_heads_are_exact(head: Callable[[GraphBuilder, int, int], int], core: InstructionSet, tmp_path: Path) -> None:
    cases = _cases(head)
    models = build_models([graph for graph, _ in cases], tmp_path, [plan for _, plan in cases], [core] * len(cases))
    for seed, model in enumerate(models):
        (step,) = (step for step in model.schedule.steps if step.stream is not None)
        assert [layer.variant for layer in step.layers] == [f"{model.schedule.graph.ops[-1].kind.lower()}_rows"]
        rng = np.random.default_rng(seed)
        for _ in range(2):
            image = random_input(model.schedule.graph, rng)
            (output,) = model.run(*(np.ascontiguousarray(i) for i in image))
            expected = execute(model.schedule.graph, image)[model.schedule.graph.outputs[0]]
            np.testing.assert_array_equal(output, expected)
