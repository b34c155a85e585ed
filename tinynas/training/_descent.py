"""Gradient descent for every kind of training: shards in processes, checkpoints, exact resume."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from tinynas.errors import ExternalError, UsageError
from tinynas.graph import Graph
from tinynas.training._batches import Augmentation, training_batch
from tinynas.training._checkpoint import CheckpointClock, CheckpointError, load_checkpoint, save_checkpoint
from tinynas.training._flat_parameters import FlatParameters
from tinynas.training._learning_rate import LearningRateSchedule
from tinynas.training._optimizers import STATE_VERSION, Optimizer, Sgd
from tinynas.training._processes import ProcessPool
from tinynas.training._splits import Split
from tinynas.training._tensors import images_to_tensor, shared, tensor_of

ProgressCallback = Callable[[int, int, float], None]
"""Called after each step with (steps done, steps in all, mean loss of the step's first network)."""


class TrainingDiverged(ExternalError):
    """The loss became infinite or not a number."""


@dataclass(frozen=True)
class TrainingSettings:
    """How to train; with data and seed it determines the result bit for bit, on one machine and processor type.

    Attributes:
        steps: number of optimizer steps; the learning rate reaches zero at the last one.
        batch_size: examples per step.
        optimizer: what makes steps of gradients: `Sgd`, `Adam`, `AdamW`, `Muon` and their options.
        learning_rate: peak of the schedule; None for the optimizer's own (`peak_learning_rate` is either).
        label_smoothing: probability mass spread evenly over all classes.
        warmup: fraction of the steps in which the learning rate rises.
        gradient_clip: longest gradient (Euclidean norm over all parameters); longer ones are scaled down to it.
        shards: parts a batch is cut into. Each is normalised by its own statistics and can be computed by a process
            of its own; the result depends on `shards`, never on the number of processes.
        augmentation: random changes of the training images.
    """

    steps: int
    batch_size: int = 128
    optimizer: Optimizer = field(default_factory=Sgd)
    learning_rate: float | None = None
    label_smoothing: float = 0.1
    warmup: float = 0.05
    gradient_clip: float = math.inf
    shards: int = 2
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if self.steps < 1 or self.shards < 1 or self.batch_size < 2 * self.shards:
            raise UsageError(
                f"training needs at least 1 step, 1 shard and 2 examples per shard, got steps {self.steps}, "
                f"shards {self.shards}, batch_size {self.batch_size}"
            )

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate after the warm-up."""
        return self.optimizer.default_learning_rate if self.learning_rate is None else self.learning_rate


class Trainable(Protocol):
    """A model that gradient descent can train."""

    parameters: FlatParameters

    def backward(
        self, images: torch.Tensor, labels: torch.Tensor, sampled: tuple[Graph, ...], label_smoothing: float
    ) -> float:
        """Accumulate the gradient of one shard and return the loss of its first network."""
        ...

    def identity(self) -> str:
        """What distinguishes this model from others in a checkpoint."""
        ...


@dataclass(frozen=True)
class Recipe:
    """How a worker process builds its copy of the model: a module-level function and its arguments."""

    build: Callable[..., Trainable]
    arguments: tuple[Any, ...]


@dataclass
class _Worker:
    model: Trainable
    gradients: torch.Tensor
    data: Split
    settings: TrainingSettings
    seed: int


@dataclass(frozen=True)
class _ShardTask:
    step: int
    shard: int
    sampled: tuple[Graph, ...]


def _build_worker(
    recipe: Recipe,
    flat: torch.Tensor,
    gradients: torch.Tensor,
    images: torch.Tensor,
    labels: torch.Tensor,
    settings: TrainingSettings,
    seed: int,
) -> _Worker:
    model = recipe.build(*recipe.arguments)
    model.parameters.attach(flat)
    return _Worker(model, gradients, Split(images.numpy(), labels.numpy()), settings, seed)


def _shard_gradient(worker: _Worker, task: _ShardTask) -> float:
    settings = worker.settings
    batch = training_batch(
        worker.data,
        settings.augmentation,
        seed=worker.seed,
        step=task.step,
        batch_size=settings.batch_size,
        shard=task.shard,
        shards=settings.shards,
    )
    parameters = worker.model.parameters
    parameters.use_gradient(worker.gradients[task.shard].zero_())
    device = parameters.flat.device
    images, labels = images_to_tensor(batch.images, device), tensor_of(batch.labels).to(device)
    return worker.model.backward(images, labels, task.sampled, settings.label_smoothing)


class Descent:
    """The steps of a training: the optimizer along the schedule of its learning rate.

    Args:
        parameters: what is trained, in place.
        gradient: a vector like `parameters.flat`, which holds the gradient at each step.
        settings: optimizer, schedule and clipping.
    """

    def __init__(self, parameters: FlatParameters, gradient: torch.Tensor, settings: TrainingSettings) -> None:
        self._optimizer = settings.optimizer.build(parameters, gradient, settings.peak_learning_rate)
        self._schedules = [
            LearningRateSchedule(group["lr"], settings.steps, settings.warmup) for group in self._optimizer.param_groups
        ]
        self._clip = settings.gradient_clip
        self._whole = torch.nn.Parameter(parameters.flat)
        self._whole.grad = gradient

    def step(self, step: int) -> None:
        """Take step number `step`, 0-based."""
        if self._clip < math.inf:
            torch.nn.utils.clip_grad_norm_(self._whole, self._clip)
        for group, schedule in zip(self._optimizer.param_groups, self._schedules, strict=True):
            group["lr"] = schedule(step)
        self._optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return self._optimizer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._optimizer.load_state_dict(state)


def descend(
    model: Trainable,
    recipe: Recipe,
    *,
    sample: Callable[[int], tuple[Graph, ...]],
    data: Split,
    settings: TrainingSettings,
    seed: int,
    processes: int,
    checkpoint: Path | None,
    progress: ProgressCallback | None,
) -> None:
    """Train `model` in place.

    Args:
        model: what to train; afterwards its parameters may lie in shared memory.
        recipe: builds the same model in a worker process.
        sample: subnets to train beside the model's own, a pure function of the step.
        data: training examples, at the networks' resolution.
        settings: how to train.
        seed: of data order and augmentation.
        processes: how many share the work; more than `settings.shards` bring nothing. On a GPU always one.
        checkpoint: file to continue from, and to write at most every 30 s and at the end.
        progress: called after each step.

    Raises:
        CheckpointError: the checkpoint is damaged, or belongs to other settings, data or networks or to another
            version of TinyNAS.
        TrainingDiverged: the loss is no longer finite.
    """
    parameters = model.parameters
    initial = hashlib.sha256(parameters.flat.cpu().numpy().tobytes()).hexdigest()
    identity = (model.identity(), initial, data.digest(), settings, seed, STATE_VERSION)
    key = hashlib.sha256(repr(identity).encode()).hexdigest()
    state = load_state(checkpoint, key) if checkpoint is not None and checkpoint.exists() else None
    start = 0 if state is None else int(state["step"])
    if state is not None:
        with torch.no_grad():
            parameters.flat.copy_(state["parameters"])
    if start >= settings.steps:
        return
    on_cpu = parameters.flat.device.type == "cpu"
    processes = min(processes, settings.shards) if on_cpu else 1
    gradients = torch.zeros(settings.shards, parameters.flat.numel(), device=parameters.flat.device)
    images, labels = tensor_of(data.images), tensor_of(data.labels)
    if processes > 1:
        parameters.attach(shared(parameters.flat))
        gradients, images, labels = shared(gradients), shared(images), shared(labels)
    clock = CheckpointClock()
    arguments = (recipe, parameters.flat, gradients, images, labels, settings, seed)
    with ProcessPool(processes, _build_worker, *arguments) as pool:
        pool.start(settings.shards)
        # While the other processes start: torch's first optimizer takes a second of imports.
        gradient = gradients[0]  # that of the first shard, to which the others are added
        descent = Descent(parameters, gradient, settings)
        if state is not None:
            descent.load_state_dict(state["optimizer"])
        for step in range(start, settings.steps):
            sampled = sample(step)
            losses = pool.map(_shard_gradient, [_ShardTask(step, s, sampled) for s in range(settings.shards)])
            loss = sum(losses) / len(losses)
            if not math.isfinite(loss):
                raise TrainingDiverged(
                    f"training diverged at step {step}: lower learning_rate {settings.peak_learning_rate}"
                )
            for other in gradients[1:]:
                gradient += other
            gradient.div_(settings.shards)
            descent.step(step)
            done = step + 1
            if checkpoint is not None and (done == settings.steps or clock.due()):
                save_checkpoint(
                    checkpoint,
                    {
                        "key": key,
                        "step": done,
                        "parameters": parameters.flat.clone(),
                        "optimizer": descent.state_dict(),
                    },
                )
            if progress is not None:
                progress(done, settings.steps, loss)


def load_state(checkpoint: Path, key: str) -> dict[str, Any]:
    """The state of the run that `key` stands for, which says all that its layout depends on.

    Raises:
        CheckpointError: the checkpoint is damaged, or of another key.
    """
    state = load_checkpoint(checkpoint)
    if state.get("key") != key:
        raise CheckpointError(
            f"checkpoint {checkpoint} belongs to other settings, data or networks, or to another version of TinyNAS: "
            "delete it to start anew"
        )
    return state
