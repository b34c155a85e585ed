"""SNIP (Lee et al. 2019, "SNIP: Single-shot network pruning"; of a network: Abdelfattah et al. 2021).

How much the loss on one batch would change if weights were removed, to first order:

    S = sum_j | dL/dtheta_j * theta_j |
"""

from __future__ import annotations

from collections.abc import Sequence

from tinynas.evaluation.evaluators.zero_cost._untrained import gradients_of, untrained, weights_of
from tinynas.graph import Graph
from tinynas.training import Split


def score(graph: Graph, batches: Sequence[Split], seed: int) -> float:
    """The sum of the weights' saliencies on the first batch."""
    network = untrained(graph, seed)
    gradients = gradients_of(network, graph, batches[0])
    pairs = zip(gradients, weights_of(network), strict=True)
    return sum(float((gradient * weights.detach()).double().abs().sum()) for gradient, weights in pairs)
