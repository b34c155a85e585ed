"""The weights, biases and scales of a call, as the kernels want them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinynas.graph import Quantization, Tensor, Weights
from tinynas.kernels._errors import MissingConstantsError, UnsupportedGraphError
from tinynas.kernels._kernel import KernelCall

Int32Array = npt.NDArray[np.int32]

SMALLEST_WEIGHT = -128
"""Symmetric quantizers do not give it: products of two such weights side by side may not fit a halfword."""


def data_of(tensor: Tensor) -> npt.NDArray[np.generic]:
    """The data of a constant, or `MissingConstantsError`."""
    if tensor.data is None:
        raise MissingConstantsError(
            f"constant {tensor.name!r} has no data: code can be generated from trained graphs only"
        )
    return tensor.data


def quantization_of(tensor: Tensor) -> Quantization:
    """The quantization of a tensor, or `MissingConstantsError`."""
    if tensor.quantization is None:
        raise MissingConstantsError(f"tensor {tensor.name!r} has no quantization: quantize the graph first")
    return tensor.quantization


def require_symmetric_weights(call: KernelCall) -> None:
    """Refuse weights that no kernel executes; those of a skeleton have no quantization yet.

    Raises:
        UnsupportedGraphError: A zero point is not 0.
    """
    if call.weights.quantization is not None and any(call.weights.quantization.zero_points):
        raise UnsupportedGraphError(
            f"{call.op.kind} {call.op.name!r}: weights with a zero point other than 0; TFLite's int8 specification "
            "wants symmetric weights: convert the model again"
        )


def weights_of(call: KernelCall) -> npt.NDArray[np.generic]:
    """The weights of a call, which must be symmetric."""
    require_symmetric_weights(call)
    return data_of(call.weights)


def by_output(call: KernelCall) -> npt.NDArray[np.generic]:
    """The weights with the output channel first; those of a depthwise convolution have it last."""
    return np.moveaxis(weights_of(call), rules_of(call).channel_axis, 0)


def rules_of(call: KernelCall) -> Weights:
    """The rules for the weights of a call that has some."""
    assert call.op.weights is not None, "only called for operators with weights"
    return call.op.weights


def bias_of(call: KernelCall, outputs: int) -> Int32Array:
    """The bias of each output; zeros where there is none."""
    inputs = call.op.inputs
    if len(inputs) < 3 or inputs[2] < 0:
        return np.zeros(outputs, np.int32)
    data: Int32Array = data_of(call.graph.tensors[inputs[2]]).reshape(-1).astype(np.int32)
    return data


def folded_bias(call: KernelCall, outputs: int) -> Int32Array:
    """The bias minus the input's zero point times the sum of the weights.

    Sound where every tap is multiplied, padding included: padding holds the zero point.
    """
    sums = by_output(call).reshape(outputs, -1).astype(np.int64).sum(axis=1)
    exact = bias_of(call, outputs).astype(np.int64) - quantization_of(call.input).zero_point * sums
    folded: Int32Array = exact.astype(np.int32)
    if np.any(folded != exact):
        raise UnsupportedGraphError(f"{call.op.kind} {call.op.name!r}: a bias overflows int32")
    return folded


def multipliers(call: KernelCall, outputs: int) -> tuple[Int32Array, Int32Array]:
    """Multiplier and shift of each output."""
    x, w, output = map(quantization_of, (call.input, call.weights, call.output))
    multiplier, shift = rules_of(call).multipliers(x, w, output, outputs)
    return multiplier, shift
