"""The numbers of steps of a configuration, by what they are steps of: what a budget of minutes scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tinynas.evaluation import needs_supernet
from tinynas.pipeline.run._search_config import training_options

if TYPE_CHECKING:
    from tinynas.pipeline.run._config import RunConfig

Steps = Mapping[str, int]
"""Steps of `supernet`, of a full `evaluation`, of `ruler`, `finetune` and `quantization`: those that a run trains."""


def steps_of(config: RunConfig) -> dict[str, int]:
    """The numbers of steps of everything that a run trains."""
    search, finetune = config.search, config.finetune
    steps: dict[str, int] = {}
    looked_at = search.method != "sampled" or needs_supernet(search.evaluator, search.evaluator_options)
    if looked_at or finetune.weights == "supernet":
        steps["supernet"] = config.supernet.steps
    if search.method == "sampled" and search.evaluator == "training":
        steps["evaluation"] = training_options(search).steps
    if config.ruler.networks:
        steps["ruler"] = config.ruler.steps
    if finetune.weights != "evaluation":
        steps["finetune"] = finetune.steps
    if config.quantization.method == "qat" and config.quantization.steps:
        steps["quantization"] = config.quantization.steps
    return steps


def with_steps(config: RunConfig, steps: Steps) -> RunConfig:
    """The configuration with other numbers of steps."""
    changes: dict[str, Any] = {
        section: getattr(config, section).model_copy(update={"steps": steps[section]})
        for section in ("supernet", "ruler", "finetune", "quantization")
        if section in steps
    }
    if "evaluation" in steps:
        options = {**config.search.evaluator_options, "steps": steps["evaluation"]}
        changes["search"] = config.search.model_copy(update={"evaluator_options": options})
    return config.model_copy(update=changes)
