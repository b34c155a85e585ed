"""The steps of Muon: the momentum of all parameters in one vector, that of weight matrices orthogonalized."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

import torch

from tinynas.training._checkpoint import CheckpointError
from tinynas.training._flat_parameters import FlatParameters

# Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks": the quintic polynomial whose slope at 0
# is as steep as can be, and how often it is applied.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_EPSILON = 1e-7


def orthogonalized(matrices: torch.Tensor) -> torch.Tensor:
    """Matrices of the same singular vectors, whose singular values are near 1: the Newton-Schulz iterations of Muon.

    From X = U / |U|, five times X = a X + (b X X^T + c (X X^T)^2) X. They are computed in the precision of `matrices`:
    the authors take bfloat16, which graphics processors multiply fastest; a processor without it takes longer for it.

    Args:
        matrices: [n, rows, columns]; those with fewer rows than columns take fewer operations.
    """
    a, b, c = _COEFFICIENTS
    x: torch.Tensor = matrices / torch.linalg.vector_norm(matrices, dim=(1, 2), keepdim=True).clamp(min=_EPSILON)
    for _ in range(_ITERATIONS):
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


@dataclass(frozen=True, eq=False)
class _Matrix:
    """A weight matrix and what belongs to it, each [rows, columns], views of the vectors of all parameters."""

    values: torch.Tensor
    gradient: torch.Tensor
    momentum: torch.Tensor
    update: torch.Tensor

    def wide(self, view: torch.Tensor) -> torch.Tensor:
        """One of these, transposed if it has more rows than columns."""
        rows, columns = view.shape
        return view.T if rows > columns else view

    @property
    def shape(self) -> tuple[int, ...]:
        """[rows, columns] of the wide views."""
        return tuple(self.wide(self.values).shape)

    @property
    def scale(self) -> float:
        """Of the learning rate: larger for matrices with more outputs than inputs."""
        rows, columns = self.values.shape
        return math.sqrt(max(1.0, rows / columns))


_SHAPE = attrgetter("shape")


class MuonSteps:
    """Takes Muon's steps (`Muon` says which), without a look at each matrix by itself where that is not needed.

    The momentum is that of a whole vector, and matrices of one shape are orthogonalized together: those of our networks
    are so small that calling torch takes longer than computing.

    A matrix without any gradient is left alone, and so is its momentum, as the weights of a supernet that no network of
    a step has: orthogonalized, what is left of their momentum would be a step as long as any other.

    Args:
        parameters: what is trained.
        gradient: [n] float32, a vector like `parameters.flat`.
        learning_rate: of the first step.
        momentum: decay of the momentum.
        weight_decay: of weights, times the learning rate at each step.
    """

    def __init__(
        self,
        parameters: FlatParameters,
        gradient: torch.Tensor,
        learning_rate: float,
        *,
        momentum: float,
        weight_decay: float,
    ) -> None:
        self.param_groups: list[dict[str, Any]] = [{"lr": learning_rate}]
        self._decay, self._weight_decay = momentum, weight_decay
        self._gradient = gradient
        self._momentum = torch.zeros_like(gradient)
        self._update = torch.zeros_like(gradient)
        _, self._others = parameters.split(parameters.flat)
        _, self._others_update = parameters.split(self._update)
        vectors = (parameters.flat, gradient, self._momentum, self._update)
        matrices = [_Matrix(*views) for views in zip(*map(parameters.matrices, vectors), strict=True)]
        self._equal = [list(equal) for _, equal in groupby(sorted(matrices, key=_SHAPE), _SHAPE)]

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters by the gradient."""
        rate = self.param_groups[0]["lr"]
        idle = [matrix for matrix in chain(*self._equal) if not bool(matrix.gradient.any())]
        kept = [matrix.momentum.clone() for matrix in idle]
        self._momentum.mul_(self._decay).add_(self._gradient)
        torch.add(self._gradient, self._momentum, alpha=self._decay, out=self._update)
        for matrix, momentum in zip(idle, kept, strict=True):
            matrix.momentum.copy_(momentum)
        self._others.sub_(self._others_update, alpha=rate)
        for equal in self._equal:
            self._step([matrix for matrix in equal if matrix not in idle], rate)

    def _step(self, equal: Sequence[_Matrix], rate: float) -> None:
        """Change matrices of one shape."""
        if not equal:
            return
        steps = orthogonalized(torch.stack([matrix.wide(matrix.update) for matrix in equal]))
        for matrix, step in zip(equal, steps, strict=True):
            matrix.wide(matrix.values).mul_(1 - rate * self._weight_decay).sub_(step, alpha=rate * matrix.scale)

    def state_dict(self) -> dict[str, Any]:
        """The momentum: it and the learning rate's schedule decide the next step."""
        return {"momentum": self._momentum}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned.

        Raises:
            CheckpointError: `state` is of another optimizer, or of other parameters.
        """
        momentum = state.get("momentum")
        if not isinstance(momentum, torch.Tensor) or momentum.shape != self._momentum.shape:
            raise CheckpointError(
                f"the checkpoint holds no momentum of {self._momentum.numel()} parameters: delete it to start anew"
            )
        self._momentum.copy_(momentum)
