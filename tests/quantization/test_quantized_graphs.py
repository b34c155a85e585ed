"""The int8 graph: it tracks the float network, equals LiteRT's reference, and QAT trains what it computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_networks import branching_network, random_images, skip_network, toy_split

from tinynas.errors import UsageError
from tinynas.formats import write_tflite
from tinynas.graph import DType, Graph, OpKind, Quantization, execute
from tinynas.quantization import (
    INPUT_QUANTIZATION,
    FakeQuantizedNetwork,
    RangeMethod,
    calibrate,
    integer_accuracy,
    integer_predictions,
    quantize,
    quantize_images,
    train_quantization_aware,
)
from tinynas.testing import run_litert
from tinynas.training import (
    OPTIMIZERS,
    Sgd,
    Supernet,
    TrainingSettings,
    accuracy,
    float_graph,
    images_to_tensor,
    recalibrate_batch_norm,
    train_subnet,
)

NETWORKS = [skip_network, branching_network]


def integer_logits(graph: Graph, images: np.ndarray) -> np.ndarray:
    output = graph.outputs[0]
    value = execute(graph, [quantize_images(images, INPUT_QUANTIZATION)])[output]
    q = graph.tensor(output).quantization
    assert q is not None
    return (value.astype(np.float64) - q.zero_point) * q.scale


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("seed", range(3))
def test_integer_execution_tracks_the_fake_quantized_network(network, seed: int) -> None:  # type: ignore[no-untyped-def]
    graph = network(seed)
    images = random_images(100, seed)
    scales = calibrate(graph, images, activations=RangeMethod.MIN_MAX)
    with torch.no_grad():
        simulated = FakeQuantizedNetwork(graph, scales).logits(images_to_tensor(images)).numpy()
    exact = integer_logits(quantize(graph, scales), images)
    steps = np.abs(simulated.reshape(exact.shape) - exact) / scales[graph.outputs[0]].scale
    # At most 3 here, in the mean 0.67. Where a processor sums floats in another order a rounding may tip over, and a
    # code that differs by one moves a logit by a step or two.
    assert steps.max() < 6.01
    assert steps.mean() < 1.0


@pytest.mark.parametrize("network", NETWORKS)
def test_the_file_runs_bit_for_bit_in_litert(network) -> None:  # type: ignore[no-untyped-def]
    graph = network(1)
    int8 = quantize(graph, calibrate(graph, random_images(32)))
    content = write_tflite(int8)
    image = quantize_images(random_images(1, 5), INPUT_QUANTIZATION)
    ours = execute(int8, [image], keep_all=True)
    theirs = run_litert(content, [image])
    for op in int8.ops:
        np.testing.assert_array_equal(ours[op.outputs[0]], theirs[op.outputs[0]], err_msg=op.name)


def test_the_deployed_graph_is_int8_throughout_and_gains_no_operator() -> None:
    graph = skip_network()
    int8 = quantize(graph, calibrate(graph, random_images(32)))
    assert [op.kind for op in int8.ops] == [op.kind for op in graph.ops]
    assert {OpKind.PAD, OpKind.TRANSPOSE, OpKind.QUANTIZE, OpKind.DEQUANTIZE}.isdisjoint(op.kind for op in int8.ops)
    for tensor in int8.tensors:
        assert tensor.quantization is not None
        assert tensor.dtype is (DType.INT32 if tensor.name.endswith("/bias") else DType.INT8)


def test_bias_scales_are_the_float32_product_of_input_and_weight_scales() -> None:
    graph = skip_network()
    int8 = quantize(graph, calibrate(graph, random_images(32)))
    for op in int8.ops:
        if op.kind in (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED):
            x, weights, bias = (int8.tensor(i).quantization for i in op.inputs)
            assert x is not None
            assert weights is not None
            assert bias is not None
            products = np.float32(x.scale) * np.array(weights.scales, np.float32)
            assert bias.scales == tuple(float(p) for p in products)


@pytest.mark.parametrize(
    ("quantization", "expected"),
    [(INPUT_QUANTIZATION, [-128, 0, 127]), (Quantization((2 / 255,), (0,)), [0, 64, 127])],
)
def test_pixels_become_int8_by_the_input_scale(quantization: Quantization, expected: list[int]) -> None:
    pixels = np.array([0, 128, 255], np.uint8)
    assert quantize_images(pixels, quantization).tolist() == expected


def test_weights_move_under_training_and_the_int8_network_keeps_the_accuracy(tmp_path: Path) -> None:
    data, held_out = toy_split(512), toy_split(200, seed=1)
    skeleton = skip_network()
    subnet = Supernet([skeleton])
    # Until the task is solved: after 60 steps the accuracy depends on the seed (0.935 to 1), and so on the processor;
    # after 120 it is 1 with each of four seeds, before and after.
    train_subnet(subnet, skeleton, data=data, settings=TrainingSettings(120, batch_size=32, learning_rate=0.1))
    graph = float_graph(subnet, skeleton, recalibrate_batch_norm(subnet, skeleton, data.images))
    before = accuracy(graph, held_out)
    assert before > 0.9
    scales = calibrate(graph, data.images[:128])
    settings = TrainingSettings(10, batch_size=32, learning_rate=0.005, optimizer=Sgd(weight_decay=0.0))
    checkpoint = tmp_path / "qat.checkpoint"
    tuned = train_quantization_aware(graph, scales, data=data, settings=settings, checkpoint=checkpoint)
    moved = [
        not np.array_equal(a.data, b.data) for a, b in zip(graph.tensors, tuned.tensors, strict=True) if a.constant
    ]
    assert all(moved)
    assert integer_accuracy(quantize(tuned, scales), held_out) >= before - 0.02
    again = train_quantization_aware(graph, scales, data=data, settings=settings, checkpoint=checkpoint)
    assert again == tuned
    assert train_quantization_aware(graph, scales, data=data, settings=settings, processes=2) == tuned


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_learning_rate_is_a_hundredth_of_the_optimizers_unless_named(name: str) -> None:
    graph, data = skip_network(), toy_split(64)
    scales = calibrate(graph, data.images)
    optimizer = OPTIMIZERS[name]()
    unnamed = TrainingSettings(3, batch_size=16, optimizer=optimizer)
    named = replace(unnamed, learning_rate=0.01 * optimizer.default_learning_rate)
    tuned = train_quantization_aware(graph, scales, data=data, settings=unnamed)
    assert tuned == train_quantization_aware(graph, scales, data=data, settings=named)
    moved = [np.abs(a.data - b.data).max() for a, b in zip(graph.tensors, tuned.tensors, strict=True) if a.constant]
    assert 0 < max(moved) < 0.1


def test_predictions_do_not_depend_on_the_number_of_processes() -> None:
    graph = skip_network()
    int8 = quantize(graph, calibrate(graph, random_images(32)))
    images = random_images(1100)
    alone = integer_predictions(int8, images)
    assert np.array_equal(alone, integer_predictions(int8, images, processes=2))
    assert np.array_equal(alone[:3], integer_logits(int8, images[:3]).argmax(axis=1))


def test_a_graph_without_weights_is_refused() -> None:
    graph = skip_network()
    scales = calibrate(graph, random_images(8))
    bare = replace(graph, tensors=tuple(replace(t, data=None) for t in graph.tensors))
    with pytest.raises(UsageError, match="'stem/weights' has no float32 data"):
        quantize(bare, scales)


def test_a_float_graph_has_no_integer_accuracy() -> None:
    with pytest.raises(UsageError, match="not an int8 classifier"):
        integer_accuracy(skip_network(), toy_split(4))
