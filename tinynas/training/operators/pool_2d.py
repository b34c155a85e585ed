"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from tinynas.graph import Op, Padding, Pool2DAttributes
from tinynas.training.operators._activation import activate_, same_padding


def _average(op: Op, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    image, size, stride, pads = _image_and_window(op, inputs[0])
    if pads is None:
        return _finish(op, F.avg_pool2d(image, size, stride))
    # Padding does not count: divide each window by the pixels it really covers.
    covered = F.avg_pool2d(F.pad(torch.ones_like(image[:1, :1]), pads), size, stride)
    return _finish(op, F.avg_pool2d(F.pad(image, pads), size, stride) / covered)


def _maximum(op: Op, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    image, size, stride, pads = _image_and_window(op, inputs[0])
    if pads is not None:
        image = F.pad(image, pads, value=-math.inf)
    return _finish(op, F.max_pool2d(image, size, stride))


def _image_and_window(
    op: Op, x: torch.Tensor
) -> tuple[torch.Tensor, tuple[int, int], tuple[int, int], tuple[int, int, int, int] | None]:
    """The image [N, C, H, W], filter size, stride, and padding (left, right, top, bottom) if there is any."""
    attributes = op.attributes
    assert isinstance(attributes, Pool2DAttributes)
    size, stride, pads = attributes.filter_size, attributes.stride, None
    if attributes.padding is Padding.SAME:
        (top, bottom), (left, right) = (same_padding(x.shape[1 + d], size[d], stride[d]) for d in (0, 1))
        if left + right + top + bottom > 0:  # else torch's padding is a copy
            pads = (left, right, top, bottom)
    return x.permute(0, 3, 1, 2), size, stride, pads


def _finish(op: Op, pooled: torch.Tensor) -> torch.Tensor:
    return activate_(op, pooled.permute(0, 2, 3, 1))


FORWARD = {"AVERAGE_POOL_2D": _average, "MAX_POOL_2D": _maximum}
