"""Which optimizer takes the steps of training, and with which options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch

from tinynas.errors import UsageError
from tinynas.training._flat_parameters import FlatParameters
from tinynas.training._muon import MuonSteps

# Ten times that of the paper, for trainings as short as ours. A network of 52,230 parameters after 200 steps of 128
# Fashion-MNIST images at 20x20, Adam, held-out accuracy: 77.6 % at 0.001, 82.5 % at 0.003, 85.8 % at 0.01 and 85.9 % at
# 0.02 (SGD at 0.2: 86.1 %).
_ADAM_LEARNING_RATE = 0.01

STATE_VERSION = 2
"""Of what the optimizers of `OPTIMIZERS` keep in a checkpoint, and of the arithmetic of their steps: grows with changes
of either, so that no training goes on from the state of another version."""


class Stepper(Protocol):
    """What takes steps: one of torch's optimizers, or `MuonSteps`, which can stand for one."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Their "lr" is the learning rate of the next step; those of a new one are the peaks of their schedules."""
        ...

    def step(self) -> object:
        """Change the parameters by the gradient that lies beside them."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All else that decides the next step, as tensors and plain values: a checkpoint holds it."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        ...


class Optimizer(Protocol):
    """Options of an optimizer, torch's or our own: a frozen dataclass, whose `repr` a checkpoint is known by."""

    default_learning_rate: ClassVar[float]
    """Peak of the learning rate's schedule where training names none."""

    def build(self, parameters: FlatParameters, gradient: torch.Tensor, learning_rate: float) -> Stepper:
        """Return what changes `parameters.flat` in place by the values that `gradient` holds at each step.

        Weights decay; batch norm and biases do not.

        Args:
            parameters: what is trained.
            gradient: [n] float32, a vector like `parameters.flat`.
            learning_rate: peak of the schedule.
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

    def build(self, parameters: FlatParameters, gradient: torch.Tensor, learning_rate: float) -> Stepper:
        """As `Optimizer.build`."""
        return torch.optim.SGD(
            _groups(parameters, gradient, self.weight_decay),
            lr=learning_rate,
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

    def build(self, parameters: FlatParameters, gradient: torch.Tensor, learning_rate: float) -> Stepper:
        """As `Optimizer.build`."""
        return torch.optim.Adam(
            _groups(parameters, gradient, self.weight_decay),
            lr=learning_rate,
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

    def build(self, parameters: FlatParameters, gradient: torch.Tensor, learning_rate: float) -> Stepper:
        """As `Optimizer.build`."""
        return torch.optim.AdamW(
            _groups(parameters, gradient, self.weight_decay),
            lr=learning_rate,
            betas=self.betas,
            eps=self.epsilon,
            fused=True,
        )


@dataclass(frozen=True)
class Muon:
    """Muon (Jordan et al. 2024): the momentum of a weight matrix, orthogonalized, is its step.

    As torch states it: B = momentum * B + G; U = G + momentum * B; W -= learning_rate * weight_decay * W;
    W -= learning_rate * sqrt(max(1, rows / columns)) * NS(U), with NS five Newton-Schulz iterations that bring all
    singular values of U near 1, in float32 here. Matrices are those of `FlatParameters.matrices`. Batch norm and biases
    have no singular values: they descend by `Sgd` of the same momentum, at the same learning rate.

    The default learning rate is for batches of 256; `benchmarks/recipes.py` has what it reaches beside `Sgd`.

    Attributes:
        momentum: decay of B, and of the velocity of batch norm and biases.
        weight_decay: of weights, times the learning rate at each step.
    """

    default_learning_rate: ClassVar[float] = 0.15

    momentum: float = 0.9
    weight_decay: float = 1e-2

    def __post_init__(self) -> None:
        _check(self, (self.momentum,), self.weight_decay)

    def build(self, parameters: FlatParameters, gradient: torch.Tensor, learning_rate: float) -> Stepper:
        """As `Optimizer.build`."""
        return MuonSteps(parameters, gradient, learning_rate, momentum=self.momentum, weight_decay=self.weight_decay)


OPTIMIZERS: dict[str, type[Sgd] | type[Adam] | type[AdamW] | type[Muon]] = {
    "sgd": Sgd,
    "adam": Adam,
    "adamw": AdamW,
    "muon": Muon,
}
"""By the names that a configuration has for them."""


def _with_gradient(vector: torch.Tensor, gradient: torch.Tensor) -> torch.nn.Parameter:
    parameter = torch.nn.Parameter(vector)
    parameter.grad = gradient
    return parameter


def _groups(
    parameters: FlatParameters, gradient: torch.Tensor, weight_decay: float
) -> list[dict[str, torch.nn.Parameter | float]]:
    vectors = map(_with_gradient, parameters.split(parameters.flat), parameters.split(gradient))
    groups = zip(vectors, (weight_decay, 0.0), strict=True)
    return [{"params": vector, "weight_decay": decay} for vector, decay in groups if vector.numel() > 0]


def _check(optimizer: Optimizer, decays: Sequence[float], weight_decay: float) -> None:
    if not (all(0 <= decay < 1 for decay in decays) and weight_decay >= 0):
        raise UsageError(f"momentum and betas lie in [0, 1), weight_decay is at least 0; got {optimizer}")
