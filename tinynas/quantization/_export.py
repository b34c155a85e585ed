"""From float weights and the scales of a calibration to the int8 graph that is deployed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinynas.errors import UsageError
from tinynas.graph import DType, Graph, Quantization, Tensor, validate
from tinynas.quantization._calibration import Calibration


def quantize(graph: Graph, calibration: Calibration) -> Graph:
    """Quantize a float32 graph to int8, int8 in and out, without any QUANTIZE, PAD or TRANSPOSE operator added.

    Weights are symmetric in [-127, 127] (per channel for convolutions, per tensor for FULLY_CONNECTED), biases int32
    with scale input scale * weight scale as a float32 product.

    Args:
        graph: float32, with weights: the graph that was calibrated, or one whose weights changed a little since.
        calibration: from `calibrate`.

    Raises:
        UsageError: a constant has no data, a tensor no quantization, or a constant feeds an operator without weights.
    """
    replaced: dict[int, Tensor] = {}
    for op in graph.ops:
        if op.weights is None:
            continue
        quantization = _calibrated(graph, calibration, op.inputs[1])
        replaced[op.inputs[1]] = _rounded(graph, op.inputs[1], quantization)
        if len(op.inputs) > 2 and op.inputs[2] >= 0:
            input_scale = _calibrated(graph, calibration, op.inputs[0]).scale
            replaced[op.inputs[2]] = _rounded_bias(graph, op.inputs[2], input_scale, quantization)
    tensors = []
    for i, tensor in enumerate(graph.tensors):
        if i in replaced:
            tensors.append(replaced[i])
        elif tensor.constant:
            raise UsageError(f"constant {tensor.name!r} belongs to no convolution or linear layer: it has no int8 form")
        else:
            tensors.append(replace(tensor, dtype=DType.INT8, quantization=_calibrated(graph, calibration, i)))
    result = replace(graph, tensors=tuple(tensors))
    validate(result)
    return result


def _rounded(graph: Graph, index: int, quantization: Quantization) -> Tensor:
    weights = _float_data(graph, index)
    shape = [1] * weights.ndim
    if quantization.per_channel:
        shape[quantization.axis] = -1
    scales = np.array(quantization.scales, np.float32).reshape(shape)
    codes = np.clip(np.rint(weights / scales), -127, 127).astype(np.int8)
    return replace(graph.tensor(index), dtype=DType.INT8, quantization=quantization, data=codes)


def _rounded_bias(graph: Graph, index: int, input_scale: float, weights: Quantization) -> Tensor:
    scales = np.float32(input_scale) * np.array(weights.scales, np.float32)
    limits = np.iinfo(np.int32)
    units = np.rint(_float_data(graph, index).astype(np.float64) / scales.astype(np.float64))
    return replace(
        graph.tensor(index),
        dtype=DType.INT32,
        quantization=Quantization(tuple(float(s) for s in scales), (0,) * len(scales)),
        data=np.clip(units, limits.min, limits.max).astype(np.int32),
    )


def _float_data(graph: Graph, index: int) -> npt.NDArray[np.float32]:
    tensor = graph.tensor(index)
    if tensor.data is None or tensor.dtype is not DType.FLOAT32:
        raise UsageError(f"constant {tensor.name!r} has no float32 data to quantize")
    return tensor.data.astype(np.float32)


def _calibrated(graph: Graph, calibration: Calibration, index: int) -> Quantization:
    try:
        return calibration[index]
    except KeyError:
        raise UsageError(f"tensor {graph.tensor(index).name!r} was not calibrated") from None
