"""NASWOT (Mellor et al. 2021, "Neural architecture search without training").

Each rectified unit of the untrained network is on (> 0) or off for an image: a code c_i of N_A bits for image i of a
batch. Networks that tell images apart have codes that differ:

    K_ij = N_A - hamming(c_i, c_j),    S = ln |det K|

Batch normalization is by the statistics of the batch. Eigenvalues below 1e-9 count as that, so that S is finite where
two images have one code. A unit of ReLU6 that saturates counts as on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from tinynas.evaluation.evaluators.zero_cost._untrained import untrained
from tinynas.graph import Activation, Graph, Op
from tinynas.training import (
    BatchNormStatistics,
    Split,
    float_graph,
    graph_values,
    graph_weights,
    images_to_tensor,
)

_FLOOR = 1e-9


def score(graph: Graph, batches: Sequence[Split], seed: int) -> float:
    """The logarithm of the determinant of the codes' agreements on the first batch."""
    images = images_to_tensor(batches[0].images)
    network = untrained(graph, seed)
    statistics: dict[str, BatchNormStatistics] = {}
    agreements = torch.zeros(len(images), len(images), dtype=torch.float64)

    def count(op: Op, y: torch.Tensor) -> torch.Tensor:
        if getattr(op.attributes, "activation", Activation.NONE) is not Activation.NONE:
            on = (y.reshape(len(y), -1) > 0).double()
            agreements.add_(on @ on.T + (1 - on) @ (1 - on).T)
        return y

    with torch.no_grad():
        network.logits(graph, images, statistics)
        folded = float_graph(network, graph, statistics)
        graph_values(folded, graph_weights(folded), images, after=count)
    return float(np.log(np.maximum(np.linalg.eigvalsh(agreements.numpy()), _FLOOR)).sum())
