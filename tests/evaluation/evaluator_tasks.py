"""A task of networks that take milliseconds, as the contract class has it."""

from __future__ import annotations

from typing import Any

from tinynas.evaluation import EvaluationTask
from tinynas.spaces import parse_space
from tinynas.testing._evaluator_contract import EVALUATOR_SPACE, textures


def small_task(**changes: Any) -> EvaluationTask:
    settings: dict[str, Any] = {
        "width": 1.0,
        "resolution": 8,
        "train": textures(96, seed=1),
        "validation": textures(48, seed=2),
        "classes": 4,
        "seed": 3,
    }
    return EvaluationTask(parse_space(EVALUATOR_SPACE), **{**settings, **changes})
