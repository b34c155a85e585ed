"""Parameters of the kernels without weights."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tinynas.engine._constants import ConstantArray, Fields, StepConstants, integers
from tinynas.engine._weighted_parameters import activation_fields
from tinynas.graph import (
    ConcatenationAttributes,
    PadAttributes,
    Pool2DAttributes,
    ResizeNearestNeighborAttributes,
    SoftmaxAttributes,
    Tensor,
    TransposeAttributes,
)
from tinynas.graph.fixed_point import (
    AddPlane,
    add_parameters,
    mean_multiplier,
    mul_multiplier,
    requantization_multiplier,
    softmax_parameters,
)
from tinynas.graph.reference._layout import nearest_indices
from tinynas.lowering import KernelCall, data_of, plane_of_add, quantization_of, reduced_view

_RANK = 4


def pool_2d(call: KernelCall, name: str) -> StepConstants:
    attributes = call.op.attributes
    assert isinstance(attributes, Pool2DAttributes)
    _, output_height, output_width, channels = call.output.shape
    return StepConstants(
        (),
        {
            "input_height": call.input.shape[1],
            "input_width": call.input.shape[2],
            "channels": channels,
            "output_height": output_height,
            "output_width": output_width,
            "filter_height": attributes.filter_size[0],
            "filter_width": attributes.filter_size[1],
            "stride_height": attributes.stride[0],
            "stride_width": attributes.stride[1],
            "padding_top": call.padding[0],
            "padding_left": call.padding[2],
            **activation_fields(call),
        },
        {},
    )


def add(call: KernelCall, name: str) -> StepConstants:
    plane = plane_of_add(call) or AddPlane(0, 0, 0, 0)
    counted: Fields = {"count": call.output.elements, "plane": plane._asdict()}
    return _elementwise(call, name, _add_quantization(call), counted)


def add_broadcast(call: KernelCall, name: str) -> StepConstants:
    return _elementwise(call, name, _add_quantization(call), {"broadcast": _broadcast(call)})


def _add_quantization(call: KernelCall) -> dict[str, str | int]:
    a, b = map(quantization_of, call.operands)
    parameters = add_parameters(a, b, quantization_of(call.output))
    return {
        "a_multiplier": parameters.input1.value,
        "b_multiplier": parameters.input2.value,
        "output_multiplier": parameters.output.value,
        **_elementwise_zero_points(call),
        "a_shift": parameters.input1.shift,
        "b_shift": parameters.input2.shift,
        "output_shift": parameters.output.shift,
        **activation_fields(call),
    }


def mul(call: KernelCall, name: str) -> StepConstants:
    return _elementwise(call, name, _mul_quantization(call), {"count": call.output.elements})


def mul_broadcast(call: KernelCall, name: str) -> StepConstants:
    return _elementwise(call, name, _mul_quantization(call), {"broadcast": _broadcast(call)})


def _mul_quantization(call: KernelCall) -> dict[str, str | int]:
    a, b = map(quantization_of, call.operands)
    multiplier = mul_multiplier(a, b, quantization_of(call.output))
    return {
        "multiplier": multiplier.value,
        **_elementwise_zero_points(call),
        "shift": multiplier.shift,
        **activation_fields(call),
    }


def _elementwise(call: KernelCall, name: str, quantization: Mapping[str, str | int], shape: Fields) -> StepConstants:
    return StepConstants(*_constant_operands(call, name, {"quantization": quantization, **shape}))


def _broadcast(call: KernelCall) -> dict[str, str]:
    a, b = call.operands
    return {
        "extents": _braces(_rank_4(call.output)),
        "a_strides": _braces(_broadcast_strides(a)),
        "b_strides": _braces(_broadcast_strides(b)),
    }


def _elementwise_zero_points(call: KernelCall) -> dict[str, int]:
    tensors = (*call.operands, call.output)
    return {
        f"{role}_zero_point": quantization_of(tensor).zero_point
        for role, tensor in zip(("a", "b", "output"), tensors, strict=True)
    }


def requantize(call: KernelCall, name: str) -> StepConstants:
    x, output = quantization_of(call.input), quantization_of(call.output)
    multiplier = requantization_multiplier(x, output)
    return StepConstants(
        (),
        {
            "count": call.output.elements,
            "multiplier": multiplier.value,
            "input_zero_point": x.zero_point,
            "output_zero_point": output.zero_point,
            "shift": multiplier.shift,
        },
        {},
    )


def concatenation(call: KernelCall, name: str) -> StepConstants:
    """The addresses of the inputs are filled in by the caller, who knows the arena."""
    attributes = call.op.attributes
    assert isinstance(attributes, ConcatenationAttributes)
    sizes = [math.prod(t.shape[attributes.axis :]) for t in call.operands]
    arrays, fields, operands = _constant_operands(
        call,
        name,
        {
            "inputs": f"{name}_inputs",
            "sizes": f"{name}_sizes",
            "count": len(sizes),
            "outer": math.prod(call.output.shape[: attributes.axis]),
        },
    )
    return StepConstants((*arrays, integers(f"{name}_sizes", "int32_t", sizes)), fields, operands)


def pad(call: KernelCall, name: str) -> StepConstants:
    attributes = call.op.attributes
    assert isinstance(attributes, PadAttributes)
    paddings = ((0, 0),) * (_RANK - len(attributes.paddings)) + attributes.paddings
    return StepConstants(
        (),
        {
            "input": _braces(_rank_4(call.input)),
            "before": _braces(tuple(before for before, _ in paddings)),
            "after": _braces(tuple(after for _, after in paddings)),
            "value": quantization_of(call.output).zero_point,
        },
        {},
    )


def mean(call: KernelCall, name: str) -> StepConstants:
    view = reduced_view(call)
    assert view is not None
    outer, reduced, inner = view
    x, output = quantization_of(call.input), quantization_of(call.output)
    multiplier = mean_multiplier(x, output, reduced)
    return StepConstants(
        (),
        {
            "outer": outer,
            "reduced": reduced,
            "inner": inner,
            "multiplier": multiplier.value,
            "input_zero_point": x.zero_point,
            "output_zero_point": output.zero_point,
            "shift": multiplier.shift,
        },
        {},
    )


def softmax(call: KernelCall, name: str) -> StepConstants:
    attributes = call.op.attributes
    assert isinstance(attributes, SoftmaxAttributes)
    parameters = softmax_parameters(quantization_of(call.input).scale, attributes.beta)
    depth = call.input.shape[-1]
    return StepConstants(
        (),
        {
            "rows": call.input.elements // depth,
            "depth": depth,
            "multiplier": parameters.multiplier.value,
            "shift": parameters.multiplier.shift,
            "diff_min": parameters.diff_min,
        },
        {},
    )


def resize_nearest_neighbor(call: KernelCall, name: str) -> StepConstants:
    attributes = call.op.attributes
    assert isinstance(attributes, ResizeNearestNeighborAttributes)
    _, input_height, input_width, channels = call.input.shape
    height, width = attributes.size
    rows = integers(f"{name}_rows", "uint16_t", nearest_indices(input_height, height, attributes))
    columns = integers(f"{name}_columns", "uint16_t", nearest_indices(input_width, width, attributes))
    return StepConstants(
        (rows, columns),
        {
            "rows": rows.name,
            "columns": columns.name,
            "input_width": input_width,
            "output_height": height,
            "output_width": width,
            "channels": channels,
        },
        {},
    )


def transpose(call: KernelCall, name: str) -> StepConstants:
    attributes = call.op.attributes
    assert isinstance(attributes, TransposeAttributes)
    strides = _strides(call.input.shape)
    missing = _RANK - len(call.output.shape)
    return StepConstants(
        (),
        {
            "extents": _braces(_rank_4(call.output)),
            "strides": _braces((0,) * missing + tuple(strides[axis] for axis in attributes.permutation)),
        },
        {},
    )


def _constant_operands(
    call: KernelCall, name: str, fields: Fields
) -> tuple[tuple[ConstantArray, ...], Fields, dict[int, str]]:
    """Arrays for the operands that are constants."""
    arrays = {
        position: integers(f"{name}_operand{position}", "int8_t", data_of(tensor))
        for position, tensor in enumerate(call.operands)
        if tensor.constant
    }
    return tuple(arrays.values()), fields, {position: array.name for position, array in arrays.items()}


def _rank_4(tensor: Tensor) -> tuple[int, ...]:
    return (1,) * (_RANK - len(tensor.shape)) + tensor.shape


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Elements between neighbours along each dimension."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def _broadcast_strides(tensor: Tensor) -> tuple[int, ...]:
    shape = _rank_4(tensor)
    return tuple(0 if size == 1 else stride for size, stride in zip(shape, _strides(shape), strict=True))


def _braces(values: tuple[int, ...]) -> str:
    return "{" + ", ".join(map(str, values)) + "}"
