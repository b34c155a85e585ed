"""FULLY_CONNECTED."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinynas.graph._attributes import Activation, Attributes
from tinynas.graph._counting import macs_of_taps
from tinynas.graph._errors import GraphError
from tinynas.graph._operator import Op, OpSpec, Shape, Weights
from tinynas.graph._quantization_rules import check_weights, rescale_weights
from tinynas.graph._shapes import require_rank, shape_error
from tinynas.graph._tensor import Tensor
from tinynas.graph.fixed_point import (
    Runtime,
    fully_connected_multipliers,
    multiply_by_quantized_multiplier,
    multiply_rounding_once,
)
from tinynas.graph.ops._window_shapes import check_bias
from tinynas.graph.reference._matmul import exact_matmul
from tinynas.graph.reference._node import Array, Node, clamp_float, required
from tinynas.graph.reference._rescale import as_int32, clamp_to_int8


@dataclass(frozen=True)
class FullyConnectedAttributes(Attributes):
    """FULLY_CONNECTED. inputs: x [..., I] (flattened to [-1, I] unless keep_num_dims), weights [O,I], bias or -1."""

    activation: Activation = Activation.NONE
    keep_num_dims: bool = False


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    attributes = op.attributes
    assert isinstance(attributes, FullyConnectedAttributes)
    x, weights = input_shapes[0], input_shapes[1]
    require_rank(op, "weights", weights, 2)
    check_bias(op, input_shapes, weights[0])
    if weights[1] < 1 or math.prod(x) % weights[1]:
        raise shape_error(op, f"input {list(x)} is not a multiple of the {weights[1]} input features of the weights")
    if attributes.keep_num_dims:
        if not x or x[-1] != weights[1]:
            raise shape_error(op, f"the last dimension of {list(x)} must be {weights[1]} to keep the dimensions")
        return (*x[:-1], weights[0])
    return (math.prod(x) // weights[1], weights[0])


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
    """The input, flattened to rows of the weights' width, times the transposed weights."""
    attributes = node.op.attributes
    assert isinstance(attributes, FullyConnectedAttributes)
    x, weights = required(arrays, 0), required(arrays, 1)[0]
    rows = x.reshape(-1, weights.shape[1])
    bias = arrays[2] if len(arrays) > 2 else None
    if node.is_float:
        products = exact_matmul(rows, weights.T, is_float=True)
        values = products if bias is None else products + bias[0].reshape(-1)
        return clamp_float(values, attributes.activation).reshape(x.shape[0], *node.output.shape)
    x_quantization, weights_quantization = node.quantization(node.input(0)), node.quantization(node.input(1))
    # Unlike the convolutions, this kernel honours the zero point of per-tensor weights.
    weights_zero_point = 0 if weights_quantization.per_channel else weights_quantization.zero_point
    matrix = weights.T.astype(np.int32) - np.int32(weights_zero_point)
    accumulators = exact_matmul(rows.astype(np.int32) - np.int32(x_quantization.zero_point), matrix, is_float=False)
    if bias is not None:
        accumulators = as_int32(accumulators + bias[0].reshape(-1))
    output = node.quantization(node.output)
    multipliers, shifts = fully_connected_multipliers(
        x_quantization, weights_quantization, output, weights.shape[0], node.runtime
    )
    multiply = multiply_rounding_once if node.runtime is Runtime.LITERT else multiply_by_quantized_multiplier
    values = clamp_to_int8(multiply(accumulators, multipliers, shifts), output, attributes.activation)
    return values.reshape(x.shape[0], *node.output.shape)


def _check(op: Op, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor], where: str) -> None:
    """The bias has the scale of the accumulator. Both runtimes ask for that here and not in convolutions."""
    check_weights(op, inputs, outputs, where)
    if len(inputs) < 3 or inputs[2] is None:
        return
    x, weights, bias, output = (None if tensor is None else tensor.quantization for tensor in (*inputs[:3], outputs[0]))
    if x is None or weights is None or bias is None or output is None or weights.per_channel or bias.per_channel:
        return
    # kernel_util.cc, GetQuantizedConvolutionMultipler: within 2 % of an output step.
    if not abs(x.scale * weights.scale - bias.scale) <= 0.02 * output.scale:
        raise GraphError(
            f"{where}: the bias has scale {bias.scale:g}, input and weights have {x.scale:g} * {weights.scale:g}: "
            "quantize the model again"
        )


SPECS = (
    OpSpec(
        name="FULLY_CONNECTED",
        description="product with a matrix of weights",
        support="int8; one scale or one per channel",
        attributes=FullyConnectedAttributes,
        shapes=_shape,
        reference=_reference,
        inputs=(2, 3),
        macs=macs_of_taps(1),
        # Beyond this shift, outputs of sums of no more than two bytes leave int32, and runtimes differ.
        weights=Weights(
            channel_axis=0,
            scale_per_channel=False,
            multipliers=fully_connected_multipliers,
            largest_shift=15,
            rounds_once=True,
            may_have_zero_point=True,
        ),
        check=_check,
        rescaling=rescale_weights,
    ),
)
