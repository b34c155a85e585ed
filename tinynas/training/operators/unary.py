"""Operators that compute each element on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F

from tinynas.graph import LeakyReluAttributes, Op
from tinynas.training.operators._activation import BOUNDS, bounded


def _of(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Op, Sequence[torch.Tensor]], torch.Tensor]:
    return lambda op, inputs: function(inputs[0])


def _leaky_relu(op: Op, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    assert isinstance(op.attributes, LeakyReluAttributes)
    return torch.where(inputs[0] > 0, inputs[0], inputs[0] * op.attributes.alpha)


FORWARD = {
    "LOGISTIC": _of(torch.sigmoid),
    "TANH": _of(torch.tanh),
    "HARD_SWISH": _of(F.hardswish),
    "ELU": _of(F.elu),
    "LEAKY_RELU": _leaky_relu,
    "ABS": _of(torch.abs),
    **{name: _of(partial(bounded, low=low, high=high)) for name, (low, high) in BOUNDS.items()},
}
