"""The numbers of steps of a configuration, by what they are steps of: what a budget of minutes scales."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tinynas.evaluation import PredictorOptions, TrainingOptions, needs_supernet
from tinynas.pipeline.run._search_config import SearchConfig, evaluator_options

if TYPE_CHECKING:
    from tinynas.pipeline.run._config import RunConfig

Steps = Mapping[str, int]
"""Steps of `supernet`, of a full `evaluation`, of `ruler`, `finetune` and `quantization`: those that a run trains."""


@dataclass(frozen=True)
class CandidateTraining:
    """How an evaluator trains candidates.

    Attributes:
        options: of these trainings.
        samples: how many networks a predictor learns from; None: every network that is asked about is trained.
        fidelity: the lowest at which networks are trained.
    """

    options: TrainingOptions
    samples: int | None
    fidelity: float


def candidate_training(search: SearchConfig) -> CandidateTraining | None:
    """The trainings of the evaluator, or of the one that it predicts; None: it has none, or is a plugin's."""
    return _trained_by(search.evaluator, evaluator_options(search)) if search.method == "sampled" else None


def features_train(search: SearchConfig) -> bool:
    """Whether a predictor has trainings among its features, whose steps no configuration can say."""
    name, options = search.evaluator, evaluator_options(search)
    while name == "predictor":
        given = PredictorOptions.model_validate(options)
        if any(_trained_by(feature, {}) is not None for feature in given.features):
            return True
        name, options = given.over, given.over_options
    return False


def _trained_by(name: str, options: Mapping[str, Any]) -> CandidateTraining | None:
    if name == "training":
        given = TrainingOptions.model_validate(options)
        return CandidateTraining(given, None, given.fidelities[0])
    if name != "predictor":
        return None
    predictor = PredictorOptions.model_validate(options)
    trained = _trained_by(predictor.over, predictor.over_options)
    if trained is None or trained.samples is not None:
        return trained
    return replace(trained, samples=predictor.samples, fidelity=predictor.fidelity)


def steps_of(config: RunConfig) -> dict[str, int]:
    """The numbers of steps of everything that a run trains, but for evaluators of plugins."""
    search, finetune = config.search, config.finetune
    steps: dict[str, int] = {}
    looked_at = search.method != "sampled" or needs_supernet(search.evaluator, search.evaluator_options)
    if looked_at or finetune.weights == "supernet":
        steps["supernet"] = config.supernet.steps
    if (trained := candidate_training(search)) is not None:
        steps["evaluation"] = trained.options.steps
    if config.ruler.networks:
        steps["ruler"] = config.ruler.steps
    if finetune.weights != "evaluation":
        steps["finetune"] = finetune.steps
    if config.quantization.method == "qat" and config.quantization.steps:
        steps["quantization"] = config.quantization.steps
    return steps


def least_steps(config: RunConfig) -> dict[str, int]:
    """The smallest numbers of steps of which no training has none, not even at the lowest fidelity."""
    least = dict.fromkeys(steps_of(config), 1)
    if (trained := candidate_training(config.search)) is not None:
        least["evaluation"] = math.floor(0.5 / trained.fidelity) + 1  # shares are rounded
    return least


def with_steps(config: RunConfig, steps: Steps) -> RunConfig:
    """The configuration with other numbers of steps."""
    changes: dict[str, Any] = {
        section: getattr(config, section).model_copy(update={"steps": steps[section]})
        for section in ("supernet", "ruler", "finetune", "quantization")
        if section in steps
    }
    if "evaluation" in steps:
        search = config.search
        options = _with_training_steps(search.evaluator, search.evaluator_options, steps["evaluation"])
        changes["search"] = search.model_copy(update={"evaluator_options": options})
    return config.model_copy(update=changes)


def _with_training_steps(name: str, options: Mapping[str, Any], steps: int) -> dict[str, Any]:
    if name == "training":
        return {**options, "steps": steps}
    given = PredictorOptions.model_validate(options)
    return {**options, "over_options": _with_training_steps(given.over, given.over_options, steps)}
