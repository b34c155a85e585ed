"""Attributes of operators from their options and constant inputs in the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from tinynas.formats._operators import ACTIVATIONS, PADDINGS
from tinynas.graph import (
    Activation,
    Attributes,
    ConcatenationAttributes,
    Conv2DAttributes,
    DepthwiseConv2DAttributes,
    DequantizeAttributes,
    ElementwiseAttributes,
    ExpandDimsAttributes,
    FullyConnectedAttributes,
    MeanAttributes,
    OpKind,
    PackAttributes,
    PadAttributes,
    Padding,
    Pool2DAttributes,
    QuantizeAttributes,
    ReshapeAttributes,
    ResizeNearestNeighborAttributes,
    ShapeAttributes,
    SoftmaxAttributes,
    SqueezeAttributes,
    StridedSliceAttributes,
    TransposeAttributes,
)

Constants = Sequence[npt.NDArray[np.int64]]


def read_attributes(
    kind: OpKind, options: Any, constants: Constants, input_rank: int, output_shape: tuple[int, ...]
) -> Attributes:
    """Attributes from the options object and the constant inputs (`CONSTANT_INPUTS`; none for other kinds).

    Raises:
        ValueError: The options hold something unsupported; the message says what.
    """
    return _READERS[kind](options, constants, input_rank, output_shape)


def _activation(options: Any) -> Activation:
    code = options.fusedActivationFunction
    if code not in ACTIVATIONS:
        names = {v: k for k, v in vars(schema.ActivationFunctionType).items() if not k.startswith("_")}
        raise ValueError(f"the fused activation {names.get(code, code)} is not supported; use RELU, RELU6 or none")
    return ACTIVATIONS[code]


def _padding(options: Any) -> Padding:
    if options.padding not in PADDINGS:
        raise ValueError(f"padding code {options.padding} is neither SAME nor VALID")
    return PADDINGS[options.padding]


def _axis(axis: int, rank: int) -> int:
    return axis + rank if axis < 0 else axis


def _read_conv_2d(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    return Conv2DAttributes(
        (options.strideH, options.strideW),
        _padding(options),
        (options.dilationHFactor, options.dilationWFactor),
        _activation(options),
    )


def _read_depthwise_conv_2d(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    return DepthwiseConv2DAttributes(
        (options.strideH, options.strideW),
        _padding(options),
        (options.dilationHFactor, options.dilationWFactor),
        options.depthMultiplier,
        _activation(options),
    )


def _read_fully_connected(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    if options.weightsFormat:
        raise ValueError("shuffled weights are not supported")
    return FullyConnectedAttributes(_activation(options), bool(options.keepNumDims))


def _read_pool_2d(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    return Pool2DAttributes(
        (options.filterHeight, options.filterWidth),
        (options.strideH, options.strideW),
        _padding(options),
        _activation(options),
    )


def _read_elementwise(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    return ElementwiseAttributes(_activation(options))


def _read_concatenation(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    return ConcatenationAttributes(_axis(options.axis, rank), _activation(options))


def _read_pad(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    (paddings,) = constants
    if paddings.shape != (rank, 2):
        raise ValueError(f"paddings are {list(paddings.shape)}, expected [{rank}, 2]")
    return PadAttributes(tuple((int(before), int(after)) for before, after in paddings))


def _read_mean(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    axes = sorted({_axis(int(axis), rank) for axis in constants[0].reshape(-1)})
    return MeanAttributes(tuple(axes), bool(options.keepDims))


def _read_softmax(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    if not 0 < options.beta < float("inf"):
        raise ValueError(f"beta is {options.beta}, expected a positive number")
    return SoftmaxAttributes(options.beta)


def _read_reshape(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    # The constant may hold -1; the output tensor has the resolved shape.
    return ReshapeAttributes(shape)


def _read_quantize(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    return QuantizeAttributes()


def _read_dequantize(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    return DequantizeAttributes()


def _read_resize(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    if constants[0].shape != (2,):
        raise ValueError(f"the size is {list(constants[0].shape)}, expected [2]")
    height, width = (int(size) for size in constants[0])
    return ResizeNearestNeighborAttributes((height, width), bool(options.alignCorners), bool(options.halfPixelCenters))


def _read_transpose(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    return TransposeAttributes(tuple(_axis(int(axis), rank) for axis in constants[0].reshape(-1)))


def _read_expand_dims(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    if constants[0].size != 1:
        raise ValueError(f"the axis is {list(constants[0].shape)}, expected one number")
    return ExpandDimsAttributes(_axis(int(constants[0].reshape(-1)[0]), rank + 1))


def _read_squeeze(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    dims = [] if options.squeezeDims is None else options.squeezeDims
    return SqueezeAttributes(tuple(sorted({_axis(int(axis), rank) for axis in dims})))


def _read_shape(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    return ShapeAttributes()


def _read_strided_slice(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    if options.ellipsisMask or options.newAxisMask or options.offset:
        raise ValueError("an ellipsis, a new axis or an offset is not supported")
    begin, end, strides = (tuple(int(value) for value in constant.reshape(-1)) for constant in constants)
    if not len(begin) == len(end) == len(strides) <= rank:
        raise ValueError(f"begin, end and strides have {len(begin)}, {len(end)} and {len(strides)} of {rank} entries")
    # Dimensions that are not named are taken whole.
    missing = rank - len(begin)
    whole = ((1 << missing) - 1) << len(begin)
    return StridedSliceAttributes(
        begin + (0,) * missing,
        end + (0,) * missing,
        strides + (1,) * missing,
        options.beginMask | whole,
        options.endMask | whole,
        options.shrinkAxisMask & ~whole,
    )


def _read_pack(options: Any, constants: Constants, rank: int, shape: tuple[int, ...]) -> Attributes:
    return PackAttributes(_axis(options.axis, rank + 1))


_READERS: dict[OpKind, Callable[[Any, Constants, int, tuple[int, ...]], Attributes]] = {
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
    OpKind.EXPAND_DIMS: _read_expand_dims,
    OpKind.SQUEEZE: _read_squeeze,
    OpKind.SHAPE: _read_shape,
    OpKind.STRIDED_SLICE: _read_strided_slice,
    OpKind.PACK: _read_pack,
}
