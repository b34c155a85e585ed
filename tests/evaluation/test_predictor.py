"""Predictors over other evaluators: what they ask, what they say, and what they are sure of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau

from tinynas.evaluation import Estimate, EvaluationProgress, Evaluator, EvaluatorError, build_evaluator
from tinynas.spaces import Genotype
from tinynas.testing._evaluator_textures import small_task


class Watched:
    """Passes questions on, and keeps them."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self.name, self.key, self.fidelities = evaluator.name, evaluator.key, evaluator.fidelities
        self.asked: list[tuple[Genotype, float]] = []

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        self.asked += [(genotype, fidelity) for genotype in genotypes]
        return self._evaluator.evaluate(genotypes, fidelity, progress)

    def close(self) -> None:
        self._evaluator.close()


@pytest.mark.parametrize("regressor", ["ridge", "trees", "mlp"])
def test_a_predictor_learns_what_another_evaluator_says(regressor: str) -> None:
    task = small_task()
    options = {"over": "macs", "samples": 24, "regressor": regressor}
    genotypes = list(task.space.enumerate())
    predicted = build_evaluator("predictor", task, options).evaluate(genotypes)
    counted = build_evaluator("macs", task).evaluate(genotypes)
    tau = kendalltau([e.value for e in predicted], [e.value for e in counted]).statistic
    assert tau > 0.7
    assert all(e.deviation is not None and e.deviation >= 0 for e in predicted)


def test_another_evaluators_values_are_features_as_well() -> None:
    task = small_task()
    genotypes = list(task.space.enumerate())
    counted = [e.value for e in build_evaluator("macs", task).evaluate(genotypes)]
    errors = []
    for features in ((), ("macs",)):
        options = {"over": "macs", "samples": 10, "encoding": "ordinal", "features": features}
        predicted = build_evaluator("predictor", task, options).evaluate(genotypes)
        errors.append(np.mean([abs(e.value - count) for e, count in zip(predicted, counted, strict=True)]))
    assert errors[1] < 0.05 * errors[0]


def test_what_it_asks_is_kept_and_asked_once() -> None:
    watched: list[Watched] = []

    def remember(evaluator: Evaluator) -> Evaluator:
        watched.append(Watched(evaluator))
        return watched[-1]

    task = small_task(remember=remember)
    predictor = build_evaluator("predictor", task, {"over": "macs", "samples": 8})
    assert watched[0].asked == [], "nothing is evaluated before something is asked"
    predictor.evaluate([task.space.smallest()])
    predictor.evaluate([task.space.largest()])
    assert len(watched[0].asked) == len(set(watched[0].asked)) == 8


def test_it_learns_from_networks_that_may_be_looked_at() -> None:
    shallow = small_task()
    members = [g for g in shallow.space.enumerate() if g[0] == 1]

    def sample(rng: np.random.Generator) -> Genotype:
        return members[int(rng.integers(len(members)))]

    task = small_task(sample=sample)
    predictor: Any = build_evaluator("predictor", task, {"over": "macs", "samples": 50})
    assert set(predictor._genotypes) == set(members), "fewer than asked for where there are no more"
    assert predictor.key != build_evaluator("predictor", shallow, {"over": "macs", "samples": 50}).key
    with pytest.raises(EvaluatorError, match="at least 4 networks, and there are 1"):
        build_evaluator("predictor", small_task(sample=lambda rng: members[0]), {"over": "macs"})


def test_predictors_may_be_predicted() -> None:
    task = small_task()
    below = {"over": "macs", "samples": 20}
    options = {"over": "predictor", "over_options": below, "samples": 6, "encoding": "ordinal"}
    evaluator = build_evaluator("predictor", task, options)
    assert np.isfinite(evaluator.evaluate([task.space.largest()])[0].value)
    other = build_evaluator("predictor", task, {**options, "over_options": {**below, "samples": 21}})
    assert evaluator.key != other.key
