"""Parameters of the kernels with weights: zero points folded into biases, multipliers per channel.

The kernels whose constants are one stream are in `_streams`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinynas.engine._constants import ConstantArray, StepConstants, integers
from tinynas.graph import Conv2DAttributes, DepthwiseConv2DAttributes, OpKind
from tinynas.lowering import (
    KernelCall,
    activation_range,
    bias_of,
    by_output,
    folded_bias,
    multipliers,
    quantization_of,
    weights_of,
)

Int32Array = npt.NDArray[np.int32]


def fully_connected(call: KernelCall, name: str, *, in_fours: bool) -> StepConstants:
    """`in_fours` puts the weights of four outputs beside each other, four inputs at a time."""
    outputs, inputs = call.weights.shape[0], call.weights.shape[-1]
    multiplier, shift = multipliers(call, outputs)
    per_channel = quantization_of(call.weights).per_channel
    if not per_channel:
        multiplier, shift = multiplier[:1], shift[:1]
    return _with_tables(
        name,
        _in_fours(weights_of(call).reshape(outputs, inputs)) if in_fours else weights_of(call),
        folded_bias(call, outputs),
        multiplier,
        shift,
        {
            "rows": call.input.elements // inputs,
            "inputs": inputs,
            "outputs": outputs,
            **output_fields(call),
            "per_channel": int(per_channel),
        },
    )


def _in_fours(rows: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Weights [outputs, inputs] as [outputs / 4, inputs / 4, 4, 4], then the outputs that are left over."""
    outputs, inputs = rows.shape
    tiles = [rows[first : first + 4] for first in range(0, outputs, 4)]
    return np.concatenate([tile.reshape(-1, inputs // 4, 4).transpose(1, 0, 2).reshape(-1) for tile in tiles])


def conv_2d(call: KernelCall, name: str) -> StepConstants:
    outputs, inputs = call.output.shape[3], call.input.shape[3]
    if call.op.kind is OpKind.DEPTHWISE_CONV_2D:
        # One group per input channel: [1, KH, KW, C * m] becomes [C * m, KH, KW, 1].
        data, groups = by_output(call), inputs
    else:
        data, groups = by_output(call), inputs // call.weights.shape[3]
    return _with_tables(
        name,
        data,
        bias_of(call, outputs),
        *multipliers(call, outputs),
        {
            "input_height": call.input.shape[1],
            "input_width": call.input.shape[2],
            "input_channels": inputs,
            "output_height": call.output.shape[1],
            "output_width": call.output.shape[2],
            "output_channels": outputs,
            **window_fields(call),
            "groups": groups,
            "input_zero_point": quantization_of(call.input).zero_point,
            **output_fields(call),
        },
    )


def depthwise_conv_2d(call: KernelCall, name: str) -> StepConstants:
    channels = call.output.shape[3]
    return _with_tables(
        name,
        weights_of(call),
        bias_of(call, channels),
        *multipliers(call, channels),
        {
            "input_height": call.input.shape[1],
            "input_width": call.input.shape[2],
            "channels": channels,
            "output_height": call.output.shape[1],
            "output_width": call.output.shape[2],
            **window_fields(call),
            "input_zero_point": quantization_of(call.input).zero_point,
            **output_fields(call),
        },
    )


def _with_tables(
    name: str,
    weights: npt.NDArray[np.generic],
    bias: Int32Array,
    multiplier: Int32Array,
    shift: Int32Array,
    fields: dict[str, int],
) -> StepConstants:
    arrays: tuple[ConstantArray, ...] = (
        integers(f"{name}_weights", "int8_t", weights),
        integers(f"{name}_bias", "int32_t", bias),
        integers(f"{name}_multiplier", "int32_t", multiplier),
        integers(f"{name}_shift", "int8_t", shift),
    )
    pointers = {array.name.removeprefix(f"{name}_"): array.name for array in arrays}
    return StepConstants(arrays, {**pointers, **fields}, {})


def window_fields(call: KernelCall) -> dict[str, int]:
    """The geometry of a call with a window."""
    attributes = call.op.attributes
    assert isinstance(attributes, Conv2DAttributes | DepthwiseConv2DAttributes)
    return {
        "kernel_height": call.weights.shape[1],
        "kernel_width": call.weights.shape[2],
        "stride_height": attributes.stride[0],
        "stride_width": attributes.stride[1],
        "dilation_height": attributes.dilation[0],
        "dilation_width": attributes.dilation[1],
        "padding_top": call.padding[0],
        "padding_left": call.padding[2],
    }


def output_fields(call: KernelCall) -> dict[str, int]:
    """Zero point and clamp of a kernel's output."""
    return {"output_zero_point": quantization_of(call.output).zero_point, **activation_fields(call)}


def activation_fields(call: KernelCall) -> dict[str, int]:
    """The clamp of a kernel's output."""
    low, high = activation_range(call)
    return {"activation_min": low, "activation_max": high}
