"""A task of networks that take milliseconds."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynas.evaluation import EvaluationTask
from tinynas.spaces import parse_space
from tinynas.training import Split

SPACE = """
name = "small"
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


def bars(count: int, seed: int) -> Split:
    """Four classes in noise: flat, rows, columns, checkerboard."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    row, column = np.mgrid[0:8, 0:8]
    patterns = np.stack([0 * row, row % 2, column % 2, (row + column) % 2]) * 60
    images = patterns[labels] + rng.integers(0, 196, (count, 8, 8))
    return Split(images[..., None].astype(np.uint8), labels.astype(np.int64))


def small_task(**changes: Any) -> EvaluationTask:
    settings: dict[str, Any] = {
        "width": 1.0,
        "resolution": 8,
        "train": bars(96, seed=1),
        "validation": bars(48, seed=2),
        "classes": 4,
        "seed": 3,
    }
    return EvaluationTask(parse_space(SPACE), **{**settings, **changes})
