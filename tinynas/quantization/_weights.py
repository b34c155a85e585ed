"""Scales of weights: symmetric, per output channel except in FULLY_CONNECTED."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinynas.graph import Op, Quantization
from tinynas.quantization._ranges import RangeMethod, least_error_scales


def weight_axis(op: Op) -> int | None:
    """Axis of per-channel weight scales; None for FULLY_CONNECTED, whose weights have one scale."""
    weights = op.weights
    return None if weights is None or not weights.scale_per_channel else weights.channel_axis


def weight_quantization(
    op: Op,
    weights: npt.NDArray[np.float32],
    bias: npt.NDArray[np.float32] | None,
    input_scale: float,
    method: RangeMethod,
) -> Quantization:
    """Symmetric scales of the weights as float32 values, one for each output channel or one for all.

    MIN_MAX is max |w| / 127; MEAN_SQUARED_ERROR shrinks that where it pays. A channel whose weights are all but zero
    gets a scale large enough for its bias, which is stored in int32 units of input_scale * weight_scale.

    Args:
        op: the operator.
        weights: float32, in the graph's layout.
        bias: float32 [O] or None.
        input_scale: of the operator's input.
        method: how ranges are chosen.
    """
    axis = weight_axis(op)
    rows = weights.reshape(1, -1) if axis is None else np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
    smallest = np.full(len(rows), np.finfo(np.float32).tiny * 2.0**24)
    if bias is not None:
        # Half of what int32 holds, for biases that training or a correction changes still.
        needed = np.abs(bias) / (input_scale * 2.0**30)
        smallest = np.maximum(smallest, needed if axis is not None else needed.max())
    scales = np.maximum(np.abs(rows).max(axis=1) / 127.0, smallest).astype(np.float32)
    if method is RangeMethod.MEAN_SQUARED_ERROR:
        scales = least_error_scales(rows, scales, smallest.astype(np.float32))
    return Quantization(tuple(float(s) for s in scales), (0,) * len(scales), axis or 0)
