"""Gradient norm (Abdelfattah et al. 2021, "Zero-cost proxies for lightweight NAS", section 3.2).

The Euclidean norm of the gradient of the loss on one batch, layer by layer, over the weights theta_l of layer l:

    S = sum_l || dL/dtheta_l ||_2
"""

from __future__ import annotations

from collections.abc import Sequence

from tinynas.evaluation.evaluators.zero_cost._untrained import gradients_of, untrained
from tinynas.graph import Graph
from tinynas.training import Split


def score(graph: Graph, batches: Sequence[Split], seed: int) -> float:
    """The sum of the layers' gradient norms on the first batch."""
    gradients = gradients_of(untrained(graph, seed), graph, batches[0])
    return sum(float(gradient.double().norm()) for gradient in gradients)
