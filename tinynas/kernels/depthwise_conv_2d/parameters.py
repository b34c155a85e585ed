"""Parameters and constants of the depthwise kernels that gather planes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinynas.kernels._channel_scales import ChannelScales
from tinynas.kernels._constants import WORD, Fields, StepConstants, stream_words
from tinynas.kernels._fields import output_fields
from tinynas.kernels._kernel import KernelCall, ParameterStructure
from tinynas.kernels._weights import by_output, quantization_of
from tinynas.kernels.depthwise_conv_2d.planes import Plane, channel_words

PARAMETERS = ParameterStructure("tn_depthwise_planar_params", 56)


def planar_constants(call: KernelCall) -> int:
    """Flash of the constants that `plane_constants` makes."""
    channels = call.output.shape[3]
    taps = call.weights.elements // channels
    return WORD * channels * channel_words(taps) + PARAMETERS.size_bytes


def weights_of_planes(call: KernelCall, plane: Plane) -> npt.NDArray[np.int8]:
    """The weights of each channel in a row, as windows lie in the plane."""
    channels = call.output.shape[3]
    windows = by_output(call).reshape(channels, *call.weights.shape[1:3])
    return (windows.transpose(0, 2, 1) if plane.transposed else windows).reshape(channels, -1).astype(np.int8)


def plane_constants(
    call: KernelCall, name: str, plane: Plane, by_channel: npt.NDArray[np.int8], scaling: ChannelScales, own: Fields
) -> StepConstants:
    """What the kernels read that gather a plane for each channel, and fields of their `own`."""
    taps = np.zeros((len(by_channel), -(-(by_channel.shape[1] + 1) // 4) * 4), np.int8)
    taps[:, : by_channel.shape[1]] = by_channel
    taps[:, by_channel.shape[1]] = ~scaling.shift
    stream = np.column_stack((scaling.bias, scaling.multiplier, taps.view("<i4"))).astype(np.int32).view(np.uint32)
    return StepConstants((stream_words(f"{name}_constants", stream),), plane_fields(call, name, plane) | own, {})


def plane_fields(call: KernelCall, name: str, plane: Plane) -> Fields:
    """The fields that all kernels share that gather planes."""
    channels = call.output.shape[3]
    steps = [(image.shape[2] * channels, channels) for image in (call.input, call.output)]  # down, right
    (input_row_step, input_step), (output_row_step, output_step) = (s[::-1] if plane.transposed else s for s in steps)
    return {
        "constants": f"{name}_constants",
        "input_step": input_step,
        "input_row_step": input_row_step,
        "output_step": output_step,
        "output_row_step": output_row_step,
        "channels": channels,
        "input_height": plane.inputs[0],
        "input_width": plane.inputs[1],
        "output_height": plane.outputs[0],
        "output_width": plane.outputs[1],
        "kernel_height": plane.kernel[0],
        "kernel_width": plane.kernel[1],
        "stride_height": plane.stride[0],
        "stride_width": plane.stride[1],
        "padding_top": plane.padding[0],
        "padding_left": plane.padding[1],
        "plane_height": plane.size[0],
        "plane_width": plane.size[1],
        "input_zero_point": quantization_of(call.input).zero_point,
        **output_fields(call),
    }
