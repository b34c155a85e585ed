"""Stage: train the weight-shared network over the chosen space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tinynas.graph import Graph
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._training_settings import training_settings
from tinynas.search import SearchMethod
from tinynas.training import ProgressCallback, Supernet, train_supernet, training_device

SUPERNET = "supernet.pt"
_CHECKPOINT = "checkpoints/supernet.pt"


def untrained(context: RunContext, chosen: ChosenSpace) -> Supernet:
    """The supernet of the chosen space, with random weights."""
    largest = chosen.graph(chosen.space.largest())
    return Supernet([largest], seed=context.config.seed, device=training_device())


def train_weights(
    context: RunContext,
    chosen: ChosenSpace,
    supernet: Supernet,
    progress: ProgressCallback,
    checkpoint: Path | None = None,
) -> None:
    """Train shared weights as `[supernet]` says. Arguments and errors are those of `train_supernet`."""

    def sample(rng: np.random.Generator) -> Graph:
        return chosen.graph(chosen.space.sample(rng))

    train_supernet(
        supernet,
        largest=chosen.graph(chosen.space.largest()),
        smallest=chosen.graph(chosen.space.smallest()),
        sample=sample,
        data=context.data.train.resized(chosen.resolution),
        settings=training_settings(context.config, context.config.supernet),
        sampled_per_step=context.config.supernet.sampled_per_step,
        seed=context.config.seed,
        processes=context.processes,
        checkpoint=checkpoint,
        progress=progress,
    )


def train(context: RunContext, chosen: ChosenSpace) -> Supernet:
    """Return the trained supernet: from the run directory if it is finished, else continued from its checkpoint."""
    supernet = untrained(context, chosen)
    if context.run.finished("supernet") is None:
        context.run.once("supernet", lambda: _train(context, chosen, supernet), [SUPERNET])
        context.run.file(_CHECKPOINT).unlink(missing_ok=True)
    else:
        supernet.load(context.run.file(SUPERNET))
    return supernet


def initial_weights(context: RunContext, chosen: ChosenSpace, method: SearchMethod) -> Supernet | None:
    """The shared weights that networks of the space begin their training with; None: random ones.

    Those of the search where it trained some, unless the configuration says otherwise: it may have a supernet trained
    for that alone.
    """
    if context.config.finetune.weights in ("random", "evaluation"):
        return None
    if method.supernet is None and context.config.finetune.weights == "supernet":
        return train(context, chosen)
    return method.supernet


def _train(context: RunContext, chosen: ChosenSpace, supernet: Supernet) -> dict[str, Any]:
    settings = context.config.supernet
    last = [0.0]

    def report(step: int, steps: int, loss: float) -> None:
        last[0] = loss
        context.progress.advance(step, f"loss {loss:.3f}")

    context.progress.begin("supernet", settings.steps)
    train_weights(context, chosen, supernet, report, context.run.file(_CHECKPOINT))
    supernet.save(context.run.file(SUPERNET))
    context.progress.end(f"{settings.steps} steps over {chosen.space.size():.2e} networks, last loss {last[0]:.3f}")
    return {"loss": last[0], "steps": settings.steps}
