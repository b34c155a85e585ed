"""The entropy of a network, from its shapes alone (Shen et al. 2023, "DeepMAD", proposition 2).

    H(g) = log(r^2 c) * sum_i log(c_i k_i^2 / g_i)

over the convolutions i before the classifier, of c_i input channels, k_i x k_i taps and g_i groups; the last of them
has c output channels at a resolution of r x r. Deeper and wider networks have more of it: a layer more is worth the
logarithm of its taps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinynas.evaluation import (
    Estimate,
    EvaluationProgress,
    EvaluationTask,
    EvaluatorOptions,
    EvaluatorSpec,
    check_fidelity,
    evaluator_key,
)
from tinynas.graph import DType, Graph, OpKind
from tinynas.spaces import Genotype

_WEIGHTED = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)
_VERSION = 1  # a change of the formula raises it: what a journal holds is then asked anew


class EntropyOptions(EvaluatorOptions):
    """Options of `EntropyEvaluator`.

    Attributes:
        depthwise: count depthwise convolutions, too; without, only those that mix channels.
    """

    depthwise: bool = True


class EntropyEvaluator:
    """The entropy of networks; costs nothing and looks at no data.

    Args:
        task: the networks.
        options: what is counted.
    """

    name = "entropy"
    fidelities = (1.0,)

    def __init__(self, task: EvaluationTask, options: EntropyOptions) -> None:
        self._task = task
        self._kinds = {OpKind.CONV_2D, *([OpKind.DEPTHWISE_CONV_2D] if options.depthwise else [])}
        self.key = evaluator_key(self.name, _VERSION, {**task.identity, **options.model_dump()})

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        """The entropy of each network, in their order."""
        check_fidelity(self, fidelity)
        estimates = []
        for position, genotype in enumerate(genotypes):
            estimates.append(Estimate(self._entropy(self._task.graph(genotype, DType.INT8))))
            if progress is not None:
                progress(position, estimates[-1])
        return estimates

    def close(self) -> None:
        """There is nothing to give back."""

    def _entropy(self, graph: Graph) -> float:
        *features, _ = [op for op in graph.ops if op.kind in _WEIGHTED]  # the last of all is the classifier
        counted = [op for op in features if op.kind in self._kinds]
        if not counted:
            return 0.0
        last = graph.tensor(counted[-1].outputs[0]).shape  # [1, r, r, c]
        entropy = 0.0
        for op in counted:
            taps = graph.tensor(op.inputs[1]).shape[1:]  # [k, k, inputs / groups], or [k, k, channels]
            entropy += math.log(math.prod(taps if op.kind is OpKind.CONV_2D else taps[:2]))
        return math.log(math.prod(last)) * entropy


ENTROPY = EvaluatorSpec(
    "entropy", "entropy of the shapes (DeepMAD, Shen et al. 2023)", EntropyEvaluator, EntropyOptions, accuracy=False
)
