"""SynFlow (Tanaka et al. 2020, "Pruning neural networks without any data"; of a network: Abdelfattah et al. 2021).

The network is made linear: weights become their absolute values, batch normalization and activations are left out,
and the input is all ones. With R the sum of its outputs,

    S = ln sum_j dR/dtheta_j * theta_j

The logarithm, which keeps the order, is ours: S grows exponentially with the depth. Computed in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from tinynas.evaluation.evaluators.zero_cost._untrained import logarithm, untrained
from tinynas.graph import Graph, without_activation
from tinynas.training import Split, graph_logits


def score(graph: Graph, batches: Sequence[Split], seed: int) -> float:
    """The logarithm of the weights' synaptic flow; of `batches`, only the shape of the images matters."""
    linear = without_activations(graph)
    network = untrained(graph, seed)
    weights: dict[int, torch.Tensor] = {}
    for op in linear.ops:
        if op.weights is not None:
            weights[op.inputs[1]] = network.parameters[f"{op.name}/weights"].detach().double().abs().requires_grad_()
            if len(op.inputs) > 2 and op.inputs[2] >= 0:
                weights[op.inputs[2]] = torch.zeros(linear.tensor(op.inputs[2]).shape, dtype=torch.float64)
    learned = [tensor for tensor in weights.values() if tensor.requires_grad]
    ones = torch.ones(1, *batches[0].images.shape[1:], dtype=torch.float64)
    gradients = torch.autograd.grad(graph_logits(linear, weights, ones).sum(), learned)
    flow = sum(float((gradient * w.detach()).sum()) for gradient, w in zip(gradients, learned, strict=True))
    return logarithm(flow)


def without_activations(graph: Graph) -> Graph:
    """The graph with every fused activation left out: on positive values, a rectifier is the identity."""
    return replace(graph, ops=tuple(map(without_activation, graph.ops)))
