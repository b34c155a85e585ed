"""Accuracy of float graphs and of subnets, the same to the bit on any number of processes."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

import numpy as np
import numpy.typing as npt
import torch

from tinynas.graph import Graph
from tinynas.training._batch_norm import (
    float_graph,
    recalibrate_batch_norm,
)
from tinynas.training._float_execution import graph_logits, graph_weights
from tinynas.training._processes import ProcessPool
from tinynas.training._splits import Split
from tinynas.training._supernet import Supernet
from tinynas.training._tensors import images_to_tensor, shared, tensor_of

EVALUATION_BATCH = 250


def correct_predictions(
    graph: Graph, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64], device: torch.device | str = "cpu"
) -> int:
    """Number of images that a float32 graph with weights classifies correctly."""
    weights = {i: w.to(device) for i, w in graph_weights(graph).items()}
    correct = 0
    with torch.no_grad():
        for start in range(0, len(images), EVALUATION_BATCH):
            batch = images_to_tensor(images[start : start + EVALUATION_BATCH], device)
            predicted = graph_logits(graph, weights, batch).argmax(dim=1).cpu().numpy()
            correct += int((predicted == labels[start : start + EVALUATION_BATCH]).sum())
    return correct


def accuracy(graph: Graph, data: Split, device: torch.device | str = "cpu") -> float:
    """Share of `data` that a float32 graph with weights (`float_graph`) classifies correctly."""
    return correct_predictions(graph, data.images, data.labels, device) / len(data)


def score_subnet(supernet: Supernet, graph: Graph, calibration: npt.NDArray[np.uint8], data: Split) -> float:
    """Accuracy of one subnet on `data` after recalibrating its batch norm on `calibration` images."""
    statistics = recalibrate_batch_norm(supernet, graph, calibration)
    return accuracy(float_graph(supernet, graph, statistics), data, supernet.device)


@dataclass
class _Worker:
    supernet: Supernet
    calibration: npt.NDArray[np.uint8]
    data: Split


def _build_worker(
    graphs: tuple[Graph, ...],
    flat: torch.Tensor,
    calibration: torch.Tensor,
    images: torch.Tensor,
    labels: torch.Tensor,
) -> _Worker:
    supernet = Supernet(graphs, device=flat.device)
    supernet.parameters.attach(flat)
    return _Worker(supernet, calibration.numpy(), Split(images.numpy(), labels.numpy()))


def _score(worker: _Worker, graph: Graph) -> float:
    return score_subnet(worker.supernet, graph, worker.calibration, worker.data)


class SubnetScorer:
    """Scores many subnets of one trained supernet; a context manager that owns the processes.

    Subnets are shared out among the processes whole, so a score is that of `score_subnet` to the bit.

    Args:
        supernet: trained, not changed while the scorer is open.
        calibration: uint8 training images for the batch-norm statistics.
        data: held-out examples to score on.
        processes: how many share the work; on a GPU always one.
    """

    def __init__(
        self, supernet: Supernet, calibration: npt.NDArray[np.uint8], data: Split, *, processes: int = 1
    ) -> None:
        on_cpu = supernet.device.type == "cpu"
        tensors = [tensor_of(a) for a in (calibration, data.images, data.labels)]
        flat = supernet.parameters.flat
        if on_cpu and processes > 1:
            flat = shared(flat)
            tensors = [shared(t) for t in tensors]
        self._pool = ProcessPool(processes if on_cpu else 1, _build_worker, supernet.graphs, flat, *tensors)

    def __enter__(self) -> SubnetScorer:
        self._pool.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.__exit__(kind, error, trace)

    def score(self, graphs: list[Graph]) -> list[float]:
        """Accuracies of `graphs`, in their order; give several at once to keep all processes busy."""
        return self._pool.map(_score, graphs)
