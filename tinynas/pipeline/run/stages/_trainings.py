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
from tinynas.pipeline.run.stages._training_settings import training_settings
from tinynas.pipeline.run.storage import write_atomically
from tinynas.spaces import build_graph
from tinynas.training import (
    Split,
    Supernet,
    TaskPool,
    TrainingDiverged,
    TrainingSettings,
    float_graph,
    recalibrate_batch_norm,
    train_subnet,
    training_device,
)

_SEEDS_APART = 100_003


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

    def repeated(self, repeat: int) -> Recipe:
        """The same with other random weights and other batches; 0: as it is. Shared weights are the same for all."""
        offset = seed_offset(repeat)
        return replace(self, initial_seed=self.initial_seed + offset, batch_seed=self.batch_seed + offset)


def seed_offset(repeat: int) -> int:
    """What is added to the seeds of a repetition: so much that runs of neighbouring seeds share no training."""
    return _SEEDS_APART * repeat


def finetuning(context: RunContext, weights: Supernet | None) -> Recipe:
    """That of `[finetune]`; networks of the space begin with `weights`, if there are any."""
    config = context.config
    return Recipe(
        training_settings(config, config.finetune),
        config.seed,
        config.seed + 1,  # other batches than those the supernet began with
        config.search.recalibration_images,
        weights,
    )


def as_evaluated(evaluator: TrainingEvaluator) -> Recipe:
    """That of the search: what it trained in full is not trained again."""
    full = evaluator.full_training

    def begun(contender: Contender) -> Path | None:
        if contender.genotype is None or contender.repeat:
            return None
        return evaluator.checkpoint(contender.genotype)

    return Recipe(full.settings, full.seed, full.seed, full.recalibration_images, begun=begun)


def train(context: RunContext, recipe: Recipe, contender: Contender) -> bool:
    """Train one contender with all processes, unless that is finished.

    Returns:
        Whether there is a network: a baseline whose training diverges is left out, since the recipe is the winner's.

    Raises:
        TrainingDiverged: that of the winner did.
    """
    run = context.run

    def work() -> dict[str, Any]:
        context.progress.begin(f"train {contender.label}", recipe.settings.steps)
        data = context.data.train.resized(contender.architecture.input_shape[1])
        job = _job(context, recipe, contender)
        if recipe.weights is None or contender.genotype is None:
            subnet = Supernet([job.graph], seed=job.recipe.initial_seed, device=training_device())
        else:
            subnet = recipe.weights.extract(job.graph)
        content = _trained(subnet, job, data, context.processes, report_steps(context))
        result, summary = _kept(context, recipe, contender, content)
        context.progress.end(summary)
        return result

    finished = run.finished(f"train {contender.key}")
    if finished is None:
        began = time.monotonic()
        finished = work()
        run.finish(f"train {contender.key}", finished, _artefacts(contender, finished), time.monotonic() - began)
    _forget(context, recipe, contender)
    return "diverged" not in finished


def train_side_by_side(context: RunContext, recipe: Recipe, contenders: list[Contender]) -> None:
    """Train contenders at the same time, each in one process, where the recipe does not cut batches into shards.

    Whole batches of one network in a process take less than shares of them in all. Elsewhere, and for a single one,
    this does nothing, and `train` does all.

    Raises:
        TrainingDiverged: the training of the winner did.
    """
    run, steps = context.run, recipe.settings.steps
    left = [contender for contender in contenders if run.finished(f"train {contender.key}") is None]
    apart = recipe.settings.shards == 1 and recipe.weights is None and training_device().type == "cpu"
    if not apart or context.processes < 2 or len(left) < 2:
        return
    done = torch.zeros(len(left), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]
    context.progress.begin(f"train {len(left)} networks", len(left) * steps)
    summaries: list[str] = []
    with TaskPool(context.processes, _Worker, context.data.train, done) as pool:
        for number, contender in enumerate(left):
            pool.submit(_train_alone, (number, _job(context, recipe, contender)))
        for contender in left:
            content, seconds = pool.collect(lambda: context.progress.advance(int(done.sum())))
            result, summary = _kept(context, recipe, contender, content)
            run.finish(f"train {contender.key}", result, _artefacts(contender, result), seconds)
            summaries.append(f"{contender.key} {summary}")
            _forget(context, recipe, contender)
    context.progress.end(", ".join(summaries))


def _kept(
    context: RunContext, recipe: Recipe, contender: Contender, content: bytes | TrainingDiverged
) -> tuple[dict[str, Any], str]:
    """Write a trained network; returns what the journal keeps of it, and a line for readers."""
    if isinstance(content, TrainingDiverged):
        if contender.key == "winner":
            raise content
        return {"steps": recipe.settings.steps, "diverged": str(content)}, f"left out: {content}"
    write_atomically(context.run.file(contender.float_file), content)
    return {"steps": recipe.settings.steps}, f"{recipe.settings.steps} steps"


def _artefacts(contender: Contender, result: dict[str, Any]) -> list[str]:
    return [] if "diverged" in result else [contender.float_file]


def _forget(context: RunContext, recipe: Recipe, contender: Contender) -> None:
    """Remove the checkpoint of a finished training; what the search left is removed when all are finished."""
    if recipe.begun(contender) is None:
        context.run.file(contender.checkpoint("train")).unlink(missing_ok=True)


def report_steps(context: RunContext) -> Callable[[int, int, float], None]:
    """Tells whoever watches of each step and its loss."""
    return lambda step, _steps, loss: context.progress.advance(step, f"loss {loss:.3f}")


def _checkpoint(context: RunContext, recipe: Recipe, contender: Contender) -> Path:
    return recipe.begun(contender) or context.run.file(contender.checkpoint("train"))


@dataclass(frozen=True)
class _Job:
    """What a process needs to know to train a network, but for weights to begin with."""

    graph: Graph
    recipe: Recipe
    checkpoint: Path


def _job(context: RunContext, recipe: Recipe, contender: Contender) -> _Job:
    own = replace(recipe.repeated(contender.repeat), weights=None, begun=_nowhere)
    graph = build_graph(contender.architecture, DType.FLOAT32)
    return _Job(graph, own, _checkpoint(context, recipe, contender))


class _Worker:
    """A process that trains networks.

    Args:
        data: training examples at their own resolution.
        done: [networks] steps that each has done, in memory that all processes share.
    """

    def __init__(self, data: Split, done: torch.Tensor) -> None:
        self.resized = lru_cache(data.resized)
        self.done = done


def _train_alone(worker: _Worker, task: tuple[int, _Job]) -> tuple[bytes | TrainingDiverged, float]:
    number, job = task
    began = time.monotonic()

    def report(step: int, _: int, __: float) -> None:
        worker.done[number] = step

    subnet = Supernet([job.graph], seed=job.recipe.initial_seed)
    data = worker.resized(job.graph.tensor(job.graph.inputs[0]).shape[1])
    content = _trained(subnet, job, data, 1, report)
    report(job.recipe.settings.steps, 0, 0.0)  # also where a checkpoint had them all
    return content, time.monotonic() - began


def _trained(
    subnet: Supernet, job: _Job, data: Split, processes: int, progress: Callable[[int, int, float], None]
) -> bytes | TrainingDiverged:
    """Train a network and return it with its batch-norm statistics folded in, as a float .tflite file."""
    try:
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
    except TrainingDiverged as diverged:
        return diverged
    statistics = recalibrate_batch_norm(subnet, job.graph, data.images[: job.recipe.recalibration_images])
    return write_tflite(float_graph(subnet, job.graph, statistics))
