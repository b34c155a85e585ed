"""Held-out accuracy with the weights of a supernet.

A supernet holds one set of weights for all networks of a space (Yu and Huang 2019, "Universally slimmable networks";
Cai et al. 2020, "Once-for-all"). A candidate g takes its slice W_g of them, batch-norm statistics mu_g, sigma_g of
its own from a few training images, and is scored on held-out ones:

    value(g) = 1/n sum_i [argmax f_g(x_i; W_g, mu_g, sigma_g) = y_i]
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import Field

from tinynas import training
from tinynas.evaluation._errors import EvaluatorError
from tinynas.evaluation._evaluator import Estimate, EvaluationProgress, check_fidelity
from tinynas.evaluation._key import evaluator_key
from tinynas.evaluation._options import EvaluatorOptions
from tinynas.evaluation._task import EvaluationTask, draw_examples
from tinynas.spaces import Genotype
from tinynas.training import Split

if TYPE_CHECKING:
    from tinynas.training import SubnetScorer, Supernet

_VERSION = 1


class SupernetOptions(EvaluatorOptions):
    """How many images: held-out ones to score on, training ones for the batch-norm statistics."""

    validation_images: int = Field(default=2000, ge=1)
    recalibration_images: int = Field(default=512, ge=1)


class SupernetEvaluator:
    """Scores candidates with shared weights; one forward pass over the images each.

    Args:
        task: has the trained supernet.
        options: numbers of images.

    Raises:
        EvaluatorError: the task has no supernet.
    """

    name = "supernet"
    fidelities = (1.0,)

    def __init__(self, task: EvaluationTask, options: SupernetOptions) -> None:
        if task.supernet is None:
            raise EvaluatorError("evaluator 'supernet' needs trained shared weights, and there are none here")
        self._task = task
        self._options = options
        self._supernet: Supernet = task.supernet
        self._scorer: SubnetScorer | None = None

    @cached_property
    def key(self) -> str:
        weights = self._supernet.parameters.flat.detach().cpu().numpy()
        settings = {
            **self._task.identity,
            "weights": hashlib.sha256(weights.tobytes()).hexdigest(),
            "device": self._supernet.device.type,
            "calibration": self._drawn_from(self._task.train, self._options.recalibration_images).digest(),
            "held_out": self._drawn_from(self._task.validation, self._options.validation_images).digest(),
        }
        return evaluator_key(self.name, _VERSION, settings)

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        check_fidelity(self, fidelity)
        estimates: list[Estimate] = []
        at_once = max(1, self._task.processes)
        for start in range(0, len(genotypes), at_once):
            began = time.perf_counter()
            scores = self._open().score([self._task.graph(g) for g in genotypes[start : start + at_once]])
            seconds = time.perf_counter() - began
            for score in scores:
                estimates.append(Estimate(score, seconds=seconds))
                if progress is not None:
                    progress(len(estimates) - 1, estimates[-1])
        return estimates

    def close(self) -> None:
        if self._scorer is not None:
            self._scorer.__exit__(None, None, None)
            self._scorer = None

    @cached_property
    def _calibration(self) -> Split:
        return self._drawn_from(self._task.train.resized(self._task.resolution), self._options.recalibration_images)

    @cached_property
    def _held_out(self) -> Split:
        return self._drawn_from(self._task.validation.resized(self._task.resolution), self._options.validation_images)

    def _drawn_from(self, split: Split, count: int) -> Split:
        return draw_examples(split, count, self._task.seed)

    def _open(self) -> SubnetScorer:
        """Start the scoring processes when something must be scored, not before."""
        if self._scorer is None:
            self._scorer = training.SubnetScorer(
                self._supernet, self._calibration.images, self._held_out, processes=self._task.processes
            ).__enter__()
        return self._scorer
