"""What several operators need: the fused activation, and TensorFlow's padding."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F

from tinynas.graph import Activation, Op

BOUNDS = MappingProxyType(
    {"RELU": (0.0, math.inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}
)
"""Of rectifiers, by the names that they have as fused activations and as operators of their own."""


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return TensorFlow's SAME padding (before, after) of one dimension: the odd row goes after.

    Source: TensorFlow, "Neural network ops: convolution", padding section.
    """
    total = max((math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def activate_(op: Op, x: torch.Tensor) -> torch.Tensor:
    """Apply the activation that is fused into `op`, in place: to a tensor that nothing else reads, nor its gradient.

    Like torch's functions of such names, it changes `x`, and returns it.
    """
    if op.activation is Activation.NONE:
        return x
    return bounded_(x, *BOUNDS[op.activation])


def bounded(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """`torch.clamp` with the gradient of torch's ReLUs: 0 at the bounds as well."""
    return F.hardtanh(x, low, high)


def bounded_(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """`bounded` in place.

    torch's own ReLU6 in place copies what it overwrites, to compute the gradient. The result alone says where that is
    0, so that one tensor less of each layer is written, and waits in memory for the way back.
    """
    return _Bounded.apply(x, low, high) if x.requires_grad else x.clamp_(low, high)  # type: ignore[no-untyped-call]


class _Bounded(torch.autograd.Function):
    """What `bounded_` does where gradients are computed."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, low: float, high: float) -> torch.Tensor:
        ctx.mark_dirty(x)
        y = x.clamp_(low, high)
        ctx.save_for_backward(y)
        ctx.bounds = low, high
        return y

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, y, *ctx.bounds), None, None
