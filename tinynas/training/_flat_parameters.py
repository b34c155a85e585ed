"""Named parameters in one flat vector: what optimizer, checkpoints and processes exchange."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from tinynas.errors import UsageError

Shape = tuple[int, ...]


class FlatParameters:
    """Named float32 parameters that are views of one vector `flat`.

    The optimizer, a checkpoint and the exchange of gradients between processes each handle a single array. Weights
    (`<op>/weights`) come first and all others (batch norm, biases) after them: weight decay applies to one slice.

    Args:
        shapes: shape of each parameter; their order is kept among weights and among others.
        device: of the vector.
    """

    def __init__(self, shapes: Mapping[str, Shape], device: str | torch.device = "cpu") -> None:
        self.shapes = dict(sorted(shapes.items(), key=lambda item: not _is_weight(item[0])))
        self._weights = sum(math.prod(s) for name, s in self.shapes.items() if _is_weight(name))
        self.attach(torch.zeros(sum(math.prod(s) for s in self.shapes.values()), device=device))

    def attach(self, flat: torch.Tensor) -> None:
        """Use `flat` (for example a vector in shared memory) with the values it holds.

        Raises:
            UsageError: the length differs from the parameters'.
        """
        size = sum(math.prod(s) for s in self.shapes.values())
        if flat.numel() != size:
            raise UsageError(f"{size} parameters cannot be views of a vector of {flat.numel()}")
        self.flat = flat
        self._named = {name: torch.nn.Parameter(view) for name, view in self._views(flat).items()}

    def _views(self, flat: torch.Tensor) -> dict[str, torch.Tensor]:
        views: dict[str, torch.Tensor] = {}
        offset = 0
        for name, shape in self.shapes.items():
            size = math.prod(shape)
            views[name] = flat[offset : offset + size].view(shape)
            offset += size
        return views

    def use_gradient(self, gradient: torch.Tensor) -> None:
        """Let backward passes accumulate into `gradient`, a vector like `flat`."""
        for name, view in self._views(gradient).items():
            self._named[name].grad = view

    def split(self, vector: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The parts of a vector like `flat`, as views: weights, and batch norm and biases (may be empty)."""
        return vector[: self._weights], vector[self._weights :]

    def matrices(self, vector: torch.Tensor) -> list[torch.Tensor]:
        """The weights in a vector like `flat`, as views: [outputs, inputs of each].

        Of convolutions [O, H, W, I] these are [O, H * W * I], of depthwise ones [1, H, W, C] they are [C, H * W]; one
        of a single output channel is taken for a depthwise one.
        """
        views = [view for name, view in self._views(vector).items() if _is_weight(name)]
        return [
            view.view(-1, view.shape[-1]).T if view.ndim == 4 and view.shape[0] == 1 else view.view(view.shape[0], -1)
            for view in views
        ]

    def __getitem__(self, name: str) -> torch.nn.Parameter:
        return self._named[name]

    def __contains__(self, name: str) -> bool:
        return name in self._named

    def items(self) -> list[tuple[str, torch.nn.Parameter]]:
        """Names and parameters in the order of the vector."""
        return list(self._named.items())


def _is_weight(name: str) -> bool:
    return name.endswith("/weights")
