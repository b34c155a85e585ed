"""Torch executes a float graph as the NumPy reference does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinynas.errors import UsageError
from tinynas.graph import GraphBuilder, OpKind, Padding, execute
from tinynas.testing import random_float_graph
from tinynas.training import graph_logits, graph_weights, logits_tensor

KINDS = sorted(set(OpKind) - {OpKind.QUANTIZE, OpKind.DEQUANTIZE})


@settings(max_examples=60, deadline=None)
@example(seed=310)  # a convolution on one channel that torch computes wrongly in channels_last strides
@given(seed=st.integers(0, 2**32 - 1))
def test_random_networks_equal_the_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_float_graph(rng, kinds=KINDS)
    shape = graph.tensor(graph.inputs[0]).shape
    x = rng.normal(0, 1, (3 * shape[0], *shape[1:])).astype(np.float32)
    expected = execute(graph, [x], keep_all=True)[logits_tensor(graph)]
    with torch.no_grad():
        found = graph_logits(graph, graph_weights(graph), torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [4, 5, 7])
@pytest.mark.parametrize("kind", ["average", "max", "conv"])
def test_same_padding_puts_the_odd_row_last(size: int, kernel: int, stride: int, kind: str) -> None:
    builder = GraphBuilder()
    x = builder.input((1, size, size + 1, 2))
    if kind == "conv":
        y = builder.depthwise_conv_2d(x, kernel, stride=stride, bias=False, name="conv")
    else:
        pool = builder.average_pool_2d if kind == "average" else builder.max_pool_2d
        y = pool(x, kernel, stride=stride, padding=Padding.SAME, name="pool")
    skeleton = builder.build([y])
    rng = np.random.default_rng(size)
    graph = _with_weights(skeleton, rng)
    image = rng.normal(0, 1, (1, size, size + 1, 2)).astype(np.float32)
    expected = execute(graph, [image])[y]
    found = graph_logits(graph, graph_weights(graph), torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def _with_weights(graph, rng):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    tensors = [
        replace(t, data=rng.normal(0, 1, t.shape).astype(np.float32)) if t.constant else t for t in graph.tensors
    ]
    return replace(graph, tensors=tuple(tensors))


def test_a_graph_without_weights_says_which_are_missing() -> None:
    builder = GraphBuilder()
    graph = builder.build([builder.conv_2d(builder.input((1, 4, 4, 1)), 2, 3, name="stem")])
    with pytest.raises(UsageError, match=r"'stem'.*'stem/weights' has no data"):
        graph_weights(graph)
