"""Calibration: the scales of activations, from training images, and those of weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch

from tinynas.errors import UsageError
from tinynas.graph import Graph, Quantization
from tinynas.quantization._parameters import INPUT_QUANTIZATION, affine, scale_groups
from tinynas.quantization._ranges import Histogram, RangeMethod
from tinynas.quantization._weights import weight_quantization
from tinynas.training import graph_values, graph_weights, images_to_tensor

Calibration = Mapping[int, Quantization]
"""Quantization of every activation and of all weights of a graph, by tensor index; that of biases follows from them."""

_BATCH = 64


def calibrate(
    graph: Graph,
    images: npt.NDArray[np.uint8],
    *,
    activations: RangeMethod = RangeMethod.MEAN_SQUARED_ERROR,
    weights: RangeMethod = RangeMethod.MEAN_SQUARED_ERROR,
) -> Calibration:
    """Choose the quantization of every activation and of all weights.

    Args:
        graph: float32, with weights (`tinynas.training.float_graph`).
        images: [N, H, W, C] uint8 training images; a few hundred suffice.
        activations: how the range of an activation is chosen from all values that it takes on the images.
        weights: how that of a channel's weights is chosen, or of all weights in FULLY_CONNECTED.

    Returns:
        Parameters by tensor index; the input is (1/255, -128), tensors that TFLite ties to each other share theirs.

    Raises:
        UsageError: no images, or the graph has more than one input.
    """
    if len(images) == 0 or len(graph.inputs) != 1:
        raise UsageError(f"calibration needs images and a graph with one input, got {len(images)} images")
    groups = scale_groups(graph)
    fixed = {groups[graph.inputs[0]]: INPUT_QUANTIZATION}
    for op in graph.ops:
        if op.spec.fixed_output is not None:
            fixed[groups[op.outputs[0]]] = op.spec.fixed_output
    chosen = {
        group: fixed.get(group) or affine(*seen.range_by(activations))
        for group, seen in _observe(graph, groups, images).items()
    }
    chosen |= fixed
    found = {i: chosen[group] for i, group in groups.items() if group in chosen}
    constants = graph_weights(graph)
    for op in graph.ops:
        if op.weights is not None:
            values = [constants[i].numpy() for i in op.inputs[1:] if i >= 0]
            bias = values[1] if len(values) > 1 else None
            found[op.inputs[1]] = weight_quantization(op, values[0], bias, found[op.inputs[0]].scale, weights)
    return found


def _observe(graph: Graph, groups: Mapping[int, int], images: npt.NDArray[np.uint8]) -> dict[int, Histogram]:
    """Histograms of the values of each scale group: first the extremes, then what lies between."""
    weights = graph_weights(graph)

    def visit(use: Callable[[int, npt.NDArray[np.float32]], None]) -> None:
        with torch.no_grad():
            for start in range(0, len(images), _BATCH):
                batch = images_to_tensor(images[start : start + _BATCH])
                for index, value in graph_values(graph, weights, batch).items():
                    use(groups[index], value.numpy())

    extremes: dict[int, tuple[float, float]] = {}

    def widen(group: int, values: npt.NDArray[np.float32]) -> None:
        low, high = extremes.get(group, (0.0, 0.0))
        extremes[group] = (min(low, float(values.min())), max(high, float(values.max())))

    visit(widen)
    histograms = {group: Histogram.empty(*ends) for group, ends in extremes.items()}
    visit(lambda group, values: histograms[group].add(values))
    return histograms
