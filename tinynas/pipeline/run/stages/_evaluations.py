"""Evaluators of a run: what they are built from, and a journal, so that nothing is ever evaluated twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np

from tinynas.evaluation import (
    Estimate,
    EvaluationProgress,
    EvaluationTask,
    Evaluator,
    EvaluatorError,
    QueuedEvaluator,
    check_fidelity,
)
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._training_settings import augmentation
from tinynas.pipeline.run.storage import Journal
from tinynas.spaces import Genotype

_CHECKPOINTS = "checkpoints"
_KIND = "evaluation"


class JournalledEvaluator:
    """An evaluator whose answers are kept in a journal, each as soon as it is known; an evaluator itself.

    What the journal already holds under its key is not computed again: a strategy that asks the same questions in the
    same order (they depend on seed and values only) is thereby replayed after an interruption.
    """

    def __init__(self, journal: Journal, evaluator: Evaluator) -> None:
        self._journal = journal
        self._evaluator = evaluator
        self.name, self.key, self.fidelities = evaluator.name, evaluator.key, evaluator.fidelities
        self._submitted: deque[tuple[Genotype, float]] = deque()
        self._known = {
            (tuple(record["genotype"]), float(record["fidelity"])): Estimate(
                record["value"], record["deviation"], record["seconds"], record["details"]
            )
            for record in journal.records(_KIND, key=self.key)
        }

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        if self._submitted:
            raise EvaluatorError("collect what was submitted before asking for something else")
        return self._evaluate(genotypes, fidelity, progress)

    def _evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float, progress: EvaluationProgress | None
    ) -> list[Estimate]:
        check_fidelity(self, fidelity)
        missing = [g for g in dict.fromkeys(genotypes) if (g, fidelity) not in self._known]
        places: dict[Genotype, list[int]] = {}
        for position, genotype in enumerate(genotypes):
            places.setdefault(genotype, []).append(position)

        def tell(genotype: Genotype) -> None:
            if progress is not None:
                for position in places[genotype]:
                    progress(position, self._known[genotype, fidelity])

        def keep(position: int, estimate: Estimate) -> None:
            self._keep(missing[position], fidelity, estimate)
            tell(missing[position])

        for genotype in places:
            if (genotype, fidelity) in self._known:
                tell(genotype)
        if missing:
            answers = self._evaluator.evaluate(missing, fidelity, keep)
            if len(answers) != len(missing):
                raise EvaluatorError(
                    f"evaluator {self.name!r} gave {len(answers)} answers for {len(missing)} networks: it is at fault"
                )
            for position, estimate in enumerate(answers):  # those that it did not tell on the way
                if (missing[position], fidelity) not in self._known:
                    keep(position, estimate)
        return [self._known[genotype, fidelity] for genotype in genotypes]

    def submit(self, genotype: Genotype, fidelity: float = 1.0) -> None:
        check_fidelity(self, fidelity)
        new = (genotype, fidelity) not in self._known and (genotype, fidelity) not in self._submitted
        if new and isinstance(self._evaluator, QueuedEvaluator):
            with self._forgetting():
                self._evaluator.submit(genotype, fidelity)
        self._submitted.append((genotype, fidelity))

    def collect(self, keep: Callable[[Estimate], None] | None = None) -> Estimate:
        if not self._submitted:
            raise EvaluatorError("nothing was submitted that was not collected")
        genotype, fidelity = self._submitted.popleft()
        if (genotype, fidelity) not in self._known:
            with self._forgetting():
                if isinstance(self._evaluator, QueuedEvaluator):
                    self._evaluator.collect(partial(self._keep, genotype, fidelity))
                else:  # which has work for all its processes where it is asked for all at once
                    others = [other for other, share in self._submitted if share == fidelity]
                    self._evaluate([genotype, *others], fidelity, None)
        estimate = self._known[genotype, fidelity]
        if keep is not None:
            keep(estimate)
        return estimate

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """After a failure nothing is under way, here as in the evaluator within."""
        try:
            yield
        except BaseException:
            self._submitted.clear()
            raise

    def close(self) -> None:
        self._submitted.clear()
        self._evaluator.close()

    def _keep(self, genotype: Genotype, fidelity: float, estimate: Estimate) -> None:
        self._journal.append(
            _KIND,
            evaluator=self.name,
            key=self.key,
            genotype=list(genotype),
            fidelity=fidelity,
            value=estimate.value,
            deviation=estimate.deviation,
            seconds=round(estimate.seconds, 3),
            details=dict(estimate.details),
        )
        self._known[genotype, fidelity] = estimate


def evaluation_task(
    context: RunContext,
    chosen: ChosenSpace,
    *,
    sample: Callable[[np.random.Generator], Genotype] | None = None,
) -> EvaluationTask:
    """What evaluators of a run are built from; those that another one asks are journalled.

    Args:
        context: of the run.
        chosen: space, width and resolution.
        sample: draws networks that meet the constraints, for evaluators that learn from some; none: any network.
    """
    journal = context.run.journal
    return EvaluationTask(
        space=chosen.space,
        width=chosen.width,
        resolution=chosen.resolution,
        train=context.data.train,
        validation=context.data.validation,
        classes=chosen.classes,
        seed=context.config.seed,
        processes=context.processes,
        folder=context.run.file(_CHECKPOINTS),
        keeps_trained=context.config.finetune.weights == "evaluation",
        augmentation=augmentation(context.config.data),
        sample=sample,
        remember=lambda evaluator: JournalledEvaluator(journal, evaluator),
    )


def forget_trainings(context: RunContext) -> None:
    """Remove the checkpoints of full trainings, once the winner has its weights."""
    for checkpoint in context.run.file(_CHECKPOINTS).glob("training-*.pt"):
        checkpoint.unlink()
