"""Which of torch's optimizers takes the steps of training, and with which options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch

from tinynas.errors import UsageError

# Ten times that of the paper, for trainings as short as ours. A network of 52,230 parameters after 200 steps of 128
# Fashion-MNIST images at 20x20, Adam, held-out accuracy: 77.6 % at 0.001, 82.5 % at 0.003, 85.8 % at 0.01 and 85.9 % at
# 0.02 (SGD at 0.2: 86.1 %).
_ADAM_LEARNING_RATE = 0.01


class Optimizer(Protocol):
    """Options of one of torch's optimizers: a frozen dataclass, whose `repr` a checkpoint is known by."""

    default_learning_rate: ClassVar[float]
    """Peak of the learning rate's schedule where training names none."""

    def build(self, weights: torch.nn.Parameter, others: torch.nn.Parameter) -> torch.optim.Optimizer:
        """Return torch's optimizer of two vectors, which training changes in place.

        The learning rate of every step is set from outside. All else that decides the next step is in `state_dict`, as
        tensors and plain values: a checkpoint holds it.

        Args:
            weights: [n] float32; the weight decay applies to it.
            others: [m] float32, batch norm and biases, without weight decay; may be empty.
        """
        ...


@dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent with Nesterov momentum (Sutskever et al. 2013, section 2), L2 in the gradient.

    As torch states it, at the point looked ahead to: g += weight_decay * w; v = momentum * v + g;
    w -= learning_rate * (g + momentum * v).

    Attributes:
        momentum: decay of the velocity v; 0 is plain gradient descent.
        weight_decay: L2 penalty on weights.
    """

    default_learning_rate: ClassVar[float] = 0.2

    momentum: float = 0.9
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        _check(self, (self.momentum,), self.weight_decay)

    def build(self, weights: torch.nn.Parameter, others: torch.nn.Parameter) -> torch.optim.Optimizer:
        """As `Optimizer.build`."""
        return torch.optim.SGD(
            _groups(weights, others, self.weight_decay),
            lr=self.default_learning_rate,
            momentum=self.momentum,
            nesterov=self.momentum > 0,  # torch refuses it without momentum
            fused=True,
        )


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1, with its betas and epsilon), L2 in the gradient.

    Attributes:
        betas: decay of the first and second moment.
        epsilon: added to the root of the second moment.
        weight_decay: L2 penalty on weights.
    """

    default_learning_rate: ClassVar[float] = _ADAM_LEARNING_RATE

    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check(self, self.betas, self.weight_decay)

    def build(self, weights: torch.nn.Parameter, others: torch.nn.Parameter) -> torch.optim.Optimizer:
        """As `Optimizer.build`."""
        return torch.optim.Adam(
            _groups(weights, others, self.weight_decay),
            lr=self.default_learning_rate,
            betas=self.betas,
            eps=self.epsilon,
            fused=True,
        )


@dataclass(frozen=True)
class AdamW:
    """Adam with the weight decay apart from the gradient (Loshchilov and Hutter 2019, algorithm 2).

    Attributes:
        betas: decay of the first and second moment.
        epsilon: added to the root of the second moment.
        weight_decay: of weights, times the learning rate at each step; torch's default.
    """

    default_learning_rate: ClassVar[float] = _ADAM_LEARNING_RATE

    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 1e-2

    def __post_init__(self) -> None:
        _check(self, self.betas, self.weight_decay)

    def build(self, weights: torch.nn.Parameter, others: torch.nn.Parameter) -> torch.optim.Optimizer:
        """As `Optimizer.build`."""
        return torch.optim.AdamW(
            _groups(weights, others, self.weight_decay),
            lr=self.default_learning_rate,
            betas=self.betas,
            eps=self.epsilon,
            fused=True,
        )


OPTIMIZERS: dict[str, type[Sgd] | type[Adam] | type[AdamW]] = {"sgd": Sgd, "adam": Adam, "adamw": AdamW}
"""By the names that a configuration has for them."""


def _groups(
    weights: torch.nn.Parameter, others: torch.nn.Parameter, weight_decay: float
) -> list[dict[str, torch.nn.Parameter | float]]:
    groups = [(weights, weight_decay), (others, 0.0)]
    return [{"params": vector, "weight_decay": decay} for vector, decay in groups if vector.numel() > 0]


def _check(optimizer: Optimizer, decays: Sequence[float], weight_decay: float) -> None:
    if not (all(0 <= decay < 1 for decay in decays) and weight_decay >= 0):
        raise UsageError(f"momentum and betas lie in [0, 1), weight_decay is at least 0; got {optimizer}")
