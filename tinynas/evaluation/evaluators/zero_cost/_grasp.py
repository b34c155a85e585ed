"""GraSP (Wang et al. 2020, "Picking winning tickets before training"; of a whole network: Abdelfattah et al. 2021).

How much the norm of the gradient would change if weights were removed, H being the Hessian of the loss on one batch:

    S = sum_j -(H dL/dtheta)_j * theta_j

H g is the gradient of <g, dL/dtheta> with g held constant. As in Abdelfattah et al., the logits are not divided by a
temperature.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tinynas.evaluation.evaluators.zero_cost._untrained import loss_of, untrained, weights_of
from tinynas.graph import Graph
from tinynas.training import Split


def score(graph: Graph, batches: Sequence[Split], seed: int) -> float:
    """The sum of the weights' effects on the flow of gradients on the first batch."""
    network = untrained(graph, seed)
    weights = weights_of(network)
    gradients = torch.autograd.grad(loss_of(network, graph, batches[0]), weights, create_graph=True)
    along = sum((gradient * gradient.detach()).sum() for gradient in gradients)
    assert isinstance(along, torch.Tensor)
    products = torch.autograd.grad(along, weights)
    return -sum(float((product * w.detach()).double().sum()) for product, w in zip(products, weights, strict=True))
