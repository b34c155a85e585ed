"""Operators in the file: builtin codes, options, constants that are attributes here, and versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from tinynas.graph import (
    Activation,
    Attributes,
    ConcatenationAttributes,
    Conv2DAttributes,
    DepthwiseConv2DAttributes,
    DequantizeAttributes,
    DType,
    ElementwiseAttributes,
    FullyConnectedAttributes,
    Graph,
    MeanAttributes,
    Op,
    OpKind,
    PadAttributes,
    Padding,
    Pool2DAttributes,
    QuantizeAttributes,
    ReshapeAttributes,
    ResizeNearestNeighborAttributes,
    SoftmaxAttributes,
    TransposeAttributes,
)

BUILTIN_CODES: dict[OpKind, int] = {kind: getattr(schema.BuiltinOperator, kind.value) for kind in OpKind}
KIND_OF_CODE: dict[int, OpKind] = {code: kind for kind, code in BUILTIN_CODES.items()}
NAME_OF_CODE: dict[int, str] = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}

OPTIONS_NAMES: dict[OpKind, str] = {
    OpKind.CONV_2D: "Conv2DOptions",
    OpKind.DEPTHWISE_CONV_2D: "DepthwiseConv2DOptions",
    OpKind.FULLY_CONNECTED: "FullyConnectedOptions",
    OpKind.AVERAGE_POOL_2D: "Pool2DOptions",
    OpKind.MAX_POOL_2D: "Pool2DOptions",
    OpKind.ADD: "AddOptions",
    OpKind.MUL: "MulOptions",
    OpKind.CONCATENATION: "ConcatenationOptions",
    OpKind.PAD: "PadOptions",
    OpKind.MEAN: "ReducerOptions",
    OpKind.SOFTMAX: "SoftmaxOptions",
    OpKind.RESHAPE: "ReshapeOptions",
    OpKind.QUANTIZE: "QuantizeOptions",
    OpKind.DEQUANTIZE: "DequantizeOptions",
    OpKind.RESIZE_NEAREST_NEIGHBOR: "ResizeNearestNeighborOptions",
    OpKind.TRANSPOSE: "TransposeOptions",
}

CONSTANT_INPUT: dict[OpKind, str] = {
    OpKind.PAD: "paddings",
    OpKind.MEAN: "axes",
    OpKind.RESHAPE: "shape",
    OpKind.RESIZE_NEAREST_NEIGHBOR: "size",
    OpKind.TRANSPOSE: "permutation",
}
"""Operators whose second input is a constant in the file and an attribute here, and what it holds."""

_PADDINGS = {0: Padding.SAME, 1: Padding.VALID}
_ACTIVATIONS = {0: Activation.NONE, 1: Activation.RELU, 2: Activation.RELU_N1_TO_1, 3: Activation.RELU6}
_PADDING_CODES = {padding: code for code, padding in _PADDINGS.items()}
_ACTIVATION_CODES = {activation: code for code, activation in _ACTIVATIONS.items()}

Integers = npt.NDArray[np.int64]


def read_attributes(
    kind: OpKind, options: Any, constant: Integers, input_rank: int, output_shape: tuple[int, ...]
) -> Attributes:
    """Attributes from the options object and the constant input (`CONSTANT_INPUT`; empty for other kinds).

    Raises:
        ValueError: The options hold something unsupported; the message says what.
    """
    return _READERS[kind](options, constant, input_rank, output_shape)


def _activation(options: Any) -> Activation:
    code = options.fusedActivationFunction
    if code not in _ACTIVATIONS:
        names = {v: k for k, v in vars(schema.ActivationFunctionType).items() if not k.startswith("_")}
        raise ValueError(f"the fused activation {names.get(code, code)} is not supported; use RELU, RELU6 or none")
    return _ACTIVATIONS[code]


def _padding(options: Any) -> Padding:
    if options.padding not in _PADDINGS:
        raise ValueError(f"padding code {options.padding} is neither SAME nor VALID")
    return _PADDINGS[options.padding]


def _axis(axis: int, rank: int) -> int:
    return axis + rank if axis < 0 else axis


def _read_conv_2d(options: Any, constant: Integers, rank: int, shape: tuple[int, ...]) -> Attributes:
    return Conv2DAttributes(
        (options.strideH, options.strideW),
        _padding(options),
        (options.dilationHFactor, options.dilationWFactor),
        _activation(options),
    )


def _read_depthwise_conv_2d(options: Any, constant: Integers, rank: int, shape: tuple[int, ...]) -> Attributes:
    return DepthwiseConv2DAttributes(
        (options.strideH, options.strideW),
        _padding(options),
        (options.dilationHFactor, options.dilationWFactor),
        options.depthMultiplier,
        _activation(options),
    )


def _read_fully_connected(options: Any, constant: Integers, rank: int, shape: tuple[int, ...]) -> Attributes:
    if options.weightsFormat:
        raise ValueError("shuffled weights are not supported")
    return FullyConnectedAttributes(_activation(options), bool(options.keepNumDims))


def _read_pool_2d(options: Any, constant: Integers, rank: int, shape: tuple[int, ...]) -> Attributes:
    return Pool2DAttributes(
        (options.filterHeight, options.filterWidth),
        (options.strideH, options.strideW),
        _padding(options),
        _activation(options),
    )


def _read_elementwise(options: Any, constant: Integers, rank: int, shape: tuple[int, ...]) -> Attributes:
    return ElementwiseAttributes(_activation(options))


def _read_concatenation(options: Any, constant: Integers, rank: int, shape: tuple[int, ...]) -> Attributes:
    return ConcatenationAttributes(_axis(options.axis, rank), _activation(options))


def _read_pad(options: Any, constant: Integers, rank: int, shape: tuple[int, ...]) -> Attributes:
    if constant.shape != (rank, 2):
        raise ValueError(f"paddings are {list(constant.shape)}, expected [{rank}, 2]")
    return PadAttributes(tuple((int(before), int(after)) for before, after in constant))


def _read_mean(options: Any, constant: Integers, rank: int, shape: tuple[int, ...]) -> Attributes:
    axes = sorted({_axis(int(axis), rank) for axis in constant.reshape(-1)})
    return MeanAttributes(tuple(axes), bool(options.keepDims))


def _read_softmax(options: Any, constant: Integers, rank: int, shape: tuple[int, ...]) -> Attributes:
    if not 0 < options.beta < float("inf"):
        raise ValueError(f"beta is {options.beta}, expected a positive number")
    return SoftmaxAttributes(options.beta)


def _read_reshape(options: Any, constant: Integers, rank: int, shape: tuple[int, ...]) -> Attributes:
    # The constant may hold -1; the output tensor has the resolved shape.
    return ReshapeAttributes(shape)


def _read_quantize(options: Any, constant: Integers, rank: int, shape: tuple[int, ...]) -> Attributes:
    return QuantizeAttributes()


def _read_dequantize(options: Any, constant: Integers, rank: int, shape: tuple[int, ...]) -> Attributes:
    return DequantizeAttributes()


def _read_resize(options: Any, constant: Integers, rank: int, shape: tuple[int, ...]) -> Attributes:
    if constant.shape != (2,):
        raise ValueError(f"the size is {list(constant.shape)}, expected [2]")
    height, width = (int(size) for size in constant)
    return ResizeNearestNeighborAttributes((height, width), bool(options.alignCorners), bool(options.halfPixelCenters))


def _read_transpose(options: Any, constant: Integers, rank: int, shape: tuple[int, ...]) -> Attributes:
    return TransposeAttributes(tuple(_axis(int(axis), rank) for axis in constant.reshape(-1)))


_READERS: dict[OpKind, Callable[[Any, Integers, int, tuple[int, ...]], Attributes]] = {
    OpKind.CONV_2D: _read_conv_2d,
    OpKind.DEPTHWISE_CONV_2D: _read_depthwise_conv_2d,
    OpKind.FULLY_CONNECTED: _read_fully_connected,
    OpKind.AVERAGE_POOL_2D: _read_pool_2d,
    OpKind.MAX_POOL_2D: _read_pool_2d,
    OpKind.ADD: _read_elementwise,
    OpKind.MUL: _read_elementwise,
    OpKind.CONCATENATION: _read_concatenation,
    OpKind.PAD: _read_pad,
    OpKind.MEAN: _read_mean,
    OpKind.SOFTMAX: _read_softmax,
    OpKind.RESHAPE: _read_reshape,
    OpKind.QUANTIZE: _read_quantize,
    OpKind.DEQUANTIZE: _read_dequantize,
    OpKind.RESIZE_NEAREST_NEIGHBOR: _read_resize,
    OpKind.TRANSPOSE: _read_transpose,
}


def write_options(op: Op) -> Any:
    """The options object of `op`."""
    options = getattr(schema, OPTIONS_NAMES[op.kind] + "T")()
    a = op.attributes
    if isinstance(a, Conv2DAttributes | DepthwiseConv2DAttributes | Pool2DAttributes):
        options.strideH, options.strideW = a.stride
        options.padding = _PADDING_CODES[a.padding]
    if isinstance(a, Conv2DAttributes | DepthwiseConv2DAttributes):
        options.dilationHFactor, options.dilationWFactor = a.dilation
    if isinstance(
        a,
        Conv2DAttributes
        | DepthwiseConv2DAttributes
        | Pool2DAttributes
        | FullyConnectedAttributes
        | ElementwiseAttributes
        | ConcatenationAttributes,
    ):
        options.fusedActivationFunction = _ACTIVATION_CODES[a.activation]
    if isinstance(a, DepthwiseConv2DAttributes):
        options.depthMultiplier = a.depth_multiplier
    elif isinstance(a, Pool2DAttributes):
        options.filterHeight, options.filterWidth = a.filter_size
    elif isinstance(a, FullyConnectedAttributes):
        options.keepNumDims = a.keep_num_dims
    elif isinstance(a, ConcatenationAttributes):
        options.axis = a.axis
    elif isinstance(a, MeanAttributes):
        options.keepDims = a.keep_dims
    elif isinstance(a, SoftmaxAttributes):
        options.beta = a.beta
    elif isinstance(a, ReshapeAttributes):
        options.newShape = list(a.shape)
    elif isinstance(a, ResizeNearestNeighborAttributes):
        options.alignCorners, options.halfPixelCenters = a.align_corners, a.half_pixel_centers
    return options


def write_constant(op: Op) -> npt.NDArray[np.int32] | None:
    """The constant second input of `op` in the file, or None."""
    a = op.attributes
    if isinstance(a, PadAttributes):
        return np.array(a.paddings, np.int32).reshape(-1, 2)
    if isinstance(a, MeanAttributes):
        return np.array(a.axes, np.int32)
    if isinstance(a, ReshapeAttributes):
        return np.array(a.shape, np.int32)
    if isinstance(a, ResizeNearestNeighborAttributes):
        return np.array(a.size, np.int32)
    if isinstance(a, TransposeAttributes):
        return np.array(a.permutation, np.int32)
    return None


def operator_version(graph: Graph, op: Op) -> int:
    """The version that TFLite's converter would write (tflite/tools/versioning/op_version.cc)."""
    is_int8 = DType.INT8 in (graph.tensors[op.inputs[0]].dtype, graph.tensors[op.outputs[0]].dtype)
    a = op.attributes
    if isinstance(a, Conv2DAttributes):
        grouped = graph.tensors[op.inputs[0]].shape[3] != graph.tensors[op.inputs[1]].shape[3]
        return 6 if grouped else 3 if is_int8 else 1
    if isinstance(a, DepthwiseConv2DAttributes):
        return 3 if is_int8 else 2 if a.dilation != (1, 1) else 1
    if isinstance(a, FullyConnectedAttributes):
        weights = graph.tensors[op.inputs[1]].quantization
        per_channel = weights is not None and weights.per_channel
        has_bias = len(op.inputs) > 2 and op.inputs[2] >= 0
        return 12 if per_channel else 6 if not has_bias else 5 if a.keep_num_dims else 4 if is_int8 else 1
    if isinstance(a, ResizeNearestNeighborAttributes) and (a.align_corners or a.half_pixel_centers):
        return 3
    if op.kind in (OpKind.RESHAPE, OpKind.QUANTIZE):
        return 1
    return 2 if is_int8 else 1
