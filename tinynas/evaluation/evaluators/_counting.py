"""What counting says: more multiply-accumulates, or more parameters, are taken to be better.

    macs(g) = sum over operators of output elements x taps,    parameters(g) = sum over constants of elements

Counting costs nothing and knows nothing of the data: an evaluator that does not beat it is not worth its time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from tinynas.evaluation._evaluator import Estimate, EvaluationProgress, check_fidelity
from tinynas.evaluation._key import evaluator_key
from tinynas.evaluation._task import EvaluationTask
from tinynas.graph import DType, Graph, count_macs, count_params
from tinynas.spaces import Genotype

_VERSION = 1


class CountingEvaluator:
    """A count of the network, as it is deployed.

    Args:
        name: of the evaluator.
        count: from an INT8 graph.
        task: the networks.
    """

    fidelities = (1.0,)

    def __init__(self, name: str, count: Callable[[Graph], int], task: EvaluationTask) -> None:
        self.name = name
        self._count = count
        self._task = task

    @cached_property
    def key(self) -> str:
        return evaluator_key(self.name, _VERSION, self._task.identity)

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        check_fidelity(self, fidelity)
        estimates = []
        for position, genotype in enumerate(genotypes):
            estimates.append(Estimate(float(self._count(self._task.graph(genotype, DType.INT8)))))
            if progress is not None:
                progress(position, estimates[-1])
        return estimates

    def close(self) -> None:
        pass


def macs(task: EvaluationTask) -> CountingEvaluator:
    """Counts multiply-accumulates."""
    return CountingEvaluator("macs", count_macs, task)


def parameters(task: EvaluationTask) -> CountingEvaluator:
    """Counts the elements of weights and biases."""
    return CountingEvaluator("parameters", count_params, task)
