"""From float weights and activation scales to the int8 graph that is deployed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinynas.errors import UsageError
from tinynas.graph import DType, Graph, Op, OpKind, Quantization, Tensor, validate
from tinynas.quantization._calibration import ActivationQuantization
from tinynas.quantization._parameters import weight_axis, weight_scales

_WEIGHTED = frozenset({OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED})


def quantize_weights(
    op: Op, weights: npt.NDArray[np.float32], bias: npt.NDArray[np.float32] | None, input_scale: float
) -> tuple[npt.NDArray[np.int8], Quantization]:
    """Round weights to int8 in [-127, 127], symmetric, per output channel except in FULLY_CONNECTED."""
    scales = weight_scales(op, weights, bias, input_scale)
    axis = weight_axis(op)
    shape = [1] * weights.ndim
    if axis is not None:
        shape[axis] = -1
    rounded = np.clip(np.rint(weights / scales.reshape(shape)), -127, 127).astype(np.int8)
    return rounded, Quantization(tuple(float(s) for s in scales), (0,) * len(scales), axis or 0)


def quantize(graph: Graph, activations: ActivationQuantization) -> Graph:
    """Quantize a float32 graph to int8, int8 in and out, without any QUANTIZE, PAD or TRANSPOSE operator added.

    Weights are symmetric (per channel for convolutions, per tensor for FULLY_CONNECTED), biases int32 with scale
    input scale * weight scale as a float32 product, activations as `activations` says.

    Args:
        graph: float32, with weights.
        activations: from `calibrate`.

    Raises:
        UsageError: a constant has no data, an activation no quantization, or a constant feeds an operator without
            weights.
    """
    replaced: dict[int, Tensor] = {}
    for op in graph.ops:
        if op.kind not in _WEIGHTED:
            continue
        weights = _float_data(graph, op.inputs[1])
        bias = _float_data(graph, op.inputs[2]) if len(op.inputs) > 2 and op.inputs[2] >= 0 else None
        input_scale = _activation(graph, activations, op.inputs[0]).scale
        rounded, quantization = quantize_weights(op, weights, bias, input_scale)
        replaced[op.inputs[1]] = replace(
            graph.tensor(op.inputs[1]), dtype=DType.INT8, quantization=quantization, data=rounded
        )
        if bias is not None:
            scales = np.float32(input_scale) * np.array(quantization.scales, np.float32)
            limits = np.iinfo(np.int32)
            units = np.clip(np.rint(bias.astype(np.float64) / scales.astype(np.float64)), limits.min, limits.max)
            replaced[op.inputs[2]] = replace(
                graph.tensor(op.inputs[2]),
                dtype=DType.INT32,
                quantization=Quantization(tuple(float(s) for s in scales), (0,) * len(scales)),
                data=units.astype(np.int32),
            )
    tensors = []
    for i, tensor in enumerate(graph.tensors):
        if i in replaced:
            tensors.append(replaced[i])
        elif tensor.constant:
            raise UsageError(f"constant {tensor.name!r} belongs to no convolution or linear layer: it has no int8 form")
        else:
            tensors.append(replace(tensor, dtype=DType.INT8, quantization=_activation(graph, activations, i)))
    result = replace(graph, tensors=tuple(tensors))
    validate(result)
    return result


def _float_data(graph: Graph, index: int) -> npt.NDArray[np.float32]:
    tensor = graph.tensor(index)
    if tensor.data is None or tensor.dtype is not DType.FLOAT32:
        raise UsageError(f"constant {tensor.name!r} has no float32 data to quantize")
    return tensor.data.astype(np.float32)


def _activation(graph: Graph, activations: ActivationQuantization, index: int) -> Quantization:
    try:
        return activations[index]
    except KeyError:
        raise UsageError(f"tensor {graph.tensor(index).name!r} was not calibrated") from None
