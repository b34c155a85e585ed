"""How the sums of a layer become int8: by the short requantization of the kernels, or by the general one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinynas.graph.fixed_point import multiply_by_quantized_multiplier
from tinynas.kernels._kernel import KernelCall
from tinynas.kernels._weights import by_output, folded_bias, multipliers

# The limits of the short requantization: firmware/kernels/arithmetic/dsp.h, at TN_MOST_RIGHT_SHIFT.
MOST_RIGHT_SHIFT = 22
_LARGEST_SUM = 1 << 29
LARGEST_SUM_OF_THREE_PARTS = 1 << 20
"""Of requantization in three parts: firmware/kernels/arithmetic/armv6m.h."""
_SATURATED = 1 << 9  # saturates whatever the zero point is
_LARGEST_INPUT = 128  # of an int8 value, as a magnitude


@dataclass(frozen=True)
class ChannelScales:
    """Requantization of a layer, as kernels read it. Arrays have one entry for each output channel.

    `general` says that a channel is outside the limits of the short requantization: the kernel then takes the portable
    way for the layer, in other loops.
    """

    bias: npt.NDArray[np.int32]
    multiplier: npt.NDArray[np.int32]
    shift: npt.NDArray[np.int32]
    general: bool


def channel_scales(call: KernelCall, largest_sum: int = _LARGEST_SUM) -> ChannelScales:
    """The biases, with the input's zero point folded in, multipliers and shifts of a layer with weights.

    Channels that give one value whatever the input is (dead ones, as folded batch normalizations leave them) often
    have scales outside the limits of the short requantization. They are given parameters within them, with which they
    give the same value. `general` is set where some other channel is outside the limits (firmware/.../dsp.h), or may
    have sums of `largest_sum` in magnitude.

    Raises:
        MissingConstantsError: The graph has no weights or scales.
        UnsupportedGraphError: The weights are not symmetric, or a folded bias overflows.
    """
    outputs = call.output.shape[3]
    multiplier, shift = (x.astype(np.int32) for x in multipliers(call, outputs))
    bias = folded_bias(call, outputs)
    right = -shift.astype(np.int64)
    weight_sums = np.abs(by_output(call).reshape(outputs, -1).astype(np.int64)).sum(axis=1)
    largest = np.abs(bias.astype(np.int64)) + _LARGEST_INPUT * weight_sums
    # Their sums are divided by so much that nothing but zero is left.
    vanishing = (multiplier == 0) | ((right >= 1) & (largest < 1 << np.clip(right - 1, 0, 62)))
    bias, multiplier, shift = (np.where(vanishing, x, y) for x, y in ((0, bias), (0, multiplier), (-1, shift)))
    # Without weights the bias alone remains: (4 * v) * 2^30 / 2^31 / 2 = v.
    constant = ~vanishing & (weight_sums == 0)
    value = multiply_by_quantized_multiplier(bias.astype(np.int64), multiplier, shift)
    value = np.clip(value, -_SATURATED, _SATURATED)
    bias = np.where(constant, 4 * value, bias)
    multiplier, shift = np.where(constant, 1 << 30, multiplier), np.where(constant, -1, shift)
    right, largest = -shift.astype(np.int64), np.where(constant, np.abs(4 * value), largest)
    exact = (right >= 1) & (right <= MOST_RIGHT_SHIFT) & (largest < largest_sum)
    return ChannelScales(
        bias.astype(np.int32),
        multiplier.astype(np.int32),
        shift.astype(np.int32),
        general=not bool((exact | vanishing).all()),
    )


def is_general(call: KernelCall, largest_sum: int = _LARGEST_SUM) -> bool:
    """Whether a layer needs the general requantization; not as far as is known where the graph has no constants."""
    whole = call.whole or call
    if largest_sum not in whole.known_general:
        whole.known_general[largest_sum] = whole.has_constants and channel_scales(whole, largest_sum).general
    return whole.known_general[largest_sum]
