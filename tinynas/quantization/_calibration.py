"""Calibration: the ranges of activations, from training images."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import torch

from tinynas.errors import UsageError
from tinynas.graph import Graph, OpKind, Quantization
from tinynas.quantization._parameters import INPUT_QUANTIZATION, SOFTMAX_QUANTIZATION, affine, scale_groups
from tinynas.training import graph_values, graph_weights, images_to_tensor

ActivationQuantization = Mapping[int, Quantization]
"""Quantization of every activation of a graph, by tensor index."""

_BATCH = 64
_SAMPLES = 1 << 16
_CANDIDATES = 40


class RangeMethod(StrEnum):
    """How a range is chosen from the values seen."""

    MIN_MAX = "min-max"
    MEAN_SQUARED_ERROR = "mse"


def calibrate(
    graph: Graph, images: npt.NDArray[np.uint8], *, method: RangeMethod = RangeMethod.MEAN_SQUARED_ERROR
) -> ActivationQuantization:
    """Choose the quantization of every activation.

    Args:
        graph: float32, with weights (`tinynas.training.float_graph`).
        images: [N, H, W, C] uint8 training images; a few hundred suffice.
        method: MIN_MAX covers every value seen. MEAN_SQUARED_ERROR clips where that lowers the mean squared error
            of rounding and clipping together (a search over ranges, as in Banner et al. 2019).

    Returns:
        Parameters by tensor index; the input is (1/255, -128), tensors that TFLite ties to each other share theirs.

    Raises:
        UsageError: no images, or the graph has more than one input.
    """
    if len(images) == 0 or len(graph.inputs) != 1:
        raise UsageError(f"calibration needs images and a graph with one input, got {len(images)} images")
    groups = scale_groups(graph)
    values = _observe(graph, groups, images)
    fixed = {groups[graph.inputs[0]]: INPUT_QUANTIZATION}
    for op in graph.ops:
        if op.kind is OpKind.SOFTMAX:
            fixed[groups[op.outputs[0]]] = SOFTMAX_QUANTIZATION
    chosen = {
        group: affine(*(_least_error_range(seen) if method is RangeMethod.MEAN_SQUARED_ERROR else (seen[0], seen[-1])))
        for group, seen in values.items()
        if group not in fixed
    }
    return {i: fixed.get(group) or chosen[group] for i, group in groups.items() if group in fixed or group in chosen}


def _observe(
    graph: Graph, groups: Mapping[int, int], images: npt.NDArray[np.uint8]
) -> dict[int, npt.NDArray[np.float32]]:
    """Sorted sample of the values of each scale group, its extremes included."""
    weights = graph_weights(graph)
    parts: dict[int, list[npt.NDArray[np.float32]]] = {}
    batches = -(-len(images) // _BATCH)
    with torch.no_grad():
        for start in range(0, len(images), _BATCH):
            batch = images_to_tensor(images[start : start + _BATCH])
            for index, value in graph_values(graph, weights, batch).items():
                flat = value.numpy().reshape(-1)
                every = max(1, flat.size * batches // _SAMPLES)
                parts.setdefault(groups[index], []).append(
                    np.concatenate([flat[::every], flat.min(keepdims=True), flat.max(keepdims=True)])
                )
    return {group: np.sort(np.concatenate(samples)) for group, samples in parts.items()}


def _least_error_range(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Shrink the range of sorted `values` as long as the mean squared error of quantizing them falls."""
    low, high = min(float(values[0]), 0.0), max(float(values[-1]), 0.0)
    best = (np.inf, (low, high))
    for candidate in range(_CANDIDATES):
        share = 1.0 - 0.02 * candidate
        if share <= 0.3:
            break
        q = affine(low * share, high * share)
        restored = (np.clip(np.rint(values / q.scale) + q.zero_point, -128, 127) - q.zero_point) * q.scale
        error = float(np.mean(np.square(restored - values)))
        best = min(best, (error, (low * share, high * share)))
    return best[1]
