"""Held-out accuracy after a training of one's own, and cheaper stand-ins for it.

A candidate is trained alone from random weights, for `steps` steps at fidelity 1; fidelity f takes round(f * steps),
and its learning rate anneals to zero at its own last step.

    value(g) = 1/S sum_s accuracy(train(g, seed_s)),    deviation = sqrt(1/(S(S-1)) sum_s (accuracy_s - value)^2)

Stand-ins (Zhou et al. 2020, "EcoNAS": fewer epochs, samples, pixels, channels) are options. With a share d of the
examples, resolutions scaled by r and widths by w, the MACs of a step are r^2 w^2 of a full one (Tan and Le 2019,
"EfficientNet": compound scaling), r^2 w in depthwise convolutions, up to the rounding of channels. d changes how
often an example is seen, not what a step costs.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, field_validator

from tinynas import training
from tinynas.evaluation._errors import EvaluatorError
from tinynas.evaluation._evaluator import Estimate, EvaluationProgress, check_fidelities, check_fidelity
from tinynas.evaluation._key import evaluator_key
from tinynas.evaluation._options import EvaluatorOptions
from tinynas.evaluation._task import EvaluationTask, draw_examples
from tinynas.evaluation._workers import Workers
from tinynas.graph import Graph
from tinynas.spaces import Genotype
from tinynas.training import Augmentation, OptimizerName, Split

if TYPE_CHECKING:
    from tinynas.training import TrainingSettings

_VERSION = 3
_SUBSET, _SEEDS = 0x5B5E7, 0x5EED

Share = Annotated[float, Field(gt=0, le=1)]


class TrainingOptions(EvaluatorOptions):
    """How candidates are trained, and what is left out to be faster.

    Attributes:
        steps: of a training at fidelity 1.
        fidelities: shares of `steps`.
        batch_size: examples per step.
        optimizer: what takes the steps.
        learning_rate: peak of the schedule; None: the optimizer's own.
        label_smoothing: probability mass spread evenly over all classes.
        seeds: trainings of each candidate; two or more give a deviation.
        recalibration_images: training images for the batch-norm statistics.
        validation_images: held-out images to score on.
        data_share: share of the training examples, drawn once.
        resolution_scale: of the side of the images.
        width_scale: of the width multiplier.
    """

    steps: int = Field(default=300, ge=1)
    fidelities: tuple[float, ...] = (1.0,)
    batch_size: int = Field(default=128, ge=4)
    optimizer: OptimizerName = "sgd"
    learning_rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    seeds: int = Field(default=1, ge=1)
    recalibration_images: int = Field(default=512, ge=1)
    validation_images: int = Field(default=5000, ge=1)
    data_share: Share = 1.0
    resolution_scale: Share = 1.0
    width_scale: Share = 1.0

    @field_validator("fidelities")
    @classmethod
    def _ascending(cls, fidelities: tuple[float, ...]) -> tuple[float, ...]:
        return check_fidelities(fidelities)


@dataclass
class _Recipe:
    """What every training of one evaluator has in common."""

    train: Split
    validation: Split
    options: TrainingOptions
    augmentation: Augmentation


@dataclass(frozen=True)
class _Training:
    graph: Graph
    steps: int
    seed: int
    checkpoint: Path | None


@dataclass(frozen=True)
class _Trained:
    accuracy: float
    seconds: float
    diverged: bool = False


@dataclass(frozen=True)
class FullTraining:
    """How networks are trained at fidelity 1: with it another network is trained like them.

    Attributes:
        settings: of the training.
        seed: of initial weights and batches; with several, of the first training.
        recalibration_images: the first training images, for the batch-norm statistics.
    """

    settings: TrainingSettings
    seed: int
    recalibration_images: int


class TrainingEvaluator:
    """Trains candidates one by one, as many at once as there are processes.

    A candidate whose training diverges is worth 0, and its details say so: a learning rate that suits the others is
    part of the question.
    """

    name = "training"

    def __init__(self, task: EvaluationTask, options: TrainingOptions) -> None:
        self.fidelities = options.fidelities
        self._task = task
        self._options = options
        self._resolution = max(1, round(options.resolution_scale * task.resolution))
        self._width = options.width_scale * task.width
        self._workers: Workers[_Recipe] | None = None
        self._submitted: deque[list[_Training]] = deque()

    @cached_property
    def key(self) -> str:
        # Fidelities only say what may be asked: an answer depends on the steps that one of them comes to.
        settings: dict[str, Any] = {
            **self._task.identity,
            "data": self._task.data_digest,
            "seed": self._task.seed,
            "training": repr(_settings(self._options, self._task.augmentation, self._options.steps)),
            "options": self._options.model_dump(exclude={"fidelities"}),
            "device": training.training_device().type,
        }
        return evaluator_key(self.name, _VERSION, settings)

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        check_fidelity(self, fidelity)
        if self._submitted:
            raise EvaluatorError("collect what was submitted before asking for something else")
        for genotype in genotypes:
            self.submit(genotype, fidelity)
        estimates: list[Estimate] = []
        for position in range(len(genotypes)):
            keep = None if progress is None else partial(progress, position)
            estimates.append(self.collect(keep))
        return estimates

    def submit(self, genotype: Genotype, fidelity: float = 1.0) -> None:
        check_fidelity(self, fidelity)
        if self._workers is None:
            on_cpu = training.training_device().type == "cpu"
            arguments = (*self._examples, self._options, self._task.augmentation)
            self._workers = Workers(self._task.processes if on_cpu else 1, _Recipe, *arguments)
        steps = max(1, round(fidelity * self._options.steps))
        seeds = [_seed(self._task.seed, number) for number in range(self._options.seeds)]
        trainings = [self._training(genotype, steps, seed) for seed in seeds]
        try:
            for training_ in trainings:
                self._workers.submit(_train, training_)
        except BaseException:
            self.close()  # what is still to be answered must not answer what is asked next
            raise
        self._submitted.append(trainings)

    def collect(self, keep: Callable[[Estimate], None] | None = None) -> Estimate:
        if not self._submitted or self._workers is None:
            raise EvaluatorError("nothing was submitted that was not collected")
        trainings = self._submitted.popleft()
        try:
            estimate = _estimate([self._workers.collect() for _ in trainings], trainings[0].steps)
            if keep is not None:
                keep(estimate)
        except BaseException:
            self.close()  # what is still to be answered must not answer what is asked next
            raise
        for training_ in trainings:
            if training_.checkpoint is not None and not self._keeps(training_):
                training_.checkpoint.unlink(missing_ok=True)
        return estimate

    @property
    def full_training(self) -> FullTraining:
        """How networks are trained at fidelity 1, stand-ins aside."""
        settings = _settings(self._options, self._task.augmentation, self._options.steps)
        return FullTraining(settings, self._task.seed, self._options.recalibration_images)

    def checkpoint(self, genotype: Genotype) -> Path | None:
        """Where the end of a network's full training is kept, if `task.keeps_trained`; None: there is no folder."""
        return self._training(genotype, self._options.steps, self._task.seed).checkpoint

    def _keeps(self, training_: _Training) -> bool:
        full = training_.steps == self._options.steps and training_.seed == self._task.seed
        return self._task.keeps_trained and full

    def close(self) -> None:
        self._submitted.clear()
        if self._workers is not None:
            self._workers.close()
            self._workers = None

    def network(self, genotype: Genotype) -> Graph:
        """What is trained for a candidate: float32, at the width and the resolution of the stand-in."""
        return self._task.graph(genotype, width=self._width, resolution=self._resolution)

    def _training(self, genotype: Genotype, steps: int, seed: int) -> _Training:
        graph = self.network(genotype)
        checkpoint = None
        if self._task.folder is not None:
            candidate = hashlib.sha256(repr((self.key, tuple(genotype), steps, seed)).encode()).hexdigest()[:24]
            checkpoint = self._task.folder / f"{self.name}-{candidate}.pt"
        return _Training(graph, steps, seed, checkpoint)

    @cached_property
    def _examples(self) -> tuple[Split, Split]:
        """Training and held-out examples at the resolution of the training."""
        task = self._task
        count = max(1, round(self._options.data_share * len(task.train)))
        train = task.train if count == len(task.train) else _subset(task.train, count, task.seed)
        held_out = draw_examples(task.validation, self._options.validation_images, task.seed)
        return train.resized(self._resolution), held_out.resized(self._resolution)


def _train(recipe: _Recipe, work: _Training) -> _Trained:
    """Train one network and score it; continues from its checkpoint."""
    began = time.perf_counter()
    options = recipe.options
    network = training.Supernet([work.graph], seed=work.seed, device=training.training_device())
    try:
        training.train_subnet(
            network,
            work.graph,
            data=recipe.train,
            settings=_settings(options, recipe.augmentation, work.steps),
            seed=work.seed,
            checkpoint=work.checkpoint,
        )
    except training.TrainingDiverged:
        return _Trained(0.0, time.perf_counter() - began, diverged=True)
    calibration = recipe.train.images[: options.recalibration_images]
    accuracy = training.score_subnet(network, work.graph, calibration, recipe.validation)
    return _Trained(accuracy, time.perf_counter() - began)


def _settings(options: TrainingOptions, augmentation: Augmentation, steps: int) -> TrainingSettings:
    return training.TrainingSettings(
        steps=steps,
        batch_size=options.batch_size,
        optimizer=training.OPTIMIZERS[options.optimizer](),
        learning_rate=options.learning_rate,
        label_smoothing=options.label_smoothing,
        shards=1,  # processes share out whole networks, and half batches take longer
        augmentation=augmentation,
    )


def _estimate(trained: Sequence[_Trained], steps: int) -> Estimate:
    accuracies = [result.accuracy for result in trained]
    value = sum(accuracies) / len(accuracies)
    deviation = None
    if len(accuracies) > 1:
        squares = sum((accuracy - value) ** 2 for accuracy in accuracies)
        deviation = math.sqrt(squares / (len(accuracies) * (len(accuracies) - 1)))
    details: dict[str, Any] = {"steps": steps, "accuracies": accuracies}
    if diverged := sum(result.diverged for result in trained):
        details["diverged"] = diverged
    return Estimate(value, deviation, sum(result.seconds for result in trained), details)


def _seed(seed: int, number: int) -> int:
    """The seed of one of several trainings; the first is the task's own."""
    return seed if number == 0 else int(np.random.SeedSequence([seed, _SEEDS, number]).generate_state(1)[0])


def _subset(split: Split, count: int, seed: int) -> Split:
    order = np.random.default_rng([seed, _SUBSET]).permutation(len(split))
    return split.take(np.sort(order[:count]))
