"""Writing and reading back: equal graphs, equal bytes, files that both runtimes load."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import HealthCheck, given, settings

from tinynas.formats import FormatError, read_metadata, read_tflite, write_tflite
from tinynas.graph import DType, Graph, GraphBuilder, LeakyReluAttributes, OpKind, Quantization, execute
from tinynas.testing import int8_graphs, random_float_graph, random_input, random_int8_graph, run_litert, run_tflm


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(int8_graphs())
def test_int8_graphs_survive(graph: Graph):
    content = write_tflite(graph)
    again = read_tflite(content)
    assert again == graph
    assert write_tflite(again) == content


@pytest.mark.parametrize("seed", range(10))
def test_float_graphs_survive(seed: int):
    graph = random_float_graph(np.random.default_rng(seed))
    assert read_tflite(write_tflite(graph)) == graph


def test_a_file_is_written_and_read(tmp_path: Path):
    graph = random_int8_graph(np.random.default_rng(0))
    path = tmp_path / "net.tflite"
    content = write_tflite(graph, path)
    assert path.read_bytes() == content
    assert read_tflite(path) == read_tflite(str(path)) == graph
    assert [p.name for p in tmp_path.iterdir()] == ["net.tflite"]


def test_metadata_is_kept():
    graph = random_int8_graph(np.random.default_rng(0))
    blobs = {"OfflineMemoryAllocation": b"\x01\x00\x00\x00", "note": b""}
    content = write_tflite(graph, metadata=blobs)
    assert read_metadata(content) == blobs
    assert read_metadata(write_tflite(graph)) == {}
    assert read_tflite(content) == graph


def test_data_starts_at_multiples_of_sixteen():
    """TFLM reads weights and biases in place; a Cortex-M0 traps on unaligned words."""
    content = write_tflite(random_int8_graph(np.random.default_rng(1), operators=10))
    model = schema.Model.GetRootAs(content, 0)
    checked = 0
    for i in range(model.BuffersLength()):
        data = model.Buffers(i).DataAsNumpy()
        if isinstance(data, np.ndarray):
            offset = (
                data.__array_interface__["data"][0] - np.frombuffer(content, np.uint8).__array_interface__["data"][0]
            )
            assert offset % 16 == 0
            checked += 1
    assert checked > 3


def test_both_builtin_codes_and_the_versions_are_set():
    builder = GraphBuilder()
    x = builder.conv_2d(builder.input((1, 8, 8, 4)), 8, 3, groups=2, name="grouped")
    x = builder.resize_nearest_neighbor(x, 4, half_pixel_centers=True)
    graph = builder.build([builder.fully_connected(x, 2, bias=False, name="dense")])
    tensors = tuple(
        dataclasses.replace(t, data=np.zeros(t.shape, np.float32)) if t.constant else t for t in graph.tensors
    )
    content = write_tflite(dataclasses.replace(graph, tensors=tensors))
    model = schema.Model.GetRootAs(content, 0)
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    assert [(c.BuiltinCode(), c.DeprecatedBuiltinCode(), c.Version()) for c in codes] == [
        (schema.BuiltinOperator.CONV_2D,) * 2 + (6,),
        (schema.BuiltinOperator.RESIZE_NEAREST_NEIGHBOR,) * 2 + (3,),
        (schema.BuiltinOperator.FULLY_CONNECTED,) * 2 + (6,),
    ]


def test_an_int8_leaky_relu_is_of_version_1():
    """As TFLite's converter writes it: 2 is the version with int16."""
    builder = GraphBuilder("leaky", DType.INT8)
    (y,) = builder.operator(OpKind.LEAKY_RELU, [builder.input((1, 4))], LeakyReluAttributes(0.5), name="leaky")
    graph = builder.build([y])
    tensors = tuple(dataclasses.replace(t, quantization=Quantization((0.1,), (3,))) for t in graph.tensors)
    model = schema.Model.GetRootAs(write_tflite(dataclasses.replace(graph, tensors=tensors)), 0)
    assert model.OperatorCodes(0).Version() == 1


def test_a_convolution_without_bias_gets_zeros_in_the_file():
    rng = np.random.default_rng(0)
    graph = random_int8_graph(rng, operators=3, kinds={OpKind.CONV_2D})
    bare = dataclasses.replace(
        graph, ops=tuple(dataclasses.replace(op, inputs=(*op.inputs[:2], -1)) for op in graph.ops)
    )
    content, inputs = write_tflite(bare), random_input(graph, rng)
    again = read_tflite(content)
    assert all(not again.tensors[op.inputs[2]].data.any() for op in again.ops)
    (expected,) = execute(bare, inputs).values()
    (value,) = execute(again, inputs).values()
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(run_litert(content, inputs)[bare.outputs[0]], expected)
    np.testing.assert_array_equal(run_tflm(content, inputs)[0], expected)


def test_tensors_that_nothing_reads_are_left_out():
    graph = random_int8_graph(np.random.default_rng(0))
    spare = dataclasses.replace(graph.tensors[graph.inputs[0]], name="spare")
    padded = dataclasses.replace(graph, tensors=(*graph.tensors, spare))
    assert read_tflite(write_tflite(padded)) == graph


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"data": None}, "constant 'a/weights' has no data"),
        ({"quantization": None}, "int8 tensor 'a/weights' has no quantization"),
        ({"shape": (3, 1, 1, 5), "data": None}, "op 0 CONV_2D 'a'"),
    ],
)
def test_graphs_that_a_file_cannot_hold(change: dict[str, object], fact: str):
    builder = GraphBuilder("net", DType.INT8)
    graph = builder.build([builder.conv_2d(builder.input((1, 4, 4, 2)), 3, 1, name="a")])
    filled = {
        t.name: dataclasses.replace(
            t,
            quantization=Quantization((0.1,), (0,)),
            data=np.zeros(t.shape, t.dtype.numpy) if t.constant else None,
        )
        for t in graph.tensors
    }
    filled["a/weights"] = dataclasses.replace(filled["a/weights"], **change)
    with pytest.raises(FormatError, match=fact):
        write_tflite(dataclasses.replace(graph, tensors=tuple(filled.values())))


def test_an_unwritable_path_is_one_line(tmp_path: Path):
    graph = random_int8_graph(np.random.default_rng(0))
    with pytest.raises(FormatError, match="cannot be written"):
        write_tflite(graph, tmp_path / "absent" / "net.tflite")
