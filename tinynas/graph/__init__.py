"""The network as data: tensors, operators, shapes, counting, and the integer reference executor."""

from tinynas.graph._attributes import Activation, Attributes, Padding
from tinynas.graph._builder import GraphBuilder
from tinynas.graph._counting import count_macs, count_params, op_macs
from tinynas.graph._dead_operators import without_dead_operators
from tinynas.graph._errors import GraphError
from tinynas.graph._graph import Graph, sliding_window
from tinynas.graph._names import short_name
from tinynas.graph._operator import (
    Op,
    OpKind,
    OpSpec,
    Rewritten,
    Weights,
    Window,
    is_operator,
    list_operators,
    register_operator,
    without_activation,
)
from tinynas.graph._quantization_groups import quantization_groups
from tinynas.graph._shapes import infer_shape, infer_shapes
from tinynas.graph._tensor import DType, Quantization, Tensor
from tinynas.graph._validation import validate
from tinynas.graph._windows import window_output_size, window_padding
from tinynas.graph.fixed_point import Runtime
from tinynas.graph.ops import OWN_KINDS, REWRITTEN
from tinynas.graph.ops.concatenation import ConcatenationAttributes
from tinynas.graph.ops.conv_2d import Conv2DAttributes
from tinynas.graph.ops.depthwise_conv_2d import DepthwiseConv2DAttributes
from tinynas.graph.ops.dequantize import DequantizeAttributes
from tinynas.graph.ops.elementwise import ElementwiseAttributes
from tinynas.graph.ops.expand_dims import ExpandDimsAttributes
from tinynas.graph.ops.fully_connected import FullyConnectedAttributes
from tinynas.graph.ops.mean import MeanAttributes
from tinynas.graph.ops.pack import PackAttributes
from tinynas.graph.ops.pad import PadAttributes
from tinynas.graph.ops.pool_2d import Pool2DAttributes
from tinynas.graph.ops.quantize import QuantizeAttributes
from tinynas.graph.ops.reshape import ReshapeAttributes
from tinynas.graph.ops.resize_nearest_neighbor import ResizeNearestNeighborAttributes
from tinynas.graph.ops.shape import ShapeAttributes
from tinynas.graph.ops.softmax import SoftmaxAttributes
from tinynas.graph.ops.squeeze import SqueezeAttributes
from tinynas.graph.ops.strided_slice import StridedSliceAttributes
from tinynas.graph.ops.transpose import TransposeAttributes
from tinynas.graph.ops.unary import LeakyReluAttributes, UnaryAttributes, by_table
from tinynas.graph.passes import simplified
from tinynas.graph.reference import execute

__all__ = [
    "OWN_KINDS",
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
    "LeakyReluAttributes",
    "MeanAttributes",
    "Op",
    "OpKind",
    "OpSpec",
    "PackAttributes",
    "PadAttributes",
    "Padding",
    "Pool2DAttributes",
    "Quantization",
    "QuantizeAttributes",
    "ReshapeAttributes",
    "ResizeNearestNeighborAttributes",
    "Rewritten",
    "Runtime",
    "ShapeAttributes",
    "SoftmaxAttributes",
    "SqueezeAttributes",
    "StridedSliceAttributes",
    "Tensor",
    "TransposeAttributes",
    "UnaryAttributes",
    "Weights",
    "Window",
    "by_table",
    "count_macs",
    "count_params",
    "execute",
    "infer_shape",
    "infer_shapes",
    "is_operator",
    "list_operators",
    "op_macs",
    "quantization_groups",
    "register_operator",
    "short_name",
    "simplified",
    "sliding_window",
    "validate",
    "window_output_size",
    "window_padding",
    "without_activation",
    "without_dead_operators",
]
