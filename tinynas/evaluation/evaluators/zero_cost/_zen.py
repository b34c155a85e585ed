"""Zen-score (Lin et al. 2021, "Zen-NAS", algorithm 1).

How much the features of a randomly initialised network move when its input does, batch normalization undone:

    S = ln E_{x, e} || f(x) - f(x + 0.01 e) ||_F + sum_l ln sqrt( mean_j sigma_lj^2 )

f ends before the global pooling; residual links are removed; weights, x and e are N(0, 1); sigma_lj^2 is the variance
of channel j at the l-th batch normalization. Here batch statistics are those of x for both terms of the difference.
No image of the data set is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from tinynas.evaluation.evaluators.zero_cost._untrained import logarithm, untrained
from tinynas.graph import Graph, OpKind
from tinynas.training import BatchNormStatistics, Split, float_graph, graph_values, graph_weights, logits_tensor

_MIXTURE = 1e-2
_ZEN = 0x2E4


def score(graph: Graph, batches: Sequence[Split], seed: int) -> float:
    """Mean over as many inputs as the first batch has, of its shape."""
    plain = without_residuals(graph)
    network = untrained(plain, seed)
    rng = np.random.default_rng([seed, _ZEN])

    def normal(shape: Sequence[int]) -> torch.Tensor:
        return torch.from_numpy(rng.standard_normal(tuple(shape)).astype(np.float32))

    statistics: dict[str, BatchNormStatistics] = {}
    with torch.no_grad():
        for name, parameter in network.parameters.items():
            if name.endswith("/weights"):
                parameter.copy_(normal(parameter.shape))
        x, moved = normal(batches[0].images.shape), normal(batches[0].images.shape)
        network.logits(plain, x, statistics)
        folded = float_graph(network, plain, statistics)
        weights, features = graph_weights(folded), features_tensor(folded)
        difference = (
            graph_values(folded, weights, x)[features] - graph_values(folded, weights, x + _MIXTURE * moved)[features]
        )
    norm = float(difference.reshape(len(x), -1).double().norm(dim=1).mean())
    scales = [0.5 * logarithm(float(s.variance.double().mean())) for s in statistics.values()]
    return logarithm(norm) + sum(scales)


def without_residuals(graph: Graph) -> Graph:
    """The graph in which what would read a sum reads the operand that was computed last."""
    stands_for: dict[int, int] = {}
    ops = []
    for op in graph.ops:
        inputs = tuple(stands_for.get(i, i) for i in op.inputs)
        if op.kind is OpKind.ADD:
            stands_for[op.outputs[0]] = max(inputs, key=lambda i: graph.producers.get(i, -1))
        else:
            ops.append(replace(op, inputs=inputs))
    outputs = tuple(stands_for.get(i, i) for i in graph.outputs)
    return replace(graph, ops=tuple(ops), outputs=outputs)


def features_tensor(graph: Graph) -> int:
    """The last tensor that still has more than one position; the logits where there is none."""
    for op in reversed(graph.ops):
        shape = graph.tensor(op.outputs[0]).shape
        if len(shape) == 4 and shape[1] * shape[2] > 1:
            return op.outputs[0]
    return logits_tensor(graph)
