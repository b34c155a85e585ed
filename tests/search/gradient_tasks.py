"""Spaces and data for the gradient method: small enough to enumerate, and planted so that one choice is better."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tinynas.evaluation import EvaluationTask
from tinynas.graph import count_macs
from tinynas.search import BlockCosts, GradientMethod, GradientOptions, MethodTask, SearchProblem
from tinynas.spaces import Block, SearchSpace, build_block_graph, parse_space
from tinynas.training import Split, TrainingSettings

HEAD = """
name = "small"
description = "networks that take milliseconds"
channel_divisor = 4
width_multipliers = [1.0]
resolutions = [8]
"""

# Every kind of change: kernels, expansions with and without an expanding convolution, depth, no skip behind stride 2.
ALL_CHANGES = parse_space(
    HEAD
    + """
[stem]
width = 8
[[stages]]
block = "depthwise_separable"
width = 8
stride = 1
depth = [1, 2]
choices = { kernel = [3, 5] }
[[stages]]
block = "inverted_bottleneck"
width = 12
stride = 2
depth = [1, 2]
choices = { kernel = [3, 5], expansion = [1, 2, 3] }
[head]
block = "classifier"
"""
)

# With kernels of 1 everywhere a network sees single pixels and their mean: nothing of how they are arranged.
POINTWISE_OR_NOT = parse_space(
    HEAD
    + """
[stem]
block = "conv"
width = 8
stride = 1
parameters = { kernel = 1 }
[[stages]]
block = "inverted_bottleneck"
width = 8
depth = [1, 2]
choices = { kernel = [1, 3], expansion = [1, 2] }
[head]
block = "classifier"
"""
)


def stripes(count: int, seed: int, *, informative: bool = True) -> Split:
    """Rows or columns in noise: the same values, arranged in two ways; or labels that the images say nothing about."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    row, column = np.mgrid[0:8, 0:8]
    shown = labels if informative else rng.integers(0, 2, count)
    images = np.stack([row % 2, column % 2])[shown] * 120 + rng.integers(0, 100, (count, 8, 8))
    return Split(images[..., None].astype(np.uint8), labels.astype(np.int64))


@cache
def macs(block: Block) -> float:
    return float(count_macs(build_block_graph(block)))


def task_of(space: SearchSpace, *, seed: int = 0, informative: bool = True, **changes: Any) -> MethodTask:
    settings: dict[str, Any] = {
        "costs": BlockCosts(macs),
        "training": TrainingSettings(80, batch_size=32, learning_rate=0.05, label_smoothing=0.0),
    }
    evaluation = EvaluationTask(
        space,
        width=1.0,
        resolution=8,
        train=stripes(512, seed, informative=informative),
        validation=stripes(64, seed + 50, informative=informative),
        classes=2,
        seed=seed,
    )
    return MethodTask(SearchProblem(space, lambda _: (), 8), evaluation, **{**settings, **changes})


def method_of(task: MethodTask, **options: Any) -> GradientMethod:
    return GradientMethod(task, GradientOptions(validation_images=64, recalibration_images=64, **options))
