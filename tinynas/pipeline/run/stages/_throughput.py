"""What one step of each training of a run takes on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numpy as np

from tinynas.evaluation import TrainingEvaluator
from tinynas.graph import Graph
from tinynas.pipeline.run import candidate_training, steps_of
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._evaluations import evaluation_task
from tinynas.pipeline.run.stages._ruler import longer_training
from tinynas.pipeline.run.stages._search import Search
from tinynas.pipeline.run.stages._supernet import train_weights, untrained
from tinynas.pipeline.run.stages._training_settings import training_settings
from tinynas.quantization import calibrate, train_quantization_aware
from tinynas.spaces import Genotype
from tinynas.training import (
    ProgressCallback,
    Split,
    Supernet,
    TrainingDiverged,
    TrainingSettings,
    float_graph,
    recalibrate_batch_norm,
    train_subnet,
    training_device,
)

_DRAW = 0xB0D6
_NETWORKS = 3
_IMAGES = 32  # to find ranges of activations on, which cost nothing afterwards

_Training = Callable[[ProgressCallback], object]


def seconds_per_step(context: RunContext, chosen: ChosenSpace, search: Search) -> dict[str, float]:
    """Seconds of a step, by the names of the numbers of steps: the median step, and of several networks the mean.

    What is timed is what the run trains, by the same settings and in as many processes; where it trains networks side
    by side, one of them alone. Networks are random ones that meet the constraints.

    Args:
        context: the run, with numbers of steps that are few.
        chosen: space, width and resolution.
        search: of that run.

    Raises:
        TrainingDiverged: a training diverged in its first steps.
    """
    rng = np.random.default_rng([context.config.seed, _DRAW])
    genotypes = list(dict.fromkeys(search.feasible(rng) for _ in range(_NETWORKS)))
    begun = _Begun(context, chosen, search)
    return {
        name: math.fsum(seconds) / len(seconds)
        for name in steps_of(context.config)
        if (seconds := [_median_step(training) for training in begun.trainings(name, genotypes)])
    }


def _median_step(training: _Training) -> float:
    moments: list[float] = []
    try:
        training(lambda *_: moments.append(time.perf_counter()))
    except TrainingDiverged:
        if len(moments) < 2:
            raise
    return float(np.median(np.diff(moments)))


class _Begun:
    """The trainings of a run, from their beginning."""

    def __init__(self, context: RunContext, chosen: ChosenSpace, search: Search) -> None:
        self._context = context
        self._chosen = chosen
        self._search = search
        self._resized: Callable[[int], Split] = lru_cache(context.data.train.resized)

    def trainings(self, name: str, genotypes: Sequence[Genotype]) -> list[_Training]:
        """Those whose number of steps has that name."""
        context, chosen = self._context, self._chosen
        match name:
            case "supernet" if context.config.search.method == "sampled":
                return [partial(train_weights, context, chosen, untrained(context, chosen))]
            case "supernet":
                return [lambda progress: self._search.method.train(progress=progress)]
            case "evaluation":
                trained = candidate_training(context.config.search)
                assert trained is not None  # or there would be no number of steps
                return self._evaluations(
                    TrainingEvaluator(evaluation_task(context, chosen), trained.options), genotypes
                )
            case "ruler":
                longer = TrainingEvaluator(evaluation_task(context, chosen), longer_training(context))
                return self._evaluations(longer, genotypes)
            case "finetune":
                settings = training_settings(context.config, context.config.finetune)
                return [partial(self._alone, chosen.graph(genotype), settings) for genotype in genotypes]
            case _:  # quantization
                return [partial(self._quantized, chosen.graph(genotype)) for genotype in genotypes]

    def _evaluations(self, evaluator: TrainingEvaluator, genotypes: Sequence[Genotype]) -> list[_Training]:
        settings = evaluator.full_training.settings
        return [partial(self._alone, evaluator.network(genotype), settings) for genotype in genotypes]

    def _alone(self, graph: Graph, settings: TrainingSettings, progress: ProgressCallback) -> None:
        train_subnet(
            Supernet([graph], seed=self._context.config.seed, device=training_device()),
            graph,
            data=self._data(graph),
            settings=settings,
            processes=self._context.processes,
            progress=progress,
        )

    def _quantized(self, graph: Graph, progress: ProgressCallback) -> None:
        config, data = self._context.config, self._data(graph)
        network, images = Supernet([graph], seed=config.seed), data.images[:_IMAGES]
        folded = float_graph(network, graph, recalibrate_batch_norm(network, graph, images))
        train_quantization_aware(
            folded,
            calibrate(folded, images),
            data=data,
            settings=training_settings(config, config.quantization),
            processes=self._context.processes,
            progress=progress,
        )

    def _data(self, graph: Graph) -> Split:
        return self._resized(graph.tensor(graph.inputs[0]).shape[1])
