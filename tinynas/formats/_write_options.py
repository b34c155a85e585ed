"""Options and constant inputs in the file from the attributes of operators, and the operators' versions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from tinynas.formats._operators import ACTIVATIONS, OPTIONS_NAMES, PADDINGS
from tinynas.graph import (
    REWRITTEN,
    ConcatenationAttributes,
    Conv2DAttributes,
    DepthwiseConv2DAttributes,
    DType,
    ElementwiseAttributes,
    ExpandDimsAttributes,
    FullyConnectedAttributes,
    Graph,
    MeanAttributes,
    Op,
    OpKind,
    PackAttributes,
    PadAttributes,
    Pool2DAttributes,
    ReshapeAttributes,
    ResizeNearestNeighborAttributes,
    ShapeAttributes,
    SoftmaxAttributes,
    SqueezeAttributes,
    StridedSliceAttributes,
    TransposeAttributes,
)

_PADDINGS = {padding: code for code, padding in PADDINGS.items()}
_ACTIVATIONS = {activation: code for code, activation in ACTIVATIONS.items()}


def write_options(op: Op) -> Any:
    """The options object of `op`."""
    options = getattr(schema, OPTIONS_NAMES[op.kind] + "T")()
    a = op.attributes
    if isinstance(a, Conv2DAttributes | DepthwiseConv2DAttributes | Pool2DAttributes):
        options.strideH, options.strideW = a.stride
        options.padding = _PADDINGS[a.padding]
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
        options.fusedActivationFunction = _ACTIVATIONS[a.activation]
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
    elif isinstance(a, SqueezeAttributes):
        options.squeezeDims = list(a.axes)
    elif isinstance(a, ShapeAttributes):
        options.outType = schema.TensorType.INT32
    elif isinstance(a, StridedSliceAttributes):
        options.beginMask, options.endMask, options.shrinkAxisMask = a.begin_mask, a.end_mask, a.shrink_axis_mask
    elif isinstance(a, PackAttributes):
        options.axis, options.valuesCount = a.axis, len(op.inputs)
    return options


def write_constants(op: Op) -> tuple[npt.NDArray[np.int32], ...]:
    """The constant inputs of `op` in the file (`CONSTANT_INPUTS`); none where the graph has them as inputs."""
    a = op.attributes
    values: tuple[object, ...] = ()
    if isinstance(a, PadAttributes):
        values = (np.reshape(a.paddings, (-1, 2)),)
    elif isinstance(a, MeanAttributes):
        values = (a.axes,)
    elif isinstance(a, ReshapeAttributes):
        values = (a.shape,) if len(op.inputs) == 1 else ()
    elif isinstance(a, ResizeNearestNeighborAttributes):
        values = (a.size,)
    elif isinstance(a, TransposeAttributes):
        values = (a.permutation,)
    elif isinstance(a, ExpandDimsAttributes):
        values = (a.axis,)
    elif isinstance(a, StridedSliceAttributes):
        values = (a.begin, a.end, a.strides)
    return tuple(np.array(value, np.int32) for value in values)


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
    if op.kind in (OpKind.RESHAPE, OpKind.QUANTIZE) or op.kind in REWRITTEN:
        return 1
    return 2 if is_int8 else 1
