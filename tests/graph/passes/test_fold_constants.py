"""Folding: what is computed in advance, and what is left because it is too large or sums up."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from tinynas.graph import (
    OWN_KINDS,
    ConcatenationAttributes,
    DType,
    ElementwiseAttributes,
    Graph,
    LeakyReluAttributes,
    MeanAttributes,
    Op,
    OpKind,
    Quantization,
    ResizeNearestNeighborAttributes,
    ShapeAttributes,
    Tensor,
    UnaryAttributes,
    execute,
    simplified,
)
from tinynas.graph.passes import PASSES
from tinynas.kernels import UnsupportedGraphError
from tinynas.lowering import Lowering

SCALE = Quantization((0.1,), (3,))


def beside_an_input(dtype: DType, constant: np.ndarray, op: Op, shape: tuple[int, ...]) -> Graph:
    """ADD of the input and what one operator makes of a constant."""
    quantization = SCALE if dtype is DType.INT8 else None
    tensors = (
        Tensor("x", shape, dtype, quantization),
        Tensor("constant", constant.shape, dtype, quantization, True, constant),
        Tensor("computed", shape, dtype, quantization),
        Tensor("y", shape, dtype, quantization),
    )
    add = Op(OpKind.ADD, (0, 2), (3,), ElementwiseAttributes(), "add")
    return Graph(tensors, (op, add), (0,), (3,))


def resized(side: int) -> Graph:
    op = Op(OpKind.RESIZE_NEAREST_NEIGHBOR, (1,), (2,), ResizeNearestNeighborAttributes((side, side)), "resize")
    return beside_an_input(DType.INT8, np.arange(4, dtype=np.int8).reshape(1, 2, 2, 1), op, (1, side, side, 1))


def test_a_constant_is_computed_in_advance() -> None:
    graph = resized(6)
    after = simplified(graph)
    assert [op.kind for op in after.ops] == [OpKind.ADD]
    x = np.arange(36, dtype=np.int8).reshape(1, 6, 6, 1)
    np.testing.assert_array_equal(*(next(iter(execute(g, [x]).values())) for g in (graph, after)))


@pytest.mark.parametrize("kind", [kind for kind in OWN_KINDS if kind.spec.table is not None])
def test_a_table_of_a_constant_is_computed_in_advance(kind: OpKind) -> None:
    attributes = LeakyReluAttributes(0.1) if kind is OpKind.LEAKY_RELU else UnaryAttributes()
    constant = np.arange(-8, 8, dtype=np.int8).reshape(1, 4, 4, 1)
    graph = beside_an_input(DType.INT8, constant, Op(kind, (1,), (2,), attributes, "table"), (1, 4, 4, 1))
    computed = replace(graph.tensors[2], quantization=kind.spec.fixed_output or SCALE)
    graph = replace(graph, tensors=(*graph.tensors[:2], computed, *graph.tensors[3:]))
    after = simplified(graph)
    assert [op.kind for op in after.ops] == [OpKind.ADD]
    np.testing.assert_array_equal(*(next(iter(execute(g, [-constant]).values())) for g in (graph, after)))
    assert len(Lowering()(after).steps) == 1


def test_a_table_of_a_float_constant_stays_with_the_runtime() -> None:
    """The functions of C libraries differ in the last bit."""
    op = Op(OpKind.LOGISTIC, (1,), (2,), UnaryAttributes(), "table")
    graph = beside_an_input(DType.FLOAT32, np.ones((1, 2), np.float32), op, (1, 2))
    assert simplified(graph) is graph


def test_what_sums_up_constants_says_that_nothing_computes_it() -> None:
    op = Op(OpKind.MEAN, (1,), (2,), MeanAttributes((1, 2), keep_dims=True), "mean")
    graph = beside_an_input(DType.INT8, np.ones((1, 2, 2, 3), np.int8), op, (1, 1, 1, 3))
    assert simplified(graph) is graph
    with pytest.raises(UnsupportedGraphError, match="'mean': all of its inputs are constant: nothing computes it"):
        Lowering()(graph)


def test_what_no_microcontroller_holds_is_not_computed() -> None:
    """A file of some bytes may ask for a constant of a gigabyte."""
    graph = resized(1 << 14)
    tracemalloc.start()
    start = time.process_time()
    after = simplified(graph)
    assert time.process_time() - start < 1
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert after is graph
    with pytest.raises(UnsupportedGraphError, match="'resize': all of its inputs are constant"):
        Lowering()(after)


def test_many_constants_are_as_large_as_one() -> None:
    """Each doubles the one before: those of 128 KB to 4 MB are 8 MB together, the next one would be too many."""
    x = Tensor("x", (1 << 16,), DType.INT8, SCALE, True, np.zeros(1 << 16, np.int8))
    tensors, ops = [x], []
    for size in range(17, 27):
        tensors.append(Tensor(f"c{size}", (1 << size,), DType.INT8, SCALE))
        y = len(tensors) - 1
        ops.append(Op(OpKind.CONCATENATION, (y - 1, y - 1), (y,), ConcatenationAttributes(0), f"c{size}"))
    graph = Graph(tuple(tensors), tuple(ops), (), (len(tensors) - 1,))
    assert [op.name for op in PASSES["fold constants"](graph).ops] == ["c23", "c24", "c25", "c26"]


def test_float_sums_stay_with_the_runtime() -> None:
    """Their order is each runtime's own."""
    constant = np.ones((1, 2, 2, 3), np.float32)
    op = Op(OpKind.MEAN, (1,), (2,), MeanAttributes((1, 2), keep_dims=True), "mean")
    graph = beside_an_input(DType.FLOAT32, constant, op, (1, 1, 1, 3))
    assert simplified(graph) is graph


def test_an_output_stays_computed() -> None:
    tensors = (Tensor("x", (2, 3), DType.INT8, SCALE), Tensor("shape", (2,), DType.INT32))
    graph = Graph(tensors, (Op(OpKind.SHAPE, (0,), (1,), ShapeAttributes(), "shape"),), (0,), (1,))
    assert simplified(graph) is graph
    (value,) = execute(graph, [np.zeros((2, 3), np.int8)]).values()
    np.testing.assert_array_equal(value, [2, 3])


def test_a_skeleton_has_nothing_to_compute_with() -> None:
    graph = resized(6)
    bare = tuple(Tensor(t.name, t.shape, t.dtype, None, t.constant) for t in graph.tensors)
    skeleton = Graph(bare, graph.ops, graph.inputs, graph.outputs)
    assert simplified(skeleton) is skeleton
