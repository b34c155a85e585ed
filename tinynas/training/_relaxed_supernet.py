"""The supernet under probabilities in place of choices: differentiable masks over the shared weights.

A subnet is a leading slice (channels) and a centre crop (kernel) of the weights of the largest one, without some of its
operators. Under probabilities each becomes what it is in the mean: kernels are multiplied by the sum of the crops'
masks, each with its probability, what an operator gives by that of its slices' masks (Wan et al. 2020, "FBNetV2": a
weighted sum of masks costs one convolution, not one for each choice), and an input that is written by other operators
under other choices is the sum of what these give, weighted alike. Where every probability is 0 or 1, what comes out is
what the subnet gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tinynas.graph import Graph, Op
from tinynas.training._mixture import Mixture, Mixtures
from tinynas.training._supernet import Supernet
from tinynas.training._tensors import images_to_tensor

Input = tuple[int, int]
"""The index of an operator, and which of its activations."""


@dataclass(frozen=True)
class RelaxedGraph:
    """The largest network of a space, and what of it depends on choices.

    Attributes:
        graph: the largest network, float32.
        choices: the number of values of each choice; the vector of probabilities has theirs one after another.
        inputs: where the tensor that an operator reads depends on choices: which of the graph's tensors it may be.
            Those of fewer channels are as if followed by channels of zeros.
        channels: by operator: how many of its channels are there, the leading ones.
        kernels: by operator: (height, width) of its kernel, which is the centre of the largest.
    """

    graph: Graph
    choices: tuple[int, ...]
    inputs: Mapping[Input, Mixture[int]]
    channels: Mapping[str, Mixture[int]]
    kernels: Mapping[str, Mixture[tuple[int, int]]]


class RelaxedSupernet:
    """Shared weights executed under probabilities.

    Args:
        supernet: weights that hold those of the largest network.
        relaxed: what depends on choices, and how.
    """

    def __init__(self, supernet: Supernet, relaxed: RelaxedGraph) -> None:
        self.supernet = supernet
        self.relaxed = relaxed
        device = supernet.device
        mixtures: dict[object, Mixture[Any]] = {("inputs", key): mixture for key, mixture in relaxed.inputs.items()}
        mixtures |= {("channels", name): mixture for name, mixture in relaxed.channels.items()}
        mixtures |= {("kernels", name): mixture for name, mixture in relaxed.kernels.items()}
        self._mixtures = Mixtures(mixtures, device)
        self._channels = {name: self._channel_masks(name, mixture) for name, mixture in relaxed.channels.items()}
        self._kernels = {name: self._kernel_masks(name, mixture) for name, mixture in relaxed.kernels.items()}

    def logits(self, probabilities: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """Class scores [N, classes] of [N, H, W, C] float32 images; batch norm by the statistics of the batch.

        Args:
            probabilities: [n], those of each choice add up to 1.
            images: float32.
        """
        return self.supernet.logits(
            self.relaxed.graph, images, relaxation=_UnderProbabilities(self, self._mixtures(probabilities))
        )

    def _channel_masks(self, name: str, mixture: Mixture[int]) -> torch.Tensor:
        """[values, channels], 1 where a channel is there."""
        (op,) = (op for op in self.relaxed.graph.ops if op.name == name)
        channels = torch.arange(self.relaxed.graph.tensor(op.outputs[0]).shape[-1])
        masks = channels < torch.tensor(mixture.values)[:, None]
        return masks.to(self.supernet.device, self.supernet.parameters.flat.dtype)

    def _kernel_masks(self, name: str, mixture: Mixture[tuple[int, int]]) -> torch.Tensor:
        """[values, height, width], 1 where an element is there."""
        height, width = self.supernet.parameters[f"{name}/weights"].shape[1:3]
        masks = torch.zeros(len(mixture.values), height, width)
        for mask, (rows, columns) in zip(masks, mixture.values, strict=True):
            top, left = (height - rows) // 2, (width - columns) // 2
            mask[top : top + rows, left : left + columns] = 1.0
        return masks.to(self.supernet.device, self.supernet.parameters.flat.dtype)


class _UnderProbabilities:
    """A relaxation of the supernet's execution: see `tinynas.training._supernet.Relaxation`."""

    def __init__(self, model: RelaxedSupernet, weights: dict[object, torch.Tensor]) -> None:
        self._model = model
        self._weights = weights

    def read(self, index: int, position: int, tensor: int, values: Mapping[int, torch.Tensor]) -> torch.Tensor:
        mixture = self._model.relaxed.inputs.get((index, position))
        if mixture is None:
            return values[tensor]
        weights, total = self._weights["inputs", (index, position)], None
        for weight, source in zip(weights, mixture.values, strict=True):
            part = weight * values[source]
            missing = values[tensor].shape[-1] - part.shape[-1]
            part = torch.nn.functional.pad(part, (0, missing)) if missing else part
            total = part if total is None else total + part
        assert total is not None
        return total

    def kernel(self, op: Op, weights: torch.Tensor) -> torch.Tensor:
        masks = self._model._kernels.get(op.name)
        if masks is None:
            return weights
        mask = torch.einsum("v,vhw->hw", self._weights["kernels", op.name], masks)
        return weights * mask[None, :, :, None]

    def result(self, op: Op, y: torch.Tensor) -> torch.Tensor:
        masks = self._model._channels.get(op.name)
        return y if masks is None else y * (self._weights["channels", op.name] @ masks)


def relaxation_error(
    supernet: Supernet,
    relaxed: RelaxedGraph,
    probabilities: npt.NDArray[np.float64],
    graph: Graph,
    images: npt.NDArray[np.uint8],
) -> float:
    """How far class scores under masks are from those of a subnet, relative to the largest of these.

    Args:
        supernet: shared weights.
        relaxed: the largest network, and what depends on choices.
        probabilities: [n] under which the subnet is certain.
        graph: the subnet.
        images: [N, H, W, C] uint8.
    """
    batch = images_to_tensor(images, supernet.device)
    certain = torch.from_numpy(probabilities).to(supernet.device, batch.dtype)
    with torch.no_grad():
        expected = supernet.logits(graph, batch)
        difference = RelaxedSupernet(supernet, relaxed).logits(certain, batch) - expected
    return float(difference.abs().max() / expected.abs().max())
