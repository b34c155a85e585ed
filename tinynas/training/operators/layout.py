"""Operators that move elements without computing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from tinynas.graph import (
    ConcatenationAttributes,
    Op,
    PadAttributes,
    ReshapeAttributes,
    ResizeNearestNeighborAttributes,
    TransposeAttributes,
)
from tinynas.training.operators._activation import activate_


def _concatenation(op: Op, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    assert isinstance(op.attributes, ConcatenationAttributes)
    return activate_(op, torch.cat(list(inputs), dim=op.attributes.axis))


def _reshape(op: Op, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    assert isinstance(op.attributes, ReshapeAttributes)
    return inputs[0].reshape(inputs[0].shape[0], *op.attributes.shape[1:])


def _pad(op: Op, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    assert isinstance(op.attributes, PadAttributes)
    return F.pad(inputs[0], [side for before_after in reversed(op.attributes.paddings) for side in before_after])


def _transpose(op: Op, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    assert isinstance(op.attributes, TransposeAttributes)
    return inputs[0].permute(op.attributes.permutation)


def _resize_nearest_neighbor(op: Op, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    attributes, x = op.attributes, inputs[0]
    assert isinstance(attributes, ResizeNearestNeighborAttributes)
    rows, columns = (_nearest_indices(x.shape[1 + d], attributes.size[d], attributes).to(x.device) for d in (0, 1))
    return x.index_select(1, rows).index_select(2, columns)


def _nearest_indices(source: int, target: int, attributes: ResizeNearestNeighborAttributes) -> torch.Tensor:
    """Source row of each target row (TFLite: reference/resize_nearest_neighbor.h)."""
    aligned = attributes.align_corners and target > 1
    scale = (source - 1) / (target - 1) if aligned else source / target
    offset = 0.5 if attributes.half_pixel_centers else 0.0
    rows = [
        math.floor((i + offset) * scale + 0.5) if attributes.align_corners else math.floor((i + offset) * scale)
        for i in range(target)
    ]
    return torch.tensor([min(max(r, 0), source - 1) for r in rows])


FORWARD = {
    "CONCATENATION": _concatenation,
    "RESHAPE": _reshape,
    "PAD": _pad,
    "TRANSPOSE": _transpose,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest_neighbor,
}
