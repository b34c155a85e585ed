"""Stage: the training of the winner and the baselines, all by one recipe."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from tinynas.evaluation import TrainingEvaluator
from tinynas.formats import write_tflite
from tinynas.graph import DType, Graph
from tinynas.pipeline.run.stages._contender import Contender
from tinynas.pipeline.run.stages._context import RunContext
from tinynas.pipeline.run.stages._supernet import augmentation
from tinynas.pipeline.run.storage import write_atomically
from tinynas.spaces import build_graph
from tinynas.training import (
    OPTIMIZERS,
    Split,
    Supernet,
    TaskPool,
    TrainingSettings,
    float_graph,
    recalibrate_batch_norm,
    train_subnet,
    training_device,
)


def _nowhere(_: Contender) -> Path | None:
    return None


@dataclass(frozen=True)
class Recipe:
    """How all contenders are trained.

    Attributes:
        settings: of each training.
        initial_seed: of random initial weights.
        batch_seed: of the batches.
        recalibration_images: training images for the batch-norm statistics.
        weights: shared ones that networks of the space begin with; none: random ones, as for those from outside.
        begun: where the search left the training of a network of the space, if it trained it by this very recipe.
    """

    settings: TrainingSettings
    initial_seed: int
    batch_seed: int
    recalibration_images: int
    weights: Supernet | None = field(default=None, repr=False)
    begun: Callable[[Contender], Path | None] = field(default=_nowhere, repr=False)


def finetuning(context: RunContext, weights: Supernet | None) -> Recipe:
    """That of `[finetune]`; networks of the space begin with `weights`, if there are any."""
    settings = context.config.finetune
    return Recipe(
        TrainingSettings(
            steps=settings.steps,
            batch_size=settings.batch_size,
            optimizer=OPTIMIZERS[settings.optimizer](),
            learning_rate=settings.learning_rate,
            label_smoothing=settings.label_smoothing,
            augmentation=augmentation(context.config.data),
        ),
        context.config.seed,
        context.config.seed + 1,  # other batches than those the supernet began with
        context.config.search.recalibration_images,
        weights,
    )


def as_evaluated(evaluator: TrainingEvaluator) -> Recipe:
    """That of the search: what it trained in full is not trained again."""
    full = evaluator.full_training

    def begun(contender: Contender) -> Path | None:
        return None if contender.genotype is None else evaluator.checkpoint(contender.genotype)

    return Recipe(full.settings, full.seed, full.seed, full.recalibration_images, begun=begun)


def train(context: RunContext, recipe: Recipe, contender: Contender) -> None:
    """Train one contender with all processes, unless that is finished."""
    run = context.run

    def work() -> dict[str, Any]:
        context.progress.begin(f"train {contender.label}", recipe.settings.steps)
        data = context.data.train.resized(contender.architecture.input_shape[1])
        job = _job(context, recipe, contender)
        if recipe.weights is None or contender.genotype is None:
            subnet = Supernet([job.graph], seed=recipe.initial_seed, device=training_device())
        else:
            subnet = recipe.weights.extract(job.graph)
        content = _trained(subnet, job, data, context.processes, report_steps(context))
        write_atomically(run.file(contender.float_file), content)
        context.progress.end(f"{recipe.settings.steps} steps")
        return {"steps": recipe.settings.steps}

    run.once(f"train {contender.key}", work, [contender.float_file])
    _checkpoint(context, recipe, contender).unlink(missing_ok=True)


def train_side_by_side(context: RunContext, recipe: Recipe, contenders: list[Contender]) -> None:
    """Train contenders at the same time, each in one process, where the recipe does not cut batches into shards.

    Whole batches of one network in a process take less than shares of them in all. Elsewhere, and for a single one,
    this does nothing, and `train` does all.
    """
    run, steps = context.run, recipe.settings.steps
    left = [contender for contender in contenders if run.finished(f"train {contender.key}") is None]
    apart = recipe.settings.shards == 1 and recipe.weights is None and training_device().type == "cpu"
    if not apart or context.processes < 2 or len(left) < 2:
        return
    done = torch.zeros(len(left), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]
    context.progress.begin(f"train {len(left)} networks", len(left) * steps)
    with TaskPool(context.processes, _Worker, context.data.train, done) as pool:
        for number, contender in enumerate(left):
            pool.submit(_train_alone, (number, _job(context, recipe, contender)))
        for contender in left:
            content, seconds = pool.collect(lambda: context.progress.advance(int(done.sum())))
            write_atomically(run.file(contender.float_file), content)
            run.finish(f"train {contender.key}", {"steps": steps}, [contender.float_file], seconds)
            _checkpoint(context, recipe, contender).unlink(missing_ok=True)
    context.progress.end(f"{steps} steps each")


def report_steps(context: RunContext) -> Callable[[int, int, float], None]:
    """Tells whoever watches of each step and its loss."""
    return lambda step, _steps, loss: context.progress.advance(step, f"loss {loss:.3f}")


def _checkpoint(context: RunContext, recipe: Recipe, contender: Contender) -> Path:
    return recipe.begun(contender) or context.run.file(contender.checkpoint("train"))


@dataclass(frozen=True)
class _Job:
    """What a process needs to know to train a network from random weights."""

    graph: Graph
    recipe: Recipe
    checkpoint: Path


def _job(context: RunContext, recipe: Recipe, contender: Contender) -> _Job:
    own = replace(recipe, weights=None, begun=_nowhere)
    graph = build_graph(contender.architecture, DType.FLOAT32)
    return _Job(graph, own, _checkpoint(context, recipe, contender))


class _Worker:
    """A process that trains networks; what it is given is shared with all others.

    Args:
        data: training examples at their own resolution.
        done: [networks] steps that each has done.
    """

    def __init__(self, data: Split, done: torch.Tensor) -> None:
        self.resized = lru_cache(data.resized)
        self.done = done


def _train_alone(worker: _Worker, task: tuple[int, _Job]) -> tuple[bytes, float]:
    number, job = task
    began = time.monotonic()

    def report(step: int, _: int, __: float) -> None:
        worker.done[number] = step

    subnet = Supernet([job.graph], seed=job.recipe.initial_seed)
    data = worker.resized(job.graph.tensor(job.graph.inputs[0]).shape[1])
    return _trained(subnet, job, data, 1, report), time.monotonic() - began


def _trained(
    subnet: Supernet, job: _Job, data: Split, processes: int, progress: Callable[[int, int, float], None]
) -> bytes:
    """Train a network and return it with its batch-norm statistics folded in, as a float .tflite file."""
    train_subnet(
        subnet,
        job.graph,
        data=data,
        settings=job.recipe.settings,
        seed=job.recipe.batch_seed,
        processes=processes,
        checkpoint=job.checkpoint,
        progress=progress,
    )
    statistics = recalibrate_batch_norm(subnet, job.graph, data.images[: job.recipe.recalibration_images])
    return write_tflite(float_graph(subnet, job.graph, statistics))
