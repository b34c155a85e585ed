"""The network as data: tensors, operators, shapes, counting, and the integer reference executor."""

from tinynas.graph._builder import GraphBuilder
from tinynas.graph._counting import count_macs, count_params, op_macs
from tinynas.graph._dead_operators import without_dead_operators
from tinynas.graph._graph import Graph, GraphError
from tinynas.graph._names import short_name
from tinynas.graph._ops import (
    ATTRIBUTES_OF,
    REWRITTEN,
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
    Op,
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
from tinynas.graph._quantization_groups import MOVES_VALUES, quantization_groups
from tinynas.graph._shapes import infer_shape, window_output_size, window_padding
from tinynas.graph._tensor import DType, Quantization, Tensor
from tinynas.graph._validation import validate
from tinynas.graph.fixed_point import Runtime
from tinynas.graph.passes import simplified
from tinynas.graph.reference import execute

__all__ = [
    "ATTRIBUTES_OF",
    "MOVES_VALUES",
    "REWRITTEN",
    "Activation",
    "Attributes",
    "ConcatenationAttributes",
    "Conv2DAttributes",
    "DType",
    "DepthwiseConv2DAttributes",
    "DequantizeAttributes",
    "ElementwiseAttributes",
    "ExpandDimsAttributes",
    "FullyConnectedAttributes",
    "Graph",
    "GraphBuilder",
    "GraphError",
    "MeanAttributes",
    "Op",
    "OpKind",
    "PackAttributes",
    "PadAttributes",
    "Padding",
    "Pool2DAttributes",
    "Quantization",
    "QuantizeAttributes",
    "ReshapeAttributes",
    "ResizeNearestNeighborAttributes",
    "Runtime",
    "ShapeAttributes",
    "SoftmaxAttributes",
    "SqueezeAttributes",
    "StridedSliceAttributes",
    "Tensor",
    "TransposeAttributes",
    "count_macs",
    "count_params",
    "execute",
    "infer_shape",
    "op_macs",
    "quantization_groups",
    "short_name",
    "simplified",
    "validate",
    "window_output_size",
    "window_padding",
    "without_dead_operators",
]
