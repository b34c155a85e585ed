"""SGD with Nesterov momentum on one flat vector, and the learning rate's schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then a cosine to exactly zero (Loshchilov and Hutter 2017, eq. 5, without restarts).

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


def nesterov_step(
    parameters: torch.Tensor,
    velocity: torch.Tensor,
    gradient: torch.Tensor,
    *,
    learning_rate: float,
    momentum: float,
    decay: torch.Tensor,
) -> None:
    """One step of SGD with Nesterov momentum (Sutskever et al. 2013), in place.

    Args:
        parameters: [n], updated.
        velocity: [n], updated.
        gradient: [n], overwritten.
        learning_rate: of this step.
        momentum: decay of the velocity.
        decay: [n], L2 penalty per element.
    """
    with torch.no_grad():
        gradient.addcmul_(parameters, decay)
        velocity.mul_(momentum).add_(gradient)
        parameters.sub_(gradient.add_(velocity, alpha=momentum), alpha=learning_rate)
