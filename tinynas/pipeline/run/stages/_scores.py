"""Scores of subnets by the supernet: computed once, journalled one by one, never lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType

import numpy as np

from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.spaces import Genotype
from tinynas.training import Split, SubnetScorer, Supernet

_CALIBRATION = 0xCA11


class JournalledScores:
    """Held-out accuracy of genotypes under the shared weights; a context manager.

    What the journal already holds is not computed again: a strategy that asks the same questions in the same order
    (they depend on seed and scores only) is thereby replayed after an interruption.
    """

    def __init__(self, context: RunContext, chosen: ChosenSpace, supernet: Supernet) -> None:
        self._context = context
        self._chosen = chosen
        self._supernet = supernet
        self._scorer: SubnetScorer | None = None
        self._known = {tuple(r["genotype"]): float(r["score"]) for r in context.run.journal.records("score")}

    def __enter__(self) -> JournalledScores:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._scorer is not None:
            self._scorer.__exit__(kind, error, trace)

    def __call__(self, genotypes: Sequence[Genotype], seen: Callable[[int], None] | None = None) -> list[float]:
        """Scores of `genotypes` in their order, in [0, 1]; `seen` is told how many are known as they come in."""
        distinct = list(dict.fromkeys(genotypes))
        missing = [g for g in distinct if g not in self._known]
        step = self._context.processes
        for start in range(0, len(missing), step):
            batch = missing[start : start + step]
            for genotype, score in zip(batch, self._open().score([self._chosen.graph(g) for g in batch]), strict=True):
                self._context.run.journal.append("score", genotype=list(genotype), score=score)
                self._known[genotype] = score
            if seen is not None:
                seen(len(distinct) - len(missing) + start + len(batch))
        return [self._known[genotype] for genotype in genotypes]

    def _open(self) -> SubnetScorer:
        """Start the scoring processes when something must be scored, not before."""
        if self._scorer is None:
            settings = self._context.config.search
            data = self._context.data.resized(self._chosen.resolution)
            calibration = _draw(data.train, settings.recalibration_images, self._context.config.seed)
            held_out = _draw(data.validation, settings.validation_images, self._context.config.seed)
            scorer = SubnetScorer(self._supernet, calibration.images, held_out, processes=self._context.processes)
            self._scorer = scorer.__enter__()
        return self._scorer


def _draw(split: Split, count: int, seed: int) -> Split:
    order = np.random.default_rng([seed, _CALIBRATION]).permutation(len(split))
    return split.take(np.sort(order[:count]))
