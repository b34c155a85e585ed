"""FULLY_CONNECTED."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tinynas.graph import FullyConnectedAttributes, Op


def fully_connected(op: Op, x: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """FULLY_CONNECTED without its activation; weights are [O, I]."""
    attributes = op.attributes
    assert isinstance(attributes, FullyConnectedAttributes)
    flat = x if attributes.keep_num_dims else x.reshape(x.shape[0], -1)
    return F.linear(flat, weights, bias)
