"""What several operators need: the fused activation, and TensorFlow's padding."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from tinynas.graph import Activation, Op


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return TensorFlow's SAME padding (before, after) of one dimension: the odd row goes after.

    Source: TensorFlow, "Neural network ops: convolution", padding section.
    """
    total = max((math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def activate(op: Op, x: torch.Tensor) -> torch.Tensor:
    """Apply the activation that is fused into `op`."""
    if op.activation is Activation.NONE:
        return x
    if op.activation is Activation.RELU:
        return F.relu(x)
    if op.activation is Activation.RELU6:
        return F.relu6(x)
    return torch.clamp(x, -1.0, 1.0)
