"""MEAN and SOFTMAX."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from tinynas.graph import MeanAttributes, Op, SoftmaxAttributes


def _mean(op: Op, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    assert isinstance(op.attributes, MeanAttributes)
    return inputs[0].mean(dim=op.attributes.axes, keepdim=op.attributes.keep_dims)


def _softmax(op: Op, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    assert isinstance(op.attributes, SoftmaxAttributes)
    return F.softmax(inputs[0] * op.attributes.beta, dim=-1)


FORWARD = {"MEAN": _mean, "SOFTMAX": _softmax}
