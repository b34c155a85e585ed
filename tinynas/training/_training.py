"""Training a supernet by the sandwich rule, and one subnet by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from tinynas.graph import Graph
from tinynas.training._descent import ProgressCallback, Recipe, TrainingSettings, descend
from tinynas.training._splits import Split
from tinynas.training._supernet import Supernet

_SANDWICH = 0x5A4D


def training_device() -> torch.device:
    """The GPU when torch finds one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class _Sandwich:
    """Networks of one supernet that learn together: the first from the labels, the others from the first.

    With one network this is plain training; with more it is the in-place distillation of the sandwich rule.
    """

    def __init__(self, supernet: Supernet, fixed: tuple[Graph, ...]) -> None:
        self.supernet = supernet
        self.parameters = supernet.parameters
        self._fixed = fixed

    def backward(
        self, images: torch.Tensor, labels: torch.Tensor, sampled: tuple[Graph, ...], label_smoothing: float
    ) -> float:
        logits = self.supernet.logits(self._fixed[0], images)
        loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
        torch.autograd.backward(loss)
        teacher = logits.detach().softmax(dim=1)
        for graph in (*sampled, *self._fixed[1:]):
            torch.autograd.backward(F.cross_entropy(self.supernet.logits(graph, images), teacher))
        return float(loss.detach())

    def identity(self) -> str:
        networks = [
            [(str(op.kind), op.name, op.attributes, graph.tensor(op.outputs[0]).shape) for op in graph.ops]
            for graph in self._fixed
        ]
        return repr((sorted(self.parameters.shapes.items()), networks))


def _build_sandwich(graphs: tuple[Graph, ...], fixed: tuple[Graph, ...], device: torch.device) -> _Sandwich:
    return _Sandwich(Supernet(graphs, device=device), fixed)


def train_supernet(
    supernet: Supernet,
    *,
    largest: Graph,
    smallest: Graph,
    sample: Callable[[np.random.Generator], Graph],
    data: Split,
    settings: TrainingSettings,
    sampled_per_step: int = 2,
    seed: int = 0,
    processes: int = 1,
    checkpoint: Path | None = None,
    progress: ProgressCallback | None = None,
) -> None:
    """Train the shared weights in place by the sandwich rule with in-place distillation.

    Each step trains the largest subnet on the labels, and the smallest and `sampled_per_step` random ones on the
    largest one's class probabilities (Yu and Huang 2019). The learning rate anneals to zero: rankings by a supernet
    that has not been annealed are close to noise.

    Args:
        supernet: built from `largest`.
        largest: the subnet with every block at its largest.
        smallest: the subnet with every block at its smallest.
        sample: returns a random subnet; a pure function of the generator.
        data: training examples at the networks' resolution.
        settings: how to train.
        sampled_per_step: random subnets per step.
        seed: of data order, augmentation and sampling.
        processes: see `TrainingSettings.shards`; the result does not depend on it.
        checkpoint: file to resume from and to write at most every 30 s; a run that was killed and resumed ends in
            the same bits as one that was not.
        progress: called after each step.

    Raises:
        CheckpointError: the checkpoint is damaged or belongs to another run.
        TrainingDiverged: the loss is no longer finite.
        SupernetError: a subnet lies outside the supernet.
    """

    def sandwich(step: int) -> tuple[Graph, ...]:
        rng = np.random.default_rng([seed, _SANDWICH, step])
        return tuple(sample(rng) for _ in range(sampled_per_step))

    fixed = (largest, smallest)
    descend(
        _Sandwich(supernet, fixed),
        Recipe(_build_sandwich, (supernet.graphs, fixed, supernet.device)),
        sample=sandwich,
        data=data,
        settings=settings,
        seed=seed,
        processes=processes,
        checkpoint=checkpoint,
        progress=progress,
    )


def train_subnet(
    subnet: Supernet,
    graph: Graph,
    *,
    data: Split,
    settings: TrainingSettings,
    seed: int = 0,
    processes: int = 1,
    checkpoint: Path | None = None,
    progress: ProgressCallback | None = None,
) -> None:
    """Train one network in place: the winner from `supernet.extract(graph)`, a baseline from `Supernet([graph])`.

    Arguments and errors are those of `train_supernet`.
    """
    descend(
        _Sandwich(subnet, (graph,)),
        Recipe(_build_sandwich, (subnet.graphs, (graph,), subnet.device)),
        sample=lambda step: (),
        data=data,
        settings=settings,
        seed=seed,
        processes=processes,
        checkpoint=checkpoint,
        progress=progress,
    )
