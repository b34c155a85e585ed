"""The executor against LiteRT's and TFLM's reference kernels: every tensor, zero difference."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tinynas.formats import read_tflite, write_tflite
from tinynas.graph import (
    OWN_KINDS,
    REWRITTEN,
    DType,
    Graph,
    GraphBuilder,
    GraphError,
    OpKind,
    Padding,
    Quantization,
    Tensor,
    execute,
)
from tinynas.graph.fixed_point import Runtime
from tinynas.graph.reference._matmul import exact_matmul
from tinynas.testing import random_float_graph, random_input, random_int8_graph, run_litert, run_tflm, run_tflm_tensors
from tinynas.testing.operators import OF_ONE_RUNTIME

MODELS = Path(__file__).parents[3] / "shared" / "models"


def assert_equal_to_litert(graph: Graph, content: bytes, inputs: list[np.ndarray], index_in_file=lambda i: i) -> None:
    values = execute(graph, inputs, keep_all=True)
    expected = run_litert(content, inputs)
    assert values.keys() == {i for i, t in enumerate(graph.tensors) if not t.constant}
    for i, value in values.items():
        np.testing.assert_array_equal(value, expected[index_in_file(i)], err_msg=graph.tensors[i].name)


def assert_equal_to_tflm(graph: Graph, content: bytes, inputs: list[np.ndarray], index_in_file=lambda i: i) -> None:
    values = execute(graph, inputs, keep_all=True, runtime=Runtime.TFLM)
    expected = run_tflm_tensors(content, inputs)
    for i, value in values.items():
        # The wheel gives float32 and int8 tensors; a scalar comes as one element.
        reference = expected[index_in_file(i)].reshape(value.shape)
        np.testing.assert_array_equal(value, reference, err_msg=graph.tensors[i].name)
    for i, output in zip(graph.outputs, run_tflm(content, inputs), strict=True):
        np.testing.assert_array_equal(values[i].reshape(output.shape), output)


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_equal_both_runtimes(seed: int):
    rng = np.random.default_rng(seed)
    graph = random_int8_graph(rng, operators=2 + seed % 10, extreme=seed % 4 == 3)
    content, inputs = write_tflite(graph), random_input(graph, rng)
    assert_equal_to_litert(graph, content, inputs)
    assert_equal_to_tflm(graph, content, inputs)


def test_random_graphs_contain_every_operator():
    kinds = {op.kind for seed in range(60) for op in _random(seed).ops}
    assert kinds == set(OWN_KINDS) - REWRITTEN - OF_ONE_RUNTIME


def _random(seed: int) -> Graph:
    return random_int8_graph(np.random.default_rng(seed), operators=2 + seed % 10, extreme=seed % 4 == 3)


@pytest.mark.parametrize("kind", [kind for kind in OWN_KINDS if kind not in REWRITTEN | OF_ONE_RUNTIME])
def test_each_operator_in_odd_settings(kind: OpKind):
    """Graphs that contain little else than the operator, so that its inputs are not yet saturated."""
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng([seed, *kind.value.encode()])
        graph = random_int8_graph(rng, operators=2, kinds={kind, OpKind.CONV_2D}, extreme=seed % 2 == 1)
        if all(op.kind is not kind for op in graph.ops):
            continue
        content, inputs = write_tflite(graph), random_input(graph, rng)
        assert_equal_to_litert(graph, content, inputs)
        assert_equal_to_tflm(graph, content, inputs)
        hits += 1
        if hits == 8:
            return
    pytest.fail(f"only {hits} graphs with {kind}")


def _without_the_bias_axis(content: bytes) -> bytes:
    """LiteRT wants quantized_dimension 0 on 1-D tensors; TFLM's person_detect has 3."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    for tensor in model.subgraphs[0].tensors:
        if len(tensor.shape) == 1 and tensor.quantization is not None:
            tensor.quantization.quantizedDimension = 0
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("name", ["kws_ref_model", "pretrainedResnet_quant", "person_detect"])
def test_models_that_nobody_here_made(name: str):
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path.name} (a public MLPerf Tiny or TFLM model) is not beside the checkout")
    original = path.read_bytes()
    graph = read_tflite(path)
    written = write_tflite(graph)
    assert read_tflite(written) == graph
    table = schema.Model.GetRootAs(original, 0).Subgraphs(0)
    index = {table.Tensors(i).Name().decode(): i for i in range(table.TensorsLength())}
    rng = np.random.default_rng(0)
    for _ in range(4):
        inputs = random_input(graph, rng)
        assert_equal_to_litert(graph, _without_the_bias_axis(original), inputs, lambda i: index[graph.tensors[i].name])
        assert_equal_to_litert(graph, _without_the_bias_axis(written), inputs)
        assert_equal_to_tflm(graph, original, inputs, lambda i: index[graph.tensors[i].name])
        assert_equal_to_tflm(graph, written, inputs)


@pytest.mark.parametrize("seed", range(12))
def test_a_batch_equals_its_images(seed: int):
    rng = np.random.default_rng(seed)
    graph = random_int8_graph(rng, operators=8)
    # More images than are computed at a time, so that chunks are joined.
    count = 40
    (batch,) = random_input(graph, rng, batch=count)
    together = execute(graph, [batch], keep_all=True)
    for image in (0, 17, count - 1):
        alone = execute(graph, [batch[image : image + 1]], keep_all=True)
        for i, value in alone.items():
            first = graph.tensors[i].shape[0]
            np.testing.assert_array_equal(together[i][image * first : (image + 1) * first], value)


def test_chunks_of_a_large_batch_are_joined(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(5)
    graph = random_int8_graph(rng, operators=6)
    (batch,) = random_input(graph, rng, batch=7)
    whole = execute(graph, [batch])
    monkeypatch.setattr("tinynas.graph.reference._executor._CHUNK_ELEMENTS", 1)
    for i, value in execute(graph, [batch]).items():
        np.testing.assert_array_equal(value, whole[i])


@pytest.mark.parametrize("seed", range(15))
def test_float_graphs_agree_within_rounding(seed: int):
    rng = np.random.default_rng(seed)
    graph = random_float_graph(rng, operators=6)
    inputs = random_input(graph, rng)
    expected = run_litert(write_tflite(graph), inputs)
    for i, value in execute(graph, inputs, keep_all=True).items():
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, expected[i], rtol=1e-4, atol=1e-4 * max(1e-3, float(np.abs(value).max())))


def _quantized(name: str, shape: tuple[int, ...], q: Quantization, data: np.ndarray | None = None) -> Tensor:
    return Tensor(name, shape, DType.INT8, q, data is not None, data)


@pytest.mark.parametrize("kind", ["add", "mul"])
def test_a_constant_operand_of_lower_rank(kind: str):
    builder = GraphBuilder("constant", DType.INT8)
    x = builder.input((1, 5, 6, 4))
    skeleton = builder.build([getattr(builder, kind)(x, builder.mean(x, (0, 1, 2)), name="y")])
    rng = np.random.default_rng(1)
    data = rng.integers(-128, 128, 4).astype(np.int8)
    graph = dataclasses.replace(
        skeleton,
        tensors=(
            _quantized("input", (1, 5, 6, 4), Quantization((0.05,), (3,))),
            _quantized("scale", (4,), Quantization((0.02,), (-7,)), data),
            _quantized("y", (1, 5, 6, 4), Quantization((0.06,), (11,))),
        ),
        ops=(dataclasses.replace(skeleton.ops[1], inputs=(0, 1), outputs=(2,)),),
        outputs=(2,),
    )
    content, inputs = write_tflite(graph), random_input(graph, rng)
    assert_equal_to_litert(graph, content, inputs)
    assert_equal_to_tflm(graph, content, inputs)
    assert read_tflite(content) == graph


def test_fully_connected_rounds_once_in_litert_and_twice_in_tflm():
    """acc * scale = 0.498...: doubled and rounded to a half, then up, by TFLM; straight down by LiteRT."""
    rng = np.random.default_rng(2)
    differences = 0
    for seed in range(30):
        graph = random_int8_graph(
            np.random.default_rng(seed), operators=1, kinds={OpKind.CONV_2D, OpKind.FULLY_CONNECTED}
        )
        (batch,) = random_input(graph, rng, batch=50)
        litert, tflm = (execute(graph, [batch], runtime=runtime)[graph.outputs[0]] for runtime in Runtime)
        assert np.abs(litert.astype(int) - tflm).max() <= 1
        differences += int((litert != tflm).sum())
    assert differences > 0


def test_per_channel_fully_connected_and_kept_dimensions():
    rng = np.random.default_rng(3)
    builder = GraphBuilder("dense", DType.INT8)
    x = builder.input((1, 3, 2, 5))
    graph = builder.build([builder.fully_connected(x, 6, name="dense")])
    (op,) = graph.ops
    weights = rng.integers(-127, 128, (6, 5)).astype(np.int8)
    scales = tuple(float(np.float32(s)) for s in rng.uniform(0.001, 0.004, 6))
    tensors = (
        _quantized("input", (1, 3, 2, 5), Quantization((0.04,), (-5,))),
        _quantized("dense/weights", (6, 5), Quantization(scales, (0,) * 6), weights),
        Tensor("dense/bias", (6,), DType.INT32, None, True, rng.integers(-500, 500, 6).astype(np.int32)),
        _quantized("dense", (1, 3, 2, 6), Quantization((0.03,), (9,))),
    )
    kept = dataclasses.replace(op, attributes=dataclasses.replace(op.attributes, keep_num_dims=True))
    graph = dataclasses.replace(graph, tensors=tensors, ops=(kept,))
    content, inputs = write_tflite(graph), random_input(graph, rng)
    assert_equal_to_litert(graph, content, inputs)
    assert_equal_to_tflm(graph, content, inputs)


def test_mul_takes_its_scale_in_float32_in_litert_and_in_double_in_tflm():
    """sa * sb / so is one half in float32 and a little less in double: odd products round up or down."""
    rng = np.random.default_rng(4)
    while True:
        a, b = (float(np.float32(scale)) for scale in rng.uniform(0.01, 0.1, 2))
        out = float(np.float32(2 * a * b))
        if np.float32(a) * np.float32(b) / np.float32(out) == 0.5 and 0.49 < a * b / out < 0.5 - 1e-8:
            break
    builder = GraphBuilder("mul", DType.INT8)
    x = builder.input((1, 256))
    skeleton = builder.build([builder.mul(x, builder.mean(x, (0, 1)), name="y")])
    graph = dataclasses.replace(
        skeleton,
        tensors=(
            _quantized("input", (1, 256), Quantization((a,), (0,))),
            _quantized("one", (1,), Quantization((b,), (0,)), np.ones(1, np.int8)),
            _quantized("y", (1, 256), Quantization((out,), (0,))),
        ),
        ops=(dataclasses.replace(skeleton.ops[1], inputs=(0, 1), outputs=(2,)),),
        outputs=(2,),
    )
    content, inputs = write_tflite(graph), [np.arange(-128, 128, dtype=np.int8).reshape(1, 256)]
    assert_equal_to_litert(graph, content, inputs)
    assert_equal_to_tflm(graph, content, inputs)
    litert, tflm = (execute(graph, inputs, runtime=runtime)[2] for runtime in Runtime)
    assert (litert != tflm).any()


@pytest.mark.parametrize("taps", [16, 500, 3136, 20_000])
def test_sums_stay_exact_at_any_width(taps: int):
    """float32 holds integers up to 2**24 exactly; wider sums must not go through it."""
    rng = np.random.default_rng(taps)
    rows = np.full((40, taps), 255, np.int32) - rng.integers(0, 2, (40, taps)).astype(np.int32)
    matrix = np.full((taps, 5), 127, np.int32) - rng.integers(0, 2, (taps, 5)).astype(np.int32)
    product = exact_matmul(rows, matrix, is_float=False)
    np.testing.assert_array_equal(product, rows.astype(np.int64) @ matrix.astype(np.int64))


@pytest.mark.parametrize(
    ("inputs", "fact"),
    [
        ([], "takes 1 inputs, got 0"),
        ([np.zeros((1, 4, 4, 2), np.float32)], r"int8\[1, 4, 4, 2\].*got float32"),
        ([np.zeros((1, 4, 4, 3), np.int8)], "batch of it along the first dimension"),
        ([np.zeros((4, 4, 2), np.int8)], "batch"),
        ([np.zeros((0, 4, 4, 2), np.int8)], "batch"),
    ],
)
def test_wrong_inputs_are_refused(inputs: list[np.ndarray], fact: str):
    with pytest.raises(GraphError, match=fact):
        execute(_skeleton(), inputs)


def test_skeletons_cannot_be_executed():
    with pytest.raises(GraphError, match="constant 'a/weights' has no data"):
        execute(_skeleton(), [np.zeros((1, 4, 4, 2), np.int8)])
    builder = GraphBuilder("net", DType.INT8)
    graph = builder.build([builder.softmax(builder.input((1, 3)))])
    with pytest.raises(GraphError, match=r"SOFTMAX 'softmax': tensor 'input' has no quantization"):
        execute(graph, [np.zeros((1, 3), np.int8)])


def _skeleton() -> Graph:
    builder = GraphBuilder("net", DType.INT8)
    return builder.build([builder.conv_2d(builder.input((1, 4, 4, 2)), 3, 1, name="a")])


def test_a_tensor_that_no_microcontroller_holds_is_refused_before_it_is_computed():
    b = GraphBuilder(dtype=DType.FLOAT32)
    graph = b.build([b.resize_nearest_neighbor(b.input((1, 1, 1, 1)), (4096, 4096), name="huge")])
    with pytest.raises(GraphError, match=r"'huge' .* has 16,777,216 elements; the reference executes"):
        execute(graph, [np.zeros((1, 1, 1, 1), np.float32)])


@pytest.mark.parametrize("kind", ["average_pool_2d", "max_pool_2d"])
def test_a_window_far_larger_than_its_image_is_a_window_over_the_whole_image(kind: str):
    """256 x 256 elements, of which almost all lie outside: as many as a damaged file may claim."""
    q = Quantization((0.5,), (3,))
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, (1, 6, 5, 4)).astype(np.int8)

    def pooled(filter_size: tuple[int, int], padding: Padding) -> np.ndarray:
        b = GraphBuilder(dtype=DType.INT8)
        pool = getattr(b, kind)(b.input(x.shape), filter_size, stride=1, padding=padding, name="pool")
        graph = b.build([pool])
        graph = dataclasses.replace(graph, tensors=tuple(dataclasses.replace(t, quantization=q) for t in graph.tensors))
        return execute(graph, [x])[pool]

    expected = pooled((6, 5), Padding.VALID)
    np.testing.assert_array_equal(pooled((256, 256), Padding.SAME), np.broadcast_to(expected, x.shape))


@pytest.mark.parametrize("seed", range(4))
def test_bands_of_an_image_are_joined(seed: int, monkeypatch: pytest.MonkeyPatch):
    graph = random_int8_graph(np.random.default_rng(seed), operators=6, kinds={OpKind.CONV_2D})
    inputs = random_input(graph, np.random.default_rng(0), batch=2)
    whole = execute(graph, inputs, keep_all=True)
    monkeypatch.setattr("tinynas.graph.ops.conv_2d._PATCH_ELEMENTS", 1)
    for t, value in execute(graph, inputs, keep_all=True).items():
        np.testing.assert_array_equal(value, whole[t])


@pytest.mark.parametrize("kind", [OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED])
@pytest.mark.parametrize("bias", [(1 << 31) - 1, -(1 << 31)])
def test_a_sum_beyond_32_bits_wraps_as_in_tflm(kind: OpKind, bias: int):
    """Converters saturate the biases of dead channels: whatever comes out must be what a device computes."""
    graph = random_int8_graph(np.random.default_rng(1), operators=2, kinds={kind})
    tensors = tuple(
        dataclasses.replace(t, data=np.full(t.shape, bias, np.int32)) if t.dtype is DType.INT32 else t
        for t in graph.tensors
    )
    graph = dataclasses.replace(graph, tensors=tensors)
    assert_equal_to_tflm(graph, write_tflite(graph), random_input(graph, np.random.default_rng(0)))


@pytest.mark.parametrize("batch", [1, 3])
def test_scalars(batch: int):
    b = GraphBuilder(dtype=DType.FLOAT32)
    x = b.input(())
    graph = b.build([y := b.reshape(b.add(x, x, name="twice"), (1,))])
    (values,) = random_input(graph, np.random.default_rng(0), batch=batch)
    assert values.shape == (() if batch == 1 else (batch,))
    np.testing.assert_array_equal(execute(graph, [values])[y], (2 * values).reshape(batch))


def test_a_scalar_has_no_softmax():
    b = GraphBuilder(dtype=DType.FLOAT32)
    with pytest.raises(GraphError, match="no dimension to normalize over"):
        b.build([b.softmax(b.input(()))])
