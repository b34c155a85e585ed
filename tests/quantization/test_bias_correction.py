"""Corrected biases: what a layer computes keeps its mean on the calibration images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from small_networks import branching_network, random_images, skip_network

from tinynas.graph import Graph, Quantization, execute
from tinynas.quantization import (
    INPUT_QUANTIZATION,
    Calibration,
    _bias_correction,
    calibrate,
    correct_biases,
    quantize,
    quantize_images,
)
from tinynas.training import graph_values, graph_weights, images_to_tensor

IMAGES = random_images(64)


def coarse(calibration: Calibration, graph: Graph) -> dict[int, Quantization]:
    """The calibration with weights of four times the scale: there is something to correct."""
    weights = {op.inputs[1] for op in graph.ops if op.weights is not None}
    return {
        i: Quantization(tuple(4 * s for s in q.scales), q.zero_points, q.axis) if i in weights else q
        for i, q in calibration.items()
    }


def shifts(graph: Graph, changed: Graph, calibration: Calibration, name: str) -> np.ndarray:
    """Mean difference of each channel of an operator's int8 result to that of the float network, in int8 steps."""
    (index,) = (op.outputs[0] for op in graph.ops if op.name == name)
    with torch.no_grad():
        exact = graph_values(graph, graph_weights(graph), images_to_tensor(IMAGES))[index].numpy()
    int8 = quantize(changed, calibration)
    codes = execute(int8, [quantize_images(IMAGES, INPUT_QUANTIZATION)], keep_all=True)[index]
    q = calibration[index]
    real = (codes.astype(np.float64) - q.zero_point) * q.scale
    return (real.reshape(exact.shape) - exact).mean(axis=tuple(range(exact.ndim - 1))) / q.scale


@pytest.mark.parametrize(("network", "layer"), [(skip_network, "project"), (branching_network, "classifier")])
def test_the_mean_of_a_layer_without_activation_is_kept(network: Callable[[], Graph], layer: str) -> None:
    graph = network()
    calibration = coarse(calibrate(graph, IMAGES), graph)
    corrected = correct_biases(graph, calibration, IMAGES)
    before, after = (np.abs(shifts(graph, g, calibration, layer)) for g in (graph, corrected))
    assert before.max() > 1
    # Of the fully connected layer only 64 results are rounded, and their mean strays by 0.08 steps.
    assert after.max() < 0.25


def test_only_biases_change() -> None:
    graph = skip_network()
    corrected = correct_biases(graph, calibrate(graph, IMAGES), IMAGES)
    assert corrected.ops == graph.ops
    for before, after in zip(graph.tensors, corrected.tensors, strict=True):
        moved = not np.array_equal(before.data, after.data) if before.constant else before != after
        assert moved == before.name.endswith("/bias")


def test_of_large_activations_fewer_images_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = skip_network()
    calibration = calibrate(graph, IMAGES)
    largest = 8 * 8 * 12  # elements of the expanded tensor
    monkeypatch.setattr(_bias_correction, "_MOST_ELEMENTS", 5 * largest + 1)
    assert correct_biases(graph, calibration, IMAGES) == correct_biases(graph, calibration, IMAGES[:5])
    monkeypatch.setattr(_bias_correction, "_MOST_ELEMENTS", 1)
    assert correct_biases(graph, calibration, IMAGES) == correct_biases(graph, calibration, IMAGES[:1])
