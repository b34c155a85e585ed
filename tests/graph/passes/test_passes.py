"""Every pass, proved by execution before and after, and against LiteRT's reference kernels on the file before."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.formats import read_tflite, write_tflite
from tinynas.graph import REWRITTEN, DType, Graph, OpKind, execute, simplified, validate
from tinynas.graph.passes import PASSES
from tinynas.spaces import build_graph, load_space, space_names
from tinynas.testing import disguised_graph, int8_graphs, nchw_graph, random_input, random_int8_graph, run_litert

Values = list[np.ndarray]
SEEDS = st.integers(0, 1 << 32)


def inputs_of(graph: Graph, rng: np.random.Generator) -> Values:
    return [
        rng.integers(0, 256, value.shape).astype(np.uint8) if value.dtype == np.uint8 else value
        for value in random_input(graph, rng)
    ]


def as_int8(values: Values) -> Values:
    """What is uint8 with its first bit inverted, as the engine takes and gives it."""
    return [(value ^ 0x80).view(np.int8) if value.dtype == np.uint8 else value for value in values]


def outputs(graph: Graph, inputs: Values) -> Values:
    values = execute(graph, inputs)
    return [values[t] for t in graph.outputs]


def assert_equal(got: Values, expected: Values) -> None:
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def written(graph: Graph) -> bytes:
    """The file of a graph, without the tensors that nothing uses: LiteRT has no values for them."""
    return write_tflite(read_tflite(write_tflite(graph)))


def kinds(graph: Graph) -> Counter[OpKind]:
    return Counter(op.kind for op in graph.ops)


@given(int8_graphs(), SEEDS)
def test_a_disguised_graph_is_what_it_was(graph: Graph, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = disguised_graph(rng, graph)
    after = simplified(before)
    given_inputs = inputs_of(before, rng)
    assert_equal(outputs(after, as_int8(given_inputs)), as_int8(outputs(before, given_inputs)))
    assert kinds(after).keys().isdisjoint(REWRITTEN)
    assert all(tensor.dtype is not DType.UINT8 for tensor in after.tensors)
    assert [after.tensors[t].name for t in after.inputs] == [before.tensors[t].name for t in before.inputs]
    # Nothing is left of the disguise but RESHAPEs, which cost nothing.
    plain = simplified(graph)
    assert kinds(after) - Counter({OpKind.RESHAPE: len(after.ops)}) <= kinds(plain)


@given(int8_graphs(max_operators=5), SEEDS)
def test_each_pass_alone_changes_no_value(graph: Graph, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = disguised_graph(rng, graph)
    given_inputs = inputs_of(before, rng)
    expected = as_int8(outputs(before, given_inputs))
    for name, rewrite in PASSES.items():
        after = rewrite(before)
        validate(after)
        now = as_int8(given_inputs) if name == "int8 borders" else given_inputs
        assert_equal(as_int8(outputs(after, now)), expected)


@pytest.mark.parametrize("seed", range(40))
def test_a_disguised_file_equals_litert(seed: int) -> None:
    rng = np.random.default_rng(seed)
    content = written(disguised_graph(rng, random_int8_graph(rng, operators=1 + seed % 8)))
    before = read_tflite(content)
    given_inputs = inputs_of(before, rng)
    tensors = run_litert(content, given_inputs)
    expected = [tensors[t] for t in before.outputs]
    assert_equal(outputs(before, given_inputs), expected)
    assert_equal(outputs(simplified(before), as_int8(given_inputs)), as_int8(expected))


@pytest.mark.parametrize("seed", range(40))
def test_networks_in_nchw_lose_their_transposes(seed: int) -> None:
    """All but those at the borders, and those that the network had."""
    rng = np.random.default_rng(seed)
    graph = random_int8_graph(rng, operators=1 + seed % 10)
    content = written(nchw_graph(graph))
    before = read_tflite(content)
    after = simplified(before)
    given_inputs = random_input(before, rng)
    expected = outputs(before, given_inputs)
    assert_equal(outputs(after, given_inputs), expected)
    assert_equal([run_litert(content, given_inputs)[t] for t in before.outputs], expected)
    assert kinds(after)[OpKind.TRANSPOSE] <= kinds(graph)[OpKind.TRANSPOSE] + len(graph.inputs) + len(graph.outputs)


@given(int8_graphs())
def test_what_is_simplified_stays_as_it_is(graph: Graph) -> None:
    once = simplified(graph)
    assert simplified(once) is once


@pytest.mark.parametrize("name", space_names())
def test_networks_of_our_own_stay_as_they_are(name: str) -> None:
    space = load_space(name)
    for seed in range(5):
        graph = build_graph(space.decode(space.sample(np.random.default_rng(seed)), 1.0, 48))
        assert simplified(graph) is graph
