"""ONNX export against ONNX's own reference evaluator."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tinynas.errors import MissingExtraError
from tinynas.formats import FormatError, write_onnx
from tinynas.graph import GraphBuilder, OpKind, Padding, execute
from tinynas.testing import random_float_graph, random_input, random_int8_graph

reference = pytest.importorskip("onnx.reference")
_POOLS = {OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D}


def _nchw(values: np.ndarray) -> np.ndarray:
    return values.transpose(0, 3, 1, 2) if values.ndim == 4 else values


def _evaluated(path: Path, values: np.ndarray) -> np.ndarray:
    evaluator = reference.ReferenceEvaluator(str(path))
    return evaluator.run(None, {evaluator.input_names[0]: _nchw(values)})[0]


@pytest.mark.parametrize("seed", range(25))
def test_random_networks(seed: int, tmp_path: Path):
    rng = np.random.default_rng(seed)
    # The evaluator's pooling fails on padding after the image, so pools have a test of their own.
    graph = random_float_graph(rng, operators=2 + seed % 9, kinds=set(OpKind) - _POOLS)
    inputs = random_input(graph, rng)
    write_onnx(graph, tmp_path / "net.onnx")
    expected = _nchw(execute(graph, inputs)[graph.outputs[0]])
    value = _evaluated(tmp_path / "net.onnx", inputs[0])
    assert value.shape == expected.shape
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4 * max(1e-3, float(np.abs(expected).max())))


@pytest.mark.parametrize("pool", ["average_pool_2d", "max_pool_2d"])
@pytest.mark.parametrize("padding", list(Padding))
def test_pools(pool: str, padding: Padding, tmp_path: Path):
    builder = GraphBuilder()
    graph = builder.build([getattr(builder, pool)(builder.input((1, 7, 5, 3)), 3, stride=2, padding=padding)])
    inputs = random_input(graph, np.random.default_rng(0))
    write_onnx(graph, tmp_path / "net.onnx")
    expected = _nchw(execute(graph, inputs)[graph.outputs[0]])
    np.testing.assert_allclose(_evaluated(tmp_path / "net.onnx", inputs[0]), expected, rtol=1e-5)


def test_the_bytes_depend_on_the_graph_only(tmp_path: Path):
    graph = random_float_graph(np.random.default_rng(0))
    write_onnx(graph, tmp_path / "a.onnx")
    write_onnx(graph, tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_only_float_networks_are_written(tmp_path: Path):
    with pytest.raises(FormatError, match="ONNX export takes the float network"):
        write_onnx(random_int8_graph(np.random.default_rng(0)), tmp_path / "net.onnx")
    builder = GraphBuilder()
    skeleton = builder.build([builder.conv_2d(builder.input((1, 4, 4, 2)), 2, 1, name="a")])
    with pytest.raises(FormatError, match="'a/weights' has no data"):
        write_onnx(skeleton, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_missing_onnx_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tinynas\[onnx\]'"):
        write_onnx(random_float_graph(np.random.default_rng(0)), tmp_path / "net.onnx")
