"""Weights and architecture parameters trained alternately, each on a half of the training set of its own."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from tinynas.training._architecture import (
    ArchitectureSettings,
    Choices,
    CostTerms,
    ExpectedCost,
    accuracy_loss,
    architecture_loss,
    gumbel_noise,
)
from tinynas.training._batches import training_batch
from tinynas.training._checkpoint import CheckpointClock, save_checkpoint
from tinynas.training._descent import Descent, ProgressCallback, TrainingDiverged, TrainingSettings, load_state
from tinynas.training._optimizers import STATE_VERSION
from tinynas.training._processes import ProcessPool
from tinynas.training._relaxed_supernet import RelaxedGraph, RelaxedSupernet
from tinynas.training._splits import Split
from tinynas.training._supernet import Supernet
from tinynas.training._tensors import images_to_tensor, shared, tensor_of

_HALVES = 0x4A1F
_BETAS = (0.5, 0.999)


@dataclass(frozen=True)
class RelaxedSearch:
    """What is trained by `train_architecture`, beside the weights.

    Attributes:
        relaxed: the largest network, and what of it depends on choices.
        allowed: for each value of each choice, whether it may be chosen.
        cost: what networks are expected to cost; None: nothing.
        settings: how the architecture parameters are trained.
    """

    relaxed: RelaxedGraph
    allowed: tuple[bool, ...]
    cost: CostTerms | None = None
    settings: ArchitectureSettings = field(default_factory=ArchitectureSettings)


def architecture_parameters(search: RelaxedSearch, device: torch.device | str = "cpu") -> torch.Tensor:
    """Parameters under which all values that may be chosen are equally likely, [n] float32."""
    return torch.zeros(sum(search.relaxed.choices), device=device)


def probabilities_of(search: RelaxedSearch, architecture: torch.Tensor) -> npt.NDArray[np.float64]:
    """softmax(alpha) of each choice, [n]."""
    choices = Choices(search.relaxed.choices, search.allowed, architecture.device)
    found: npt.NDArray[np.float64] = choices.probabilities(architecture.detach().double()).cpu().numpy()
    return found


@dataclass
class _Worker:
    model: RelaxedSupernet
    architecture: torch.Tensor
    choices: Choices
    cost: ExpectedCost | None
    search: RelaxedSearch
    gradients: torch.Tensor
    architecture_gradients: torch.Tensor
    halves: tuple[Split, Split]
    settings: TrainingSettings
    seed: int


@dataclass(frozen=True)
class _ShardTask:
    step: int
    shard: int
    trained: Literal["weights", "architecture"]


def halves_of(data: Split, seed: int) -> tuple[Split, Split]:
    """Two disjoint halves of the training examples, drawn at random: for weights, and for architecture parameters."""
    order = np.random.default_rng([seed, _HALVES]).permutation(len(data))
    return data.take(order[: len(data) // 2]), data.take(order[len(data) // 2 :])


def _build_worker(
    graphs: tuple[Any, ...],
    search: RelaxedSearch,
    flat: torch.Tensor,
    architecture: torch.Tensor,
    gradients: torch.Tensor,
    architecture_gradients: torch.Tensor,
    examples: tuple[torch.Tensor, ...],
    settings: TrainingSettings,
    seed: int,
) -> _Worker:
    supernet = Supernet(graphs, device=flat.device)
    supernet.parameters.attach(flat)
    choices = Choices(search.relaxed.choices, search.allowed, flat.device)
    images, labels, more_images, more_labels = (tensor.numpy() for tensor in examples)
    return _Worker(
        RelaxedSupernet(supernet, search.relaxed),
        architecture,
        choices,
        None if search.cost is None else ExpectedCost(search.cost, choices, flat.device),
        search,
        gradients,
        architecture_gradients,
        (Split(images, labels), Split(more_images, more_labels)),
        settings,
        seed,
    )


def _shard_gradient(worker: _Worker, task: _ShardTask) -> float:
    settings, for_weights = worker.settings, task.trained == "weights"
    half = 0 if for_weights else 1
    batch = training_batch(
        worker.halves[half],
        settings.augmentation,
        seed=worker.seed + half,
        step=task.step,
        batch_size=settings.batch_size,
        shard=task.shard,
        shards=settings.shards,
    )
    parameters = worker.model.supernet.parameters
    device = parameters.flat.device
    images, labels = images_to_tensor(batch.images, device), tensor_of(batch.labels).to(device)
    alpha = worker.architecture.detach().requires_grad_(not for_weights)
    noise = gumbel_noise(worker.seed, task.step, task.shard, half, len(alpha)).to(device)
    temperature = worker.search.settings.temperature(task.step, settings.steps)
    logits = worker.model.logits(worker.choices.relaxed(alpha, noise, temperature), images)
    loss = accuracy_loss(logits, labels, settings.label_smoothing)
    if for_weights:
        parameters.use_gradient(worker.gradients[task.shard].zero_())
        torch.autograd.backward(loss)
        return float(loss.detach())
    if worker.cost is not None:
        relative = worker.cost.relative(worker.choices.probabilities(alpha))
        loss = architecture_loss(loss, relative, worker.search.settings, worker.cost.limited)
    (gradient,) = torch.autograd.grad(loss, [alpha])
    worker.architecture_gradients[task.shard].copy_(gradient)
    return float(loss.detach())


def train_architecture(
    supernet: Supernet,
    architecture: torch.Tensor,
    search: RelaxedSearch,
    *,
    data: Split,
    settings: TrainingSettings,
    seed: int = 0,
    processes: int = 1,
    checkpoint: Path | None = None,
    progress: ProgressCallback | None = None,
) -> None:
    """Train shared weights and architecture parameters in place (DARTS, Liu et al. 2019, first order).

    Each step draws relaxed choices and descends along the weights' gradient on a batch of one half of the examples;
    then, after the warm-up, it draws others and descends along the gradient of the architecture parameters on a batch
    of the other half, with the weights as they are.

    Args:
        supernet: shared weights, built from the largest network.
        architecture: [n] float32 parameters, a value of each choice one after another.
        search: what depends on choices, what they are expected to cost, and how they are trained.
        data: training examples at the networks' resolution.
        settings: how the weights are trained; steps, batches and augmentation are those of both.
        seed: of halves, data order, augmentation and choices.
        processes: see `TrainingSettings.shards`; the result does not depend on it.
        checkpoint: file to resume from and to write at most every 30 s and at the end; a training that was killed and
            resumed ends in the same bits as one that was not.
        progress: called after each step with the loss of the weights.

    Raises:
        CheckpointError: the checkpoint is damaged or belongs to another training.
        TrainingDiverged: a loss is no longer finite.
    """
    parameters = supernet.parameters
    initial = [hashlib.sha256(t.cpu().numpy().tobytes()).hexdigest() for t in (parameters.flat, architecture)]
    identity = (initial, sorted(parameters.shapes.items()), search, data.digest(), settings, seed, STATE_VERSION)
    key = hashlib.sha256(repr(identity).encode()).hexdigest()
    state = load_state(checkpoint, key) if checkpoint is not None and checkpoint.exists() else None
    start = 0 if state is None else int(state["step"])
    if state is not None:
        with torch.no_grad():
            parameters.flat.copy_(state["parameters"])
            architecture.copy_(state["architecture"])
    if start >= settings.steps:
        return
    on_cpu = parameters.flat.device.type == "cpu"
    processes = min(processes, settings.shards) if on_cpu else 1
    halves = halves_of(data, seed)
    examples = tuple(tensor_of(array) for half in halves for array in (half.images, half.labels))
    trained = architecture.detach().clone()
    gradients = parameters.flat.new_zeros(settings.shards, parameters.flat.numel())
    architecture_gradients = trained.new_zeros(settings.shards, trained.numel())
    if processes > 1:
        parameters.attach(shared(parameters.flat))
        trained, gradients, architecture_gradients = map(shared, (trained, gradients, architecture_gradients))
        examples = tuple(map(shared, examples))
    clock = CheckpointClock()
    arguments = (search, parameters.flat, trained, gradients, architecture_gradients, examples, settings, seed)
    with ProcessPool(processes, _build_worker, supernet.graphs, *arguments) as pool:
        pool.start(settings.shards)
        descent = Descent(parameters, gradients[0], settings)
        alpha = torch.nn.Parameter(trained)
        architecture_optimizer = torch.optim.Adam(
            [alpha], lr=search.settings.learning_rate, betas=_BETAS, weight_decay=search.settings.weight_decay
        )
        if state is not None:
            descent.load_state_dict(state["optimizer"])
            architecture_optimizer.load_state_dict(state["architecture_optimizer"])
        alpha.grad = architecture_gradients[0]

        def gradient_of(step: int, which: Literal["weights", "architecture"], of_shards: torch.Tensor) -> float:
            """The mean over shards, in the place of the first."""
            losses = pool.map(_shard_gradient, [_ShardTask(step, shard, which) for shard in range(settings.shards)])
            loss = sum(losses) / len(losses)
            if not math.isfinite(loss):
                raise TrainingDiverged(f"training diverged at step {step}: lower the learning rate of the {which}")
            for other in of_shards[1:]:
                of_shards[0] += other
            of_shards[0] /= settings.shards
            return loss

        for step in range(start, settings.steps):
            loss = gradient_of(step, "weights", gradients)
            descent.step(step)
            if step >= search.settings.warmup * settings.steps:
                gradient_of(step, "architecture", architecture_gradients)
                architecture_optimizer.step()
            done = step + 1
            if checkpoint is not None and (done == settings.steps or clock.due()):
                save_checkpoint(
                    checkpoint,
                    {
                        "key": key,
                        "step": done,
                        "parameters": parameters.flat.clone(),
                        "optimizer": descent.state_dict(),
                        "architecture": trained.clone(),
                        "architecture_optimizer": architecture_optimizer.state_dict(),
                    },
                )
            if progress is not None:
                progress(done, settings.steps, loss)
    with torch.no_grad():
        architecture.copy_(trained)
