"""The operator keeps the contract of all operators: shapes, files, LiteRT's bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tinynas_example_plugin.exp import ExpAttributes

from tinynas.graph import DType, Graph, GraphBuilder, OpKind, Quantization
from tinynas.testing import BaseOperatorTestCase


def _network(x: Quantization, y: Quantization) -> Graph:
    builder = GraphBuilder("exp", DType.INT8)
    (output,) = builder.operator(OpKind.EXP, [builder.input((1, 4, 16, 4))], ExpAttributes(), name="exp")
    graph = builder.build([output])
    tensors = (replace(graph.tensors[0], quantization=x), replace(graph.tensors[1], quantization=y))
    return replace(graph, tensors=tensors)


class TestExp(BaseOperatorTestCase):
    """EXP, by its name."""

    @pytest.fixture
    def graphs(self) -> Sequence[Graph]:
        return [
            _network(Quantization((0.02,), (5,)), Quantization((0.07,), (-128,))),
            _network(Quantization((0.1,), (-128,)), Quantization((50.0,), (-100,))),
            _network(Quantization((0.004,), (127,)), Quantization((1 / 256,), (-128,))),
        ]
