"""What every operator promises: inherit `BaseOperatorTestCase`, and override `graphs`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tinynas.formats import read_tflite, write_tflite
from tinynas.graph import DType, Graph, GraphError, execute, list_operators, validate
from tinynas.testing._random_graphs import random_input
from tinynas.testing._runtimes import run_litert

_SEEDS = range(4)
_BATCH = 3


class BaseOperatorTestCase:
    """The contract of an `OpSpec` and its `OperatorFormat`, for operators in this project and in others."""

    @pytest.fixture
    def graphs(self) -> Sequence[Graph]:
        """Quantized networks, each of one operator, that show all of its attributes."""
        raise NotImplementedError

    def test_it_is_listed_with_a_description(self, graphs: Sequence[Graph]) -> None:
        listed = {operator.name: operator.description for operator in list_operators()}
        for graph in graphs:
            (op,) = graph.ops
            assert listed[op.kind] == op.spec.description
            assert op.spec.support

    def test_files_keep_it(self, graphs: Sequence[Graph]) -> None:
        for graph in graphs:
            assert read_tflite(write_tflite(graph)) == graph

    def test_outputs_are_those_of_litert(self, graphs: Sequence[Graph]) -> None:
        """In int8, to the last bit of every tensor."""
        for graph in graphs:
            content = write_tflite(graph)
            for seed in _SEEDS:
                inputs = random_input(graph, np.random.default_rng(seed))
                reference = run_litert(content, inputs)
                for t, value in execute(graph, inputs).items():
                    np.testing.assert_array_equal(value, reference[t])

    def test_a_batch_equals_its_images(self, graphs: Sequence[Graph]) -> None:
        for graph in graphs:
            batch = random_input(graph, np.random.default_rng(0), batch=_BATCH)
            together = execute(graph, batch)
            for image in range(_BATCH):
                alone = execute(graph, [np.split(x, _BATCH)[image] for x in batch])
                for t, value in alone.items():
                    np.testing.assert_array_equal(np.split(together[t], _BATCH)[image], value)

    def test_the_shape_of_an_output_is_the_one_that_follows(self, graphs: Sequence[Graph]) -> None:
        for graph in graphs:
            output = graph.outputs[0]
            wrong = replace(graph.tensors[output], shape=(*graph.tensors[output].shape, 2))
            tensors = (*graph.tensors[:output], wrong, *graph.tensors[output + 1 :])
            with pytest.raises(GraphError, match="declared"):
                validate(replace(graph, tensors=tensors))

    def test_it_refuses_types_that_it_does_not_take(self, graphs: Sequence[Graph]) -> None:
        for graph in graphs:
            (op,) = graph.ops
            others = [dtype for dtype in DType if dtype not in op.spec.input_types]
            x = op.inputs[0]
            for dtype in others:
                wrong = replace(graph.tensors[x], dtype=dtype, quantization=None)
                with pytest.raises(GraphError, match="expected"):
                    validate(replace(graph, tensors=(*graph.tensors[:x], wrong, *graph.tensors[x + 1 :])))
