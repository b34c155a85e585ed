"""The last step of most int8 kernels: rescale the accumulators, add the zero point, clamp, narrow."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinynas.graph._attributes import Activation
from tinynas.graph._tensor import Quantization
from tinynas.graph.fixed_point import multiply_by_quantized_multiplier, quantized_activation_range
from tinynas.graph.reference._node import Array


def rescale_to_int8(
    accumulators: npt.NDArray[np.int64],
    multiplier: npt.ArrayLike,
    shift: npt.ArrayLike,
    output: Quantization,
    activation: Activation = Activation.NONE,
) -> Array:
    """int8 values of `accumulators` * multiplier * 2**(shift - 31) in the output's quantization."""
    return clamp_to_int8(multiply_by_quantized_multiplier(accumulators, multiplier, shift), output, activation)


def as_int32(accumulators: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sums as 32-bit registers hold them: a bias near the ends of its range wraps around."""
    return accumulators.astype(np.int32).astype(np.int64)


def clamp_to_int8(values: npt.NDArray[np.int64], output: Quantization, activation: Activation) -> Array:
    """Rescaled values as int8: zero point added, activation applied."""
    low, high = quantized_activation_range(activation, output)
    # min(max(x, low), high) as the kernels do it, which np.clip equals even where low exceeds high.
    return np.minimum(np.maximum(values + output.zero_point, low), high).astype(np.int8)
