"""Fields of parameter structures that several families share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinynas.kernels._clamp import activation_range
from tinynas.kernels._constants import ConstantArray, Fields, StepConstants, integers
from tinynas.kernels._kernel import KernelCall
from tinynas.kernels._weights import data_of, quantization_of

Int32Array = npt.NDArray[np.int32]


def with_tables(
    name: str,
    weights: npt.NDArray[np.generic],
    bias: Int32Array,
    multiplier: Int32Array,
    shift: Int32Array,
    fields: dict[str, int],
) -> StepConstants:
    """Weights, biases, multipliers and shifts, each in a table of its own, and the fields that point to them."""
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
    window = call.window
    return {
        "kernel_height": window.filter_size[0],
        "kernel_width": window.filter_size[1],
        "stride_height": window.stride[0],
        "stride_width": window.stride[1],
        "dilation_height": window.dilation[0],
        "dilation_width": window.dilation[1],
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


def constant_operands(
    call: KernelCall, name: str, fields: Fields
) -> tuple[tuple[ConstantArray, ...], Fields, dict[int, str]]:
    """Arrays for the operands that are constants."""
    arrays = {
        position: integers(f"{name}_operand{position}", "int8_t", data_of(tensor))
        for position, tensor in enumerate(call.operands)
        if tensor.constant
    }
    return tuple(arrays.values()), fields, {position: array.name for position, array in arrays.items()}
