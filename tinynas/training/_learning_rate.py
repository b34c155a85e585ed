"""The learning rate's schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class LearningRateSchedule:
    """Linear warm-up, then a cosine to exactly zero (Loshchilov and Hutter 2017, eq. 5, without restarts).

    A pure function of the step, so a checkpoint has nothing of it to keep.

    Attributes:
        peak: learning rate after the warm-up.
        steps: total number of steps.
        warmup: fraction of the steps spent warming up.
    """

    peak: float
    steps: int
    warmup: float = 0.05

    def __call__(self, step: int) -> float:
        """Learning rate of `step`, 0-based."""
        rising = max(1, round(self.warmup * self.steps))
        if step < rising:
            return self.peak * (step + 1) / rising
        return self.peak * 0.5 * (1.0 + math.cos(math.pi * (step - rising) / max(1, self.steps - rising)))
