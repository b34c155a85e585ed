"""Bias correction: rounding moves the mean of what a layer computes, and its bias moves it back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from tinynas.graph import Graph, Op, without_activation
from tinynas.quantization._calibration import Calibration
from tinynas.quantization._fake_quantization import round_activation, round_weights
from tinynas.training import activate_, graph_weights, images_to_tensor, logits_tensor, op_value

# Of the largest activation, over all images that are looked at at once: 128 MB in float32.
_MOST_ELEMENTS = 1 << 25


def correct_biases(graph: Graph, calibration: Calibration, images: npt.NDArray[np.uint8]) -> Graph:
    """Change the biases so that rounding leaves the mean of every output channel, before its activation, as it is.

    The empirical form of Nagel et al. 2019 (arXiv:1906.04721, section 4.2 and appendix D): layer by layer, the mean
    difference between the float network and the rounded one, whose earlier layers are corrected by then, is added to
    the bias. Layers without a bias are left alone. The rounded network is simulated, as `FakeQuantizedNetwork` does.

    Args:
        graph: float32, with weights.
        calibration: from `calibrate`.
        images: [N, H, W, C] uint8 training images; of large networks only the first ones are looked at, so that the
            values of a tensor for all of them take at most 128 MB.

    Returns:
        The float32 graph with other biases, to be given to `quantize` with the same `calibration`.
    """
    largest = max(t.elements for t in graph.tensors if not t.constant)
    batch = images_to_tensor(images[: max(1, _MOST_ELEMENTS // largest)])
    constants = graph_weights(graph)
    rounded = round_weights(graph, calibration, constants)
    exact, lossy = {graph.inputs[0]: batch}, {graph.inputs[0]: batch}
    last_use = {i: op for op in graph.ops for i in op.inputs}
    with torch.no_grad():
        for op in graph.ops:
            linear = _without_activation(op)
            a, b = op_value(graph, linear, constants, exact), op_value(graph, linear, rounded, lossy)
            if op.weights is not None and len(op.inputs) > 2 and op.inputs[2] >= 0:
                shift = (a - b).mean(dim=tuple(range(a.ndim - 1)), dtype=torch.float64).float()
                rounded[op.inputs[2]] = rounded[op.inputs[2]] + shift
                b = b + shift
            exact[op.outputs[0]] = _activated(op, a)
            lossy[op.outputs[0]] = round_activation(calibration, op, _activated(op, b))
            if op.outputs[0] == logits_tensor(graph):
                break
            for i in op.inputs:
                if last_use[i] is op:
                    exact.pop(i, None)
                    lossy.pop(i, None)
    tensors = list(graph.tensors)
    for op in graph.ops:
        if op.weights is not None and len(op.inputs) > 2 and op.inputs[2] >= 0:
            tensors[op.inputs[2]] = replace(tensors[op.inputs[2]], data=rounded[op.inputs[2]].numpy())
    return replace(graph, tensors=tuple(tensors))


def _without_activation(op: Op) -> Op:
    return op if op.weights is None else without_activation(op)


def _activated(op: Op, values: torch.Tensor) -> torch.Tensor:
    return activate_(op, values) if op.weights is not None else values
