"""What another evaluator would say, predicted from a few of its answers (Wen et al. 2020, "Neural predictor for NAS").

n random networks g_i are asked once; a regression m, s of their values on their encodings e(g_i) answers for all
others:

    value(g) = m(e(g)),    deviation(g) = s(e(g))

What the regressions are and how they know their deviations is in `tinynas.evaluation.regressors`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from tinynas.evaluation._errors import EvaluatorError
from tinynas.evaluation._evaluator import Estimate, EvaluationProgress, check_fidelity
from tinynas.evaluation._key import evaluator_key
from tinynas.evaluation._options import EvaluatorOptions
from tinynas.evaluation._registry import build_evaluator, check_evaluator_options
from tinynas.evaluation._task import EvaluationTask
from tinynas.evaluation.regressors import BoostedTrees, MlpEnsemble, Regressor, Ridge
from tinynas.spaces import Genotype
from tinynas.spaces.encodings import encode

_VERSION = 1
_NETWORKS, _FIT = 0x9E7, 0xF17
_TRIES = 100
_FEWEST = 4


class PredictorOptions(EvaluatorOptions):
    """What is predicted, and from what.

    Attributes:
        over: the evaluator whose values are predicted.
        over_options: its options.
        fidelity: at which it is asked.
        samples: how many networks it is asked about.
        regressor: `ridge`, boosted `trees`, or `mlp`, an ensemble of neural networks.
        encoding: of genotypes, as in `tinynas.spaces.encodings`.
        features: evaluators whose values, standardized, are features as well: cheap ones, such as `macs` or `synflow`.
    """

    over: str = "training"
    over_options: dict[str, Any] = Field(default_factory=dict)
    fidelity: float = Field(default=1.0, gt=0, le=1)
    samples: int = Field(default=64, ge=_FEWEST)
    regressor: Literal["ridge", "trees", "mlp"] = "ridge"
    encoding: Literal["one-hot", "ordinal", "adjacency", "path"] = "one-hot"
    features: tuple[str, ...] = ()

    def check(self) -> None:
        """See `EvaluatorOptions.check`."""
        check_evaluator_options(self.over, self.over_options)
        for feature in self.features:
            check_evaluator_options(feature, {})


class PredictorEvaluator:
    """Asks another evaluator about random networks when it is first asked itself, and predicts from then on.

    Networks that were asked are predicted like all others. The random ones are drawn by the task, so within a budget
    where it has one.

    Raises:
        EvaluatorError: there are too few networks, or another evaluator cannot be built.
    """

    name = "predictor"
    fidelities = (1.0,)

    def __init__(self, task: EvaluationTask, options: PredictorOptions) -> None:
        self._task = task
        self._options = options
        self._over = task.remember(build_evaluator(options.over, task, options.over_options))
        check_fidelity(self._over, options.fidelity)
        self._features = [task.remember(build_evaluator(name, task)) for name in options.features]
        self._genotypes = _draw(task, options.samples)

    @cached_property
    def key(self) -> str:
        settings = {
            "space": self._task.space.definition(),
            "seed": self._task.seed,
            "over": self._over.key,
            "features": [feature.key for feature in self._features],
            "genotypes": [list(genotype) for genotype in self._genotypes],
            "options": self._options.model_dump(include={"fidelity", "regressor", "encoding"}),
        }
        return evaluator_key(self.name, _VERSION, settings)

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        check_fidelity(self, fidelity)
        if not genotypes:
            return []
        regressor, scale = self._fitted
        features = self._matrix(genotypes)
        estimates = []
        for position in range(len(genotypes)):
            began = time.perf_counter()
            # Row by row: a product of matrices sums in another order than one of vectors.
            mean, deviation = regressor.predict(scale(features[position : position + 1]))
            estimates.append(Estimate(float(mean[0]), float(deviation[0]), time.perf_counter() - began))
            if progress is not None:
                progress(position, estimates[-1])
        return estimates

    def close(self) -> None:
        for asked in (self._over, *self._features):
            asked.close()

    @cached_property
    def _fitted(self) -> tuple[Regressor, _Standardized]:
        estimates = self._over.evaluate(self._genotypes, self._options.fidelity)
        values = np.array([estimate.value for estimate in estimates])
        features = self._matrix(self._genotypes)
        scale = _Standardized(features, appended=len(self._features))
        rng = np.random.default_rng([self._task.seed, _FIT])
        scaled = scale(features)
        match self._options.regressor:
            case "ridge":
                return Ridge(scaled, values), scale
            case "trees":
                return BoostedTrees(scaled, values, rng), scale
            case "mlp":
                return MlpEnsemble(scaled, values, rng), scale

    def _matrix(self, genotypes: Sequence[Genotype]) -> npt.NDArray[np.float64]:
        """[n, d] encodings, and the values of the feature evaluators after them."""
        columns = [[estimate.value for estimate in feature.evaluate(genotypes)] for feature in self._features]
        encoded = encode(self._task.space, list(genotypes), self._options.encoding)
        return np.column_stack([encoded, *map(np.array, columns)])


class _Standardized:
    """Brings the last columns to mean 0 and deviation 1, as they were when it was made; encodings stay as they are."""

    def __init__(self, features: npt.NDArray[np.float64], appended: int) -> None:
        self._shift, self._scale = np.zeros(features.shape[1]), np.ones(features.shape[1])
        if appended:
            spread = features[:, -appended:].std(axis=0)
            self._shift[-appended:] = features[:, -appended:].mean(axis=0)
            self._scale[-appended:] = np.where(spread > 0, spread, 1.0)

    def __call__(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return (features - self._shift) / self._scale


def _draw(task: EvaluationTask, count: int) -> list[Genotype]:
    """Up to `count` distinct random networks; fewer where the space has no more."""
    rng = np.random.default_rng([task.seed, _NETWORKS])
    drawn: dict[Genotype, None] = {}
    for _ in range(_TRIES * count):
        if len(drawn) == count:
            break
        drawn[task.draw(rng)] = None
    if len(drawn) < _FEWEST:
        raise EvaluatorError(f"a predictor needs at least {_FEWEST} networks, and there are {len(drawn)} to learn from")
    return list(drawn)
