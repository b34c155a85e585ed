"""GraphBuilder: build a graph operator by operator; shapes follow by inference."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinynas.graph._attributes import Activation, Attributes, Padding
from tinynas.graph._errors import GraphError
from tinynas.graph._graph import Graph
from tinynas.graph._operator import Op, OpKind
from tinynas.graph._shapes import infer_shapes
from tinynas.graph._tensor import DType, Tensor
from tinynas.graph._validation import validate
from tinynas.graph.ops.concatenation import ConcatenationAttributes
from tinynas.graph.ops.conv_2d import Conv2DAttributes
from tinynas.graph.ops.depthwise_conv_2d import DepthwiseConv2DAttributes
from tinynas.graph.ops.dequantize import DequantizeAttributes
from tinynas.graph.ops.elementwise import ElementwiseAttributes
from tinynas.graph.ops.fully_connected import FullyConnectedAttributes
from tinynas.graph.ops.mean import MeanAttributes
from tinynas.graph.ops.pad import PadAttributes
from tinynas.graph.ops.pool_2d import Pool2DAttributes
from tinynas.graph.ops.quantize import QuantizeAttributes
from tinynas.graph.ops.reshape import ReshapeAttributes
from tinynas.graph.ops.resize_nearest_neighbor import ResizeNearestNeighborAttributes
from tinynas.graph.ops.softmax import SoftmaxAttributes
from tinynas.graph.ops.transpose import TransposeAttributes

Size = int | tuple[int, int]


class GraphBuilder:
    """Builds a skeleton graph: weights are declared constants without data, quantization is None.

    Each method appends one operator and returns the index of its output tensor. `name` names the operator and its
    output; weights are `<name>/weights` and `<name>/bias`. Operators without weights may go unnamed and are then
    numbered per kind (`add`, `add_1`, ...). Sizes are (height, width); one int means a square.

    Args:
        name: The model's name.
        dtype: FLOAT32 for training, INT8 (int8 activations and weights, int32 biases) for counting and planning.
    """

    def __init__(self, name: str = "model", dtype: DType = DType.FLOAT32) -> None:
        self._name = name
        self._dtype = dtype
        self._tensors: list[Tensor] = []
        self._ops: list[Op] = []
        self._inputs: list[int] = []
        self._names: set[str] = set()

    def input(self, shape: tuple[int, ...], name: str = "input", *, dtype: DType | None = None) -> int:
        """Add a network input, NHWC with the batch dimension first; `dtype` where it differs from the builder's."""
        self._inputs.append(self._tensor(name, tuple(shape), dtype or self._dtype))
        return self._inputs[-1]

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Shape of a tensor built so far."""
        return self._tensors[tensor].shape

    def conv_2d(
        self,
        x: int,
        out_channels: int,
        kernel_size: Size,
        *,
        stride: Size = 1,
        padding: Padding = Padding.SAME,
        groups: int = 1,
        dilation: Size = 1,
        activation: Activation = Activation.NONE,
        bias: bool = True,
        name: str,
    ) -> int:
        """CONV_2D; weights are [out_channels, KH, KW, in_channels / groups].

        Raises:
            GraphError: The groups do not divide the input and output channels, or the window does not fit.
        """
        channels = self._channels(x, name)
        if groups < 1 or channels % groups or out_channels % groups:
            raise GraphError(f"CONV_2D {name!r}: {groups} groups do not divide {channels} -> {out_channels} channels")
        height, width = _pair(kernel_size)
        attributes = Conv2DAttributes(_pair(stride), padding, _pair(dilation), activation)
        return self._weighted(
            OpKind.CONV_2D, x, (out_channels, height, width, channels // groups), out_channels, bias, attributes, name
        )

    def depthwise_conv_2d(
        self,
        x: int,
        kernel_size: Size,
        *,
        stride: Size = 1,
        padding: Padding = Padding.SAME,
        depth_multiplier: int = 1,
        dilation: Size = 1,
        activation: Activation = Activation.NONE,
        bias: bool = True,
        name: str,
    ) -> int:
        """DEPTHWISE_CONV_2D; weights are [1, KH, KW, channels * depth_multiplier]."""
        channels = self._channels(x, name) * depth_multiplier
        height, width = _pair(kernel_size)
        attributes = DepthwiseConv2DAttributes(_pair(stride), padding, _pair(dilation), depth_multiplier, activation)
        return self._weighted(
            OpKind.DEPTHWISE_CONV_2D, x, (1, height, width, channels), channels, bias, attributes, name
        )

    def fully_connected(
        self,
        x: int,
        out_features: int,
        *,
        activation: Activation = Activation.NONE,
        bias: bool = True,
        name: str,
    ) -> int:
        """FULLY_CONNECTED over everything but the batch dimension; the output is [N, out_features]."""
        features = math.prod(self.shape(x)[1:])
        attributes = FullyConnectedAttributes(activation)
        return self._weighted(OpKind.FULLY_CONNECTED, x, (out_features, features), out_features, bias, attributes, name)

    def average_pool_2d(
        self,
        x: int,
        filter_size: Size,
        *,
        stride: Size | None = None,
        padding: Padding = Padding.VALID,
        activation: Activation = Activation.NONE,
        name: str | None = None,
    ) -> int:
        """AVERAGE_POOL_2D; the stride is the filter size unless given. Padding never enters an average."""
        attributes = Pool2DAttributes(
            _pair(filter_size), _pair(filter_size if stride is None else stride), padding, activation
        )
        return self._append(OpKind.AVERAGE_POOL_2D, (x,), attributes, name)

    def max_pool_2d(
        self,
        x: int,
        filter_size: Size,
        *,
        stride: Size | None = None,
        padding: Padding = Padding.VALID,
        activation: Activation = Activation.NONE,
        name: str | None = None,
    ) -> int:
        """MAX_POOL_2D; the stride is the filter size unless given."""
        attributes = Pool2DAttributes(
            _pair(filter_size), _pair(filter_size if stride is None else stride), padding, activation
        )
        return self._append(OpKind.MAX_POOL_2D, (x,), attributes, name)

    def add(self, a: int, b: int, *, activation: Activation = Activation.NONE, name: str | None = None) -> int:
        """ADD of two tensors that broadcast to one shape."""
        return self._append(OpKind.ADD, (a, b), ElementwiseAttributes(activation), name)

    def mul(self, a: int, b: int, *, activation: Activation = Activation.NONE, name: str | None = None) -> int:
        """MUL of two tensors that broadcast to one shape."""
        return self._append(OpKind.MUL, (a, b), ElementwiseAttributes(activation), name)

    def concatenation(self, inputs: Sequence[int], axis: int = 3, *, name: str | None = None) -> int:
        """CONCATENATION along `axis`."""
        return self._append(OpKind.CONCATENATION, tuple(inputs), ConcatenationAttributes(axis), name)

    def pad(self, x: int, paddings: Sequence[tuple[int, int]], *, name: str | None = None) -> int:
        """PAD with zeros (the zero point in an int8 graph); one (before, after) per dimension."""
        return self._append(OpKind.PAD, (x,), PadAttributes(tuple((a, b) for a, b in paddings)), name)

    def mean(self, x: int, axes: Sequence[int] = (1, 2), *, keep_dims: bool = False, name: str | None = None) -> int:
        """MEAN over `axes`."""
        return self._append(OpKind.MEAN, (x,), MeanAttributes(tuple(sorted(axes)), keep_dims), name)

    def softmax(self, x: int, beta: float = 1.0, *, name: str | None = None) -> int:
        """SOFTMAX over the last axis."""
        return self._append(OpKind.SOFTMAX, (x,), SoftmaxAttributes(beta), name)

    def reshape(self, x: int, shape: Sequence[int], *, name: str | None = None) -> int:
        """RESHAPE; one dimension may be -1."""
        known = math.prod(size for size in shape if size != -1)
        full = tuple(math.prod(self.shape(x)) // known if size == -1 and known else size for size in shape)
        return self._append(OpKind.RESHAPE, (x,), ReshapeAttributes(full), name)

    def resize_nearest_neighbor(
        self,
        x: int,
        size: Size,
        *,
        align_corners: bool = False,
        half_pixel_centers: bool = False,
        name: str | None = None,
    ) -> int:
        """RESIZE_NEAREST_NEIGHBOR to (height, width)."""
        attributes = ResizeNearestNeighborAttributes(_pair(size), align_corners, half_pixel_centers)
        return self._append(OpKind.RESIZE_NEAREST_NEIGHBOR, (x,), attributes, name)

    def transpose(self, x: int, permutation: Sequence[int], *, name: str | None = None) -> int:
        """TRANSPOSE by `permutation`."""
        return self._append(OpKind.TRANSPOSE, (x,), TransposeAttributes(tuple(permutation)), name)

    def quantize(self, x: int, *, name: str | None = None) -> int:
        """QUANTIZE to int8, from float32 or from int8 with other parameters."""
        return self._append(OpKind.QUANTIZE, (x,), QuantizeAttributes(), name, DType.INT8)

    def dequantize(self, x: int, *, name: str | None = None) -> int:
        """DEQUANTIZE to float32."""
        return self._append(OpKind.DEQUANTIZE, (x,), DequantizeAttributes(), name, DType.FLOAT32)

    def operator(
        self,
        kind: OpKind,
        inputs: Sequence[int],
        attributes: Attributes,
        *,
        name: str | None = None,
        dtype: DType | None = None,
    ) -> tuple[int, ...]:
        """Any operator, by its kind and attributes.

        Args:
            kind: What it is.
            inputs: The tensors that it reads.
            attributes: Of the class that its kind has.
            name: Its name and that of its output; several outputs are named `<name>`, `<name>:1`, `<name>:2`, ...
            dtype: Of its outputs, where it is not that of the first input.

        Returns:
            Its outputs.

        Raises:
            GraphError: The shapes of the inputs do not fit, or the name is taken.
        """
        inputs = tuple(inputs)
        first = len(self._tensors)
        name = name if name is not None else self._unnamed(kind)
        shapes = infer_shapes(
            Op(kind, inputs, (first,), attributes, name), [self._tensors[i].shape if i >= 0 else () for i in inputs]
        )
        op = Op(kind, inputs, tuple(range(first, first + len(shapes))), attributes, name)
        for number, shape in enumerate(shapes):
            self._tensor(f"{name}:{number}" if number else name, shape, dtype or self._tensors[inputs[0]].dtype)
        self._ops.append(op)
        return op.outputs

    def build(self, outputs: Sequence[int]) -> Graph:
        """The validated graph.

        Raises:
            GraphError: The graph could not be executed; the message names the operator.
        """
        graph = Graph(tuple(self._tensors), tuple(self._ops), tuple(self._inputs), tuple(outputs), self._name)
        validate(graph)
        return graph

    def _channels(self, x: int, name: str) -> int:
        shape = self.shape(x)
        if len(shape) != 4:
            raise GraphError(f"{name!r}: a convolution takes [N, H, W, C], got {list(shape)}")
        return shape[3]

    def _tensor(self, name: str, shape: tuple[int, ...], dtype: DType, constant: bool = False) -> int:
        if name in self._names:
            raise GraphError(f"the name {name!r} is used twice: tensors and operators need names of their own")
        self._names.add(name)
        self._tensors.append(Tensor(name, shape, dtype, constant=constant))
        return len(self._tensors) - 1

    def _weighted(
        self,
        kind: OpKind,
        x: int,
        weights_shape: tuple[int, ...],
        out_channels: int,
        bias: bool,
        attributes: Attributes,
        name: str,
    ) -> int:
        dtype = self._tensors[x].dtype
        bias_dtype = DType.INT32 if dtype is DType.INT8 else dtype
        weights = self._tensor(f"{name}/weights", weights_shape, dtype, constant=True)
        bias_index = self._tensor(f"{name}/bias", (out_channels,), bias_dtype, constant=True) if bias else -1
        return self._append(kind, (x, weights, bias_index), attributes, name)

    def _append(
        self,
        kind: OpKind,
        inputs: tuple[int, ...],
        attributes: Attributes,
        name: str | None,
        dtype: DType | None = None,
    ) -> int:
        (output,) = self.operator(kind, inputs, attributes, name=name, dtype=dtype)
        return output

    def _unnamed(self, kind: OpKind) -> str:
        stem = kind.value.lower()
        number = sum(op.kind is kind for op in self._ops)
        while (name := f"{stem}_{number}" if number else stem) in self._names:
            number += 1
        return name


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
