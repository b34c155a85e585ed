"""Zero-cost proxies as evaluators: a score of the untrained network, from a batch or none."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from pydantic import Field

from tinynas.evaluation._evaluator import Estimate, EvaluationProgress, check_fidelity
from tinynas.evaluation._key import evaluator_key
from tinynas.evaluation._options import EvaluatorOptions
from tinynas.evaluation._task import EvaluationTask, draw_examples
from tinynas.evaluation._workers import Workers
from tinynas.graph import Graph
from tinynas.spaces import Genotype
from tinynas.training import Split

_INITIAL = 0x1217


class ZeroCostOptions(EvaluatorOptions):
    """What a proxy looks at.

    Attributes:
        images: training images in a batch.
        batches: how many, where a proxy compares gradients of several.
        initializations: random weights that each network is scored with; two or more give a deviation.
    """

    images: int = Field(default=64, ge=2)
    batches: int = Field(default=2, ge=2)
    initializations: int = Field(default=1, ge=1)


class _Proxy(NamedTuple):
    module: str
    description: str
    version: int = 1  # of what `evaluator_key` is given: raised where scores change, were it in the 7th digit


PROXIES: Mapping[str, _Proxy] = {
    "grad-norm": _Proxy("_grad_norm", "norm of the gradient before training (Abdelfattah et al. 2021)"),
    "snip": _Proxy("_snip", "how much the loss depends on the weights (Lee et al. 2019)"),
    "grasp": _Proxy("_grasp", "how much the gradient depends on the weights (Wang et al. 2020)"),
    "synflow": _Proxy("_synflow", "product of absolute weights along all paths (Tanaka et al. 2020)"),
    "naswot": _Proxy("_naswot", "how untrained rectifiers tell images apart (Mellor et al. 2021)"),
    "zen": _Proxy("_zen", "how features move with the input (Zen-NAS, Lin et al. 2021)", version=2),
    "zico": _Proxy("_zico", "how steady gradients are between batches (Li et al. 2023)"),
}
"""Every zero-cost proxy by its name."""


@dataclass
class _Worker:
    score: Callable[[Graph, Sequence[Split], int], float]
    batches: Sequence[Split]


class ZeroCostEvaluator:
    """Scores networks before any training, each with the same images and seeds.

    Values are in units of the proxy and mean something only beside each other.

    Args:
        name: a name of `PROXIES`.
        task: networks and images.
        options: how many images and initial weights.
    """

    fidelities = (1.0,)

    def __init__(self, name: str, task: EvaluationTask, options: ZeroCostOptions) -> None:
        self.name = name
        self._task = task
        self._options = options
        self._workers: Workers[_Worker] | None = None

    @cached_property
    def key(self) -> str:
        settings = {
            **self._task.identity,
            "batches": [batch.digest() for batch in self._batches],
            "seeds": self._seeds,
        }
        return evaluator_key(self.name, PROXIES[self.name].version, settings)

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        check_fidelity(self, fidelity)
        if self._workers is None:
            self._workers = Workers(self._task.processes, _build_worker, self.name, self._batches)
        tasks = [(self._task.graph(genotype), self._seeds) for genotype in genotypes]
        return self._workers.map(_score, tasks, progress)

    def close(self) -> None:
        if self._workers is not None:
            self._workers.close()
            self._workers = None

    @cached_property
    def _batches(self) -> list[Split]:
        """Batches of one size, which share no image unless there are too few."""
        size = min(self._options.images, len(self._task.train))
        drawn = draw_examples(self._task.train, size * self._options.batches, self._task.seed)
        order = np.random.default_rng([self._task.seed, _INITIAL]).permutation(len(drawn))
        places = np.resize(order, size * self._options.batches).reshape(self._options.batches, size)
        return [drawn.take(place).resized(self._task.resolution) for place in places]

    @cached_property
    def _seeds(self) -> list[int]:
        seeds = np.random.SeedSequence([self._task.seed, _INITIAL]).generate_state(self._options.initializations)
        return [int(seed) for seed in seeds]


def _build_worker(name: str, batches: Sequence[Split]) -> _Worker:
    module = importlib.import_module(f"{__package__}.{PROXIES[name].module}")
    return _Worker(module.score, batches)


def _score(worker: _Worker, task: tuple[Graph, Sequence[int]]) -> Estimate:
    graph, seeds = task
    began = time.perf_counter()
    scores = [worker.score(graph, worker.batches, seed) for seed in seeds]
    deviation = None if len(scores) == 1 else float(np.std(scores, ddof=1)) / math.sqrt(len(scores))
    return Estimate(sum(scores) / len(scores), deviation, time.perf_counter() - began)
