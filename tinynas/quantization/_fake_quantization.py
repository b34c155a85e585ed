"""A float network that computes as if it were int8, so that its weights learn to be rounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from tinynas.graph import Graph, Op, OpKind
from tinynas.quantization._calibration import ActivationQuantization
from tinynas.quantization._parameters import KEEPS_SCALE, weight_axis, weight_scales
from tinynas.training import WEIGHTED, FlatParameters, graph_values, logits_tensor

# Data movement changes no value: there is nothing to round again.
_EXACT = KEEPS_SCALE - {OpKind.AVERAGE_POOL_2D}


class _StraightThroughWeights(torch.autograd.Function):
    """Rounds weights to their int8 grid; the gradient passes unchanged (Bengio et al. 2013)."""

    @staticmethod
    def forward(ctx: object, weights: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
        return torch.clamp(torch.round(weights / scales), -127, 127) * scales

    @staticmethod
    def backward(ctx: object, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0], None


class FakeQuantizedNetwork:
    """A float32 graph whose weights and activations are rounded as on the device, with gradients (Jacob et al. 2018).

    Weight scales follow the weights; activation scales are those of the calibration. Biases stay in float: their int32
    grid is too fine to matter.

    Args:
        graph: float32, with weights.
        activations: from `calibrate`.
    """

    def __init__(self, graph: Graph, activations: ActivationQuantization) -> None:
        self.graph = graph
        self.activations = dict(activations)
        self._constants = {
            i: graph.tensor(i) for op in graph.ops if op.kind in WEIGHTED for i in op.inputs[1:] if i >= 0
        }
        self.parameters = FlatParameters({t.name: t.shape for t in self._constants.values()})
        with torch.no_grad():
            for tensor in self._constants.values():
                self.parameters[tensor.name].copy_(torch.from_numpy(np.array(tensor.data, np.float32)))

    def _rounded_weights(self) -> dict[int, torch.Tensor]:
        values: dict[int, torch.Tensor] = {i: self.parameters[t.name] for i, t in self._constants.items()}
        for op in self.graph.ops:
            if op.kind not in WEIGHTED:
                continue
            weights = values[op.inputs[1]]
            bias = values[op.inputs[2]] if len(op.inputs) > 2 and op.inputs[2] >= 0 else None
            scales = weight_scales(
                op,
                weights.detach().numpy(),
                None if bias is None else bias.detach().numpy(),
                self.activations[op.inputs[0]].scale,
            )
            shape = [1] * weights.ndim
            axis = weight_axis(op)
            if axis is not None:
                shape[axis] = -1
            rounded: torch.Tensor = _StraightThroughWeights.apply(  # type: ignore[no-untyped-call]
                weights, torch.from_numpy(scales).reshape(shape)
            )
            values[op.inputs[1]] = rounded
        return values

    def _round_activation(self, op: Op, y: torch.Tensor) -> torch.Tensor:
        if op.kind in _EXACT:
            return y
        q = self.activations[op.outputs[0]]
        return torch.fake_quantize_per_tensor_affine(y, q.scale, q.zero_point, -128, 127)

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores [N, classes] of float32 images, as the int8 network computes them, in real units."""
        values = graph_values(self.graph, self._rounded_weights(), images, after=self._round_activation)
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
        return repr((ops, self.parameters.shapes, sorted(self.activations.items())))

    def float_graph(self) -> Graph:
        """Return the float32 graph with the present weights."""
        tensors = list(self.graph.tensors)
        for i, tensor in self._constants.items():
            tensors[i] = replace(tensor, data=self.parameters[tensor.name].detach().numpy().copy())
        return replace(self.graph, tensors=tuple(tensors))
