"""ZiCo (Li et al. 2023, "ZiCo: zero-shot NAS via inverse coefficient of variation on gradients").

Gradients g of the loss on several batches that are large and vary little promise fast convergence:

    S = sum_l ln sum_{j in theta_l} E|g_j| / sqrt(Var|g_j|)

over those weights whose gradients differ between the batches, and those layers that have some.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tinynas.evaluation.evaluators.zero_cost._untrained import gradients_of, logarithm, untrained
from tinynas.graph import Graph
from tinynas.training import Split


def score(graph: Graph, batches: Sequence[Split], seed: int) -> float:
    """The sum of the layers' inverse coefficients of variation over all batches."""
    network = untrained(graph, seed)
    by_batch = [gradients_of(network, graph, batch) for batch in batches]
    total = 0.0
    for layer in zip(*by_batch, strict=True):
        sizes = torch.stack(layer).double().abs()
        deviation = sizes.std(dim=0, correction=0)
        varies = deviation > 0
        if varies.any():
            total += logarithm(float((sizes.mean(dim=0)[varies] / deviation[varies]).sum()))
    return total
