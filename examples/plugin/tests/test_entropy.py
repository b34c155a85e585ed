"""Entropy keeps the contract of all evaluators, and is what its formula says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinynas.evaluation import EvaluationTask, Evaluator, build_evaluator
from tinynas.spaces import load_space
from tinynas.testing import BaseEvaluatorTestCase
from tinynas.training import Split


class TestEntropy(BaseEvaluatorTestCase):
    """The evaluator, by its name."""

    reads_data = reads_held_out = starts_processes = False

    def evaluator(self, task: EvaluationTask) -> Evaluator:
        return build_evaluator("entropy", task)

    def other_settings(self, task: EvaluationTask) -> Evaluator:
        return build_evaluator("entropy", task, {"depthwise": False})


def test_the_smallest_network_by_hand() -> None:
    """16 x 16 images; a stem of 3 x 3 to 8 channels, then 1 x 1 convolutions of 8 and 16, at 8, 4 and 2 pixels."""
    images = Split(np.zeros((2, 16, 16, 1), np.uint8), np.zeros(2, np.int64))
    space = load_space("pooled-tiny")
    task = EvaluationTask(space, width=1.0, resolution=16, train=images, validation=images, classes=2)
    (estimate,) = build_evaluator("entropy", task).evaluate([space.smallest()])
    assert estimate.value == pytest.approx(math.log(2 * 2 * 32) * (math.log(9 * 1) + math.log(8) + math.log(16)))
