"""Parameters and constants of the depthwise kernels that gather buffers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinynas.kernels._channel_scales import ChannelScales
from tinynas.kernels._constants import WORD, Fields, StepConstants, word_array
from tinynas.kernels._fields import output_fields
from tinynas.kernels._kernel import KernelCall, ParameterStructure
from tinynas.kernels._weights import by_output, quantization_of
from tinynas.kernels.depthwise_conv_2d.buffers import ChannelBuffer, channel_words

PARAMETERS = ParameterStructure("tn_channel_buffer_params", 56)


def channel_constant_bytes(call: KernelCall) -> int:
    """Flash of the constants that `channel_constants` makes."""
    channels = call.output.shape[3]
    taps = call.weights.elements // channels
    return WORD * channels * channel_words(taps) + PARAMETERS.size_bytes


def weights_by_channel(call: KernelCall, buffer: ChannelBuffer) -> npt.NDArray[np.int8]:
    """The weights of each channel in a row, as windows lie in the buffer."""
    channels = call.output.shape[3]
    windows = by_output(call).reshape(channels, *call.weights.shape[1:3])
    return (windows.transpose(0, 2, 1) if buffer.transposed else windows).reshape(channels, -1).astype(np.int8)


def channel_constants(
    call: KernelCall,
    name: str,
    buffer: ChannelBuffer,
    by_channel: npt.NDArray[np.int8],
    scaling: ChannelScales,
    own: Fields,
) -> StepConstants:
    """What the kernels read that gather each channel into a buffer, and fields of their `own`."""
    taps = np.zeros((len(by_channel), -(-(by_channel.shape[1] + 1) // 4) * 4), np.int8)
    taps[:, : by_channel.shape[1]] = by_channel
    taps[:, by_channel.shape[1]] = ~scaling.shift
    packed = np.column_stack((scaling.bias, scaling.multiplier, taps.view("<i4"))).astype(np.int32).view(np.uint32)
    return StepConstants((word_array(f"{name}_constants", packed),), buffer_fields(call, name, buffer) | own, {})


def buffer_fields(call: KernelCall, name: str, buffer: ChannelBuffer) -> Fields:
    """The fields that all kernels share that gather buffers."""
    channels = call.output.shape[3]
    steps = [(image.shape[2] * channels, channels) for image in (call.input, call.output)]  # down, right
    (input_row_step, input_step), (output_row_step, output_step) = (s[::-1] if buffer.transposed else s for s in steps)
    return {
        "constants": f"{name}_constants",
        "input_step": input_step,
        "input_row_step": input_row_step,
        "output_step": output_step,
        "output_row_step": output_row_step,
        "channels": channels,
        "input_height": buffer.inputs[0],
        "input_width": buffer.inputs[1],
        "output_height": buffer.outputs[0],
        "output_width": buffer.outputs[1],
        "kernel_height": buffer.kernel[0],
        "kernel_width": buffer.kernel[1],
        "stride_height": buffer.stride[0],
        "stride_width": buffer.stride[1],
        "padding_top": buffer.padding[0],
        "padding_left": buffer.padding[1],
        "buffer_height": buffer.size[0],
        "buffer_width": buffer.size[1],
        "input_zero_point": quantization_of(call.input).zero_point,
        **output_fields(call),
    }
