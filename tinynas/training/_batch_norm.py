"""Batch normalization of subnets: recalibration of the statistics, and folding into the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from tinynas.graph import Graph
from tinynas.training._supernet import BATCH_NORM_EPSILON, BatchNormStatistics, Statistics, Supernet, has_batch_norm
from tinynas.training._tensors import images_to_tensor

RECALIBRATION_BATCH = 256


def batch_statistics(supernet: Supernet, graph: Graph, images: npt.NDArray[np.uint8]) -> Statistics:
    """Statistics of every batch normalization on one batch of uint8 images."""
    collected: dict[str, BatchNormStatistics] = {}
    with torch.no_grad():
        supernet.logits(graph, images_to_tensor(images, supernet.device), collected)
    return {name: BatchNormStatistics(s.mean.cpu(), s.variance.cpu()) for name, s in collected.items()}


def mean_statistics(batches: Sequence[Statistics]) -> Statistics:
    """Average the statistics of equal batches, in their order."""
    return {
        name: BatchNormStatistics(
            torch.stack([b[name].mean for b in batches]).mean(dim=0),
            torch.stack([b[name].variance for b in batches]).mean(dim=0),
        )
        for name in batches[0]
    }


def recalibration_batches(count: int) -> list[slice]:
    """Cut `count` images into batches of equal size (a remainder is left out), at least one."""
    if count <= RECALIBRATION_BATCH:
        return [slice(0, count)]
    return [slice(i, i + RECALIBRATION_BATCH) for i in range(0, count - RECALIBRATION_BATCH + 1, RECALIBRATION_BATCH)]


def recalibrate_batch_norm(supernet: Supernet, graph: Graph, images: npt.NDArray[np.uint8]) -> Statistics:
    """Collect the batch-norm statistics of one subnet on training images.

    Shared weights see other inputs in every subnet, so each needs statistics of its own before it is scored
    (Yu and Huang 2019, section 3.3: post-statistics of batch normalization).

    Args:
        supernet: shared weights.
        graph: the subnet.
        images: [N, H, W, C] uint8 training images; a few hundred suffice.
    """
    return mean_statistics([batch_statistics(supernet, graph, images[s]) for s in recalibration_batches(len(images))])


def float_graph(supernet: Supernet, graph: Graph, statistics: Statistics) -> Graph:
    """Return the subnet as a float32 graph with weights: batch normalization folded, constants filled.

    y = gamma * (conv(x, w) - mean) / sqrt(variance + epsilon) + beta is a convolution with weights
    w * gamma / sqrt(variance + epsilon) and bias beta - mean * gamma / sqrt(variance + epsilon).
    """
    data: dict[int, npt.NDArray[np.float32]] = {}
    for op in graph.ops:
        if op.weights is None:
            continue
        weights = supernet.slice(f"{op.name}/weights", graph.tensor(op.inputs[1]).shape).detach().cpu()
        if has_batch_norm(graph, op):
            shape = graph.tensor(op.inputs[2]).shape
            gamma, beta = (supernet.slice(f"{op.name}/{p}", shape).detach().cpu() for p in ("gamma", "beta"))
            factor = gamma / torch.sqrt(statistics[op.name].variance + BATCH_NORM_EPSILON)
            along = [1] * weights.ndim
            along[op.weights.channel_axis] = -1
            data[op.inputs[1]] = (weights * factor.reshape(along)).numpy()
            data[op.inputs[2]] = (beta - statistics[op.name].mean * factor).numpy()
        else:
            data[op.inputs[1]] = weights.numpy().copy()
            if len(op.inputs) > 2 and op.inputs[2] >= 0:
                bias = supernet.slice(f"{op.name}/bias", graph.tensor(op.inputs[2]).shape)
                data[op.inputs[2]] = bias.detach().cpu().numpy().copy()
    tensors = tuple(
        replace(tensor, data=np.ascontiguousarray(data[i])) if i in data else tensor
        for i, tensor in enumerate(graph.tensors)
    )
    return replace(graph, tensors=tensors)
