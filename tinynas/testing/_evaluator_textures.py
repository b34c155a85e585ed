"""What evaluators are tried on: networks and images that take milliseconds."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynas.evaluation import EvaluationTask
from tinynas.spaces import parse_space
from tinynas.training import Split

EVALUATOR_SPACE = """
name = "evaluator-contract"
description = "one elastic stage of networks that take milliseconds"
channel_divisor = 4
width_multipliers = [0.5, 1.0]
resolutions = [8]
[stem]
width = 8
stride = 2
parameters = { kernel = 3 }
[[stages]]
width = 8
depth = [1, 2]
choices = { kernel = [3, 5], expansion = [1, 2, 3] }
[head]
block = "classifier"
"""


def textures(count: int, seed: int = 0, side: int = 8) -> Split:
    """Four classes of textures in noise, which small networks begin to tell apart in a few steps."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    row, column = np.mgrid[0:side, 0:side]
    patterns = np.stack([0 * row, row % 2, column % 2, (row + column) % 2]) * 60
    images = patterns[labels] + rng.integers(0, 196, (count, side, side))
    return Split(images[..., None].astype(np.uint8), labels.astype(np.int64))


def small_task(**changes: Any) -> EvaluationTask:
    """A task of that space and such textures; `changes` are fields of it."""
    fields: dict[str, Any] = {
        "space": parse_space(EVALUATOR_SPACE),
        "width": 1.0,
        "resolution": 8,
        "train": textures(96, seed=1),
        "validation": textures(48, seed=2),
        "classes": 4,
        "seed": 3,
    }
    return EvaluationTask(**{**fields, **changes})
