"""What proxies share: an untrained network, the gradient of its loss on a batch, and finite logarithms."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from tinynas.graph import Graph
from tinynas.training import Split, Supernet, images_to_tensor


def logarithm(value: float) -> float:
    """Natural logarithm; of 0, that of the smallest float64, so that every score is finite."""
    return math.log(max(value, sys.float_info.min))


def untrained(graph: Graph, seed: int) -> Supernet:
    """The network with random weights (He et al. 2015); gamma is 1, beta and biases are 0."""
    return Supernet([graph], seed=seed)


def weights_of(network: Supernet) -> list[torch.nn.Parameter]:
    """Kernels and matrices; neither biases nor batch norm, which the proxies leave out."""
    return [parameter for name, parameter in network.parameters.items() if name.endswith("/weights")]


def loss_of(network: Supernet, graph: Graph, batch: Split) -> torch.Tensor:
    """Mean cross-entropy over a batch, batch normalization by the statistics of the batch."""
    logits = network.logits(graph, images_to_tensor(batch.images))
    return F.cross_entropy(logits, torch.from_numpy(batch.labels))


def gradients_of(network: Supernet, graph: Graph, batch: Split) -> Sequence[torch.Tensor]:
    """Gradient of the loss by each of the weights."""
    return torch.autograd.grad(loss_of(network, graph, batch), weights_of(network))
