"""Integer parameters of the int8 kernels, computed as TFLite's `Prepare` functions compute them.

Where TFLite multiplies scales as float32 before it widens them, so does this module: the multipliers are equal to the
last bit. Sources: tflite/kernels/{kernel_util,add,mul,reduce,quantize}.cc and internal/reference/reduce.h.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinynas.graph._attributes import Activation
from tinynas.graph._tensor import Quantization
from tinynas.graph.fixed_point._arithmetic import Multiplier, quantize_multiplier
from tinynas.graph.fixed_point._runtime import Runtime

ADD_LEFT_SHIFT = 20
"""Both inputs of an int8 ADD are shifted left by this many bits before they are rescaled."""

_BEYOND_INT8 = 1024.0
"""Whatever the zero point, this many steps from zero lie outside int8."""

_ACTIVATION_BOUNDS: dict[Activation, tuple[float, float]] = {
    Activation.NONE: (-math.inf, math.inf),
    Activation.RELU: (0.0, math.inf),
    Activation.RELU_N1_TO_1: (-1.0, 1.0),
    Activation.RELU6: (0.0, 6.0),
}


@lru_cache(maxsize=1024)
def quantized_activation_range(activation: Activation, quantization: Quantization) -> tuple[int, int]:
    """Smallest and largest int8 value that `activation` lets through, for an output with `quantization`."""

    def quantized(real: float) -> int:
        # float32 division, halves away from zero: CalculateActivationRangeQuantized.
        with np.errstate(over="ignore"):
            ratio = float(np.float32(real) / np.float32(quantization.scale))
        ratio = max(-_BEYOND_INT8, min(ratio, _BEYOND_INT8))
        return quantization.zero_point + math.trunc(ratio + math.copysign(0.5, ratio))

    low, high = _ACTIVATION_BOUNDS[activation]
    return (
        max(-128, quantized(low)) if math.isfinite(low) else -128,
        min(127, quantized(high)) if math.isfinite(high) else 127,
    )


@lru_cache(maxsize=1024)
def convolution_multipliers(
    x: Quantization, weights: Quantization, output: Quantization, channels: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Multipliers and shifts of CONV_2D and DEPTHWISE_CONV_2D, each int32 [channels], not to be written to.

    One weight scale serves all channels; the product of the scales is taken in double precision. Kept, since a layer is
    asked about in every plan and patch that is tried for a network.
    """
    scales = weights.scales if weights.per_channel else weights.scales * channels
    if len(scales) != channels:
        raise ValueError(f"{len(scales)} weight scales for {channels} output channels")
    input_scale, output_scale = x.scale, output.scale
    pairs = [quantize_multiplier(input_scale * scale / output_scale) for scale in scales]
    multiplier, shift = np.array([p.value for p in pairs], np.int32), np.array([p.shift for p in pairs], np.int32)
    multiplier.flags.writeable = shift.flags.writeable = False
    return multiplier, shift


def fully_connected_multipliers(
    x: Quantization,
    weights: Quantization,
    output: Quantization,
    channels: int,
    runtime: Runtime = Runtime.LITERT,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Multipliers and shifts of FULLY_CONNECTED, each int32 [channels], for `multiply_rounding_once`.

    For TFLM they go with `multiply_by_quantized_multiplier`, and with one weight scale it multiplies input and weight
    scale in float32 (GetQuantizedConvolutionMultipler) where everything else uses double precision.
    """
    if weights.per_channel or runtime is Runtime.LITERT:
        return convolution_multipliers(x, weights, output, channels)
    with np.errstate(over="ignore", under="ignore"):
        product = float(np.float32(x.scale) * np.float32(weights.scale))
    multiplier = quantize_multiplier(product / output.scale)
    return np.full(channels, multiplier.value, np.int32), np.full(channels, multiplier.shift, np.int32)


class AddParameters(NamedTuple):
    """Rescaling of an int8 ADD: ((a - za) << 20) * input1 + ((b - zb) << 20) * input2, that sum times output."""

    input1: Multiplier
    input2: Multiplier
    output: Multiplier


def add_parameters(a: Quantization, b: Quantization, output: Quantization) -> AddParameters:
    """The multipliers of ADD; all shifts are zero or to the right.

    Raises:
        ValueError: The output scale is so small that the sum would be scaled up by 2**20 or more; TFLite aborts.
    """
    twice_max = 2 * max(a.scale, b.scale)
    output_factor = twice_max / ((1 << ADD_LEFT_SHIFT) * output.scale)
    if output_factor >= 1:
        raise ValueError(f"ADD cannot bring inputs of scale {twice_max / 2} to an output of scale {output.scale}")
    return AddParameters(
        quantize_multiplier(a.scale / twice_max),
        quantize_multiplier(b.scale / twice_max),
        quantize_multiplier(output_factor),
    )


def mul_multiplier(
    a: Quantization, b: Quantization, output: Quantization, runtime: Runtime = Runtime.LITERT
) -> Multiplier:
    """The multiplier of MUL: LiteRT computes sa * sb / so in float32 (mul.cc), TFLM in double precision."""
    if runtime is Runtime.TFLM:
        return quantize_multiplier(a.scale * b.scale / output.scale)
    with np.errstate(over="ignore", under="ignore"):
        factor = np.float32(a.scale) * np.float32(b.scale) / np.float32(output.scale)
    return quantize_multiplier(float(factor))


def mean_multiplier(x: Quantization, output: Quantization, count: int) -> Multiplier:
    """The multiplier that takes a sum of `count` differences (q - zero point) to a mean in the output's scale.

    The division by `count` is folded into the multiplier, truncated (reduce.h: QuantizedMeanOrSum).
    """
    value, shift = quantize_multiplier(x.scale / output.scale)
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    return Multiplier((value << bits) // count, shift - bits)


def requantization_multiplier(x: Quantization, output: Quantization) -> Multiplier:
    """The multiplier of QUANTIZE from int8 to int8."""
    return quantize_multiplier(x.scale / output.scale)
