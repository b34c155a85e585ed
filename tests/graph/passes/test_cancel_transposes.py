"""TRANSPOSE operators: which cancel, which go through other operators, and which stay."""

from __future__ import annotations

import numpy as np
import pytest

from tinynas.graph import DType, Graph, GraphBuilder, OpKind, execute, simplified
from tinynas.latency import with_random_constants
from tinynas.testing import random_input

NHWC, NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


def built(builder: GraphBuilder, *outputs: int) -> Graph:
    return with_random_constants(builder.build(list(outputs)), seed=0)


def kinds_after(graph: Graph) -> list[str]:
    """The operators that are left, in order; what they compute is what the graph computed."""
    after = simplified(graph)
    inputs = random_input(graph, np.random.default_rng(0))
    before_values, after_values = execute(graph, inputs), execute(after, inputs)
    for before, t in zip(graph.outputs, after.outputs, strict=True):
        np.testing.assert_array_equal(before_values[before], after_values[t])
        assert graph.tensors[before].name == after.tensors[t].name
    return [op.kind.value for op in after.ops]


def test_convolutions_between_transposes_keep_those_at_the_borders() -> None:
    b = GraphBuilder("nchw", DType.INT8)
    x = b.input((1, 3, 8, 8))
    for i in range(3):
        x = b.transpose(b.conv_2d(b.transpose(x, NHWC), 4, 3, name=f"conv{i}"), NCHW)
    assert kinds_after(built(b, x)) == ["TRANSPOSE", "CONV_2D", "CONV_2D", "CONV_2D", "TRANSPOSE"]


def test_a_residual_block_in_nchw_is_one_in_nhwc() -> None:
    b = GraphBuilder("residual", DType.INT8)
    x = b.transpose(b.conv_2d(b.input((1, 8, 8, 4)), 4, 1, name="stem"), NCHW)
    branch = b.transpose(b.conv_2d(b.transpose(x, NHWC), 4, 3, name="branch"), NCHW)
    y = b.conv_2d(b.transpose(b.add(x, branch), NHWC), 4, 1, name="last")
    assert kinds_after(built(b, y)) == ["CONV_2D", "CONV_2D", "ADD", "CONV_2D"]


def test_a_mean_over_rows_and_columns_of_nchw_needs_no_transpose() -> None:
    b = GraphBuilder("head", DType.INT8)
    x = b.transpose(b.conv_2d(b.input((1, 8, 8, 4)), 6, 3, name="conv"), NCHW)
    y = b.fully_connected(b.mean(x, (2, 3), keep_dims=False), 3, name="dense")
    assert kinds_after(built(b, y)) == ["CONV_2D", "MEAN", "FULLY_CONNECTED"]


def test_two_that_are_one_are_one() -> None:
    b = GraphBuilder("turns", DType.INT8)
    x = b.transpose(b.transpose(b.input((1, 5, 6, 7)), (0, 2, 3, 1)), (0, 2, 1, 3))
    assert kinds_after(built(b, b.softmax(x))) == ["TRANSPOSE", "SOFTMAX"]


def test_a_transpose_of_dimensions_of_one_moves_nothing() -> None:
    b = GraphBuilder("grey", DType.INT8)
    x = b.transpose(b.input((1, 1, 8, 8)), NHWC)
    assert kinds_after(built(b, b.conv_2d(x, 4, 3, name="conv"))) == ["RESHAPE", "CONV_2D"]


def test_what_others_read_is_transposed_once() -> None:
    b = GraphBuilder("shared", DType.INT8)
    x = b.transpose(b.input((1, 3, 8, 8)), NHWC)
    y = b.add(b.conv_2d(x, 4, 3, name="a"), b.conv_2d(x, 4, 3, name="b"))
    assert kinds_after(built(b, y)) == ["TRANSPOSE", "CONV_2D", "CONV_2D", "ADD"]


def test_an_output_and_its_transpose_stay_two_outputs() -> None:
    b = GraphBuilder("two", DType.INT8)
    x = b.softmax(b.input((1, 5, 6, 7)))
    there = b.transpose(x, NCHW)
    back = b.transpose(there, NHWC)
    graph = built(b, x, there, back)
    after = simplified(graph)
    assert len(set(after.outputs)) == 3
    kinds_after(graph)


@pytest.mark.parametrize("moves", [1, 2])
def test_a_network_of_nothing_but_transposes_still_computes_its_output(moves: int) -> None:
    b = GraphBuilder("nothing", DType.INT8)
    x = b.input((1, 5, 6, 7))
    for permutation in (NCHW, NHWC)[:moves]:
        x = b.transpose(x, permutation)
    assert kinds_after(built(b, x))[-1] in (OpKind.TRANSPOSE, OpKind.RESHAPE)
