"""A float network that computes as if it were int8, so that its weights learn to be rounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from tinynas.graph import Graph, Op
from tinynas.quantization._calibration import Calibration
from tinynas.quantization._weights import weight_axis
from tinynas.training import FlatParameters, graph_values, logits_tensor


def round_weights(
    graph: Graph, calibration: Calibration, constants: Mapping[int, torch.Tensor]
) -> dict[int, torch.Tensor]:
    """The constants of a graph with its weights on their int8 grid.

    Gradients pass where a weight is within the grid's range, and are zero beyond (Bengio et al. 2013; the clipped
    straight-through estimator). Biases stay as they are: their int32 grid is too fine to matter.
    """
    rounded = dict(constants)
    for op in graph.ops:
        if op.weights is not None:
            weights, q, axis = constants[op.inputs[1]], calibration[op.inputs[1]], weight_axis(op)
            if axis is None:
                rounded[op.inputs[1]] = torch.fake_quantize_per_tensor_affine(weights, q.scale, 0, -127, 127)
            else:
                scales = torch.tensor(q.scales)
                zeros = torch.zeros(len(q.scales), dtype=torch.int32)
                rounded[op.inputs[1]] = torch.fake_quantize_per_channel_affine(weights, scales, zeros, axis, -127, 127)
    return rounded


def round_activation(calibration: Calibration, op: Op, y: torch.Tensor) -> torch.Tensor:
    """The result of an operator on its int8 grid."""
    if op.spec.copies:  # there is nothing to round again
        return y
    q = calibration[op.outputs[0]]
    return torch.fake_quantize_per_tensor_affine(y, q.scale, q.zero_point, -128, 127)


class FakeQuantizedNetwork:
    """A float32 graph whose weights and activations are rounded as on the device, with gradients (Jacob et al. 2018).

    All scales are those of the calibration.

    Args:
        graph: float32, with weights.
        calibration: from `calibrate`.
    """

    def __init__(self, graph: Graph, calibration: Calibration) -> None:
        self.graph = graph
        self.calibration = dict(calibration)
        self._constants = {
            i: graph.tensor(i) for op in graph.ops if op.weights is not None for i in op.inputs[1:] if i >= 0
        }
        self.parameters = FlatParameters({t.name: t.shape for t in self._constants.values()})
        with torch.no_grad():
            for tensor in self._constants.values():
                self.parameters[tensor.name].copy_(torch.from_numpy(np.array(tensor.data, np.float32)))

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores [N, classes] of float32 images, as the int8 network computes them, in real units."""
        constants: dict[int, torch.Tensor] = {i: self.parameters[t.name] for i, t in self._constants.items()}
        values = graph_values(
            self.graph,
            round_weights(self.graph, self.calibration, constants),
            images,
            after=lambda op, y: round_activation(self.calibration, op, y),
        )
        return values[logits_tensor(self.graph)]

    def backward(
        self, images: torch.Tensor, labels: torch.Tensor, sampled: tuple[Graph, ...], label_smoothing: float
    ) -> float:
        """Accumulate the gradient of one shard; return its loss."""
        loss = F.cross_entropy(self.logits(images), labels, label_smoothing=label_smoothing)
        torch.autograd.backward(loss)
        return float(loss.detach())

    def identity(self) -> str:
        """What distinguishes this network from others in a checkpoint."""
        ops = [(str(op.kind), op.name, op.attributes) for op in self.graph.ops]
        return repr((ops, self.parameters.shapes, sorted(self.calibration.items())))

    def float_graph(self) -> Graph:
        """Return the float32 graph with the present weights."""
        tensors = list(self.graph.tensors)
        for i, tensor in self._constants.items():
            tensors[i] = replace(tensor, data=self.parameters[tensor.name].detach().numpy().copy())
        return replace(self.graph, tensors=tuple(tensors))
