"""Writes a float graph as ONNX.

ONNX images are NCHW where the graph's are NHWC, so every tensor of four dimensions is stored transposed: interface,
axes, paddings and permutations are mapped, and only where elements are flattened does a Transpose node appear.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinynas.errors import MissingExtraError
from tinynas.formats._errors import FormatError
from tinynas.graph import (
    Activation,
    ConcatenationAttributes,
    Conv2DAttributes,
    DepthwiseConv2DAttributes,
    DType,
    FullyConnectedAttributes,
    Graph,
    GraphError,
    MeanAttributes,
    Op,
    OpKind,
    PadAttributes,
    Pool2DAttributes,
    ReshapeAttributes,
    ResizeNearestNeighborAttributes,
    SoftmaxAttributes,
    TransposeAttributes,
    validate,
    window_padding,
)

_OPSET = 17
_IR_VERSION = 8
_TO_NCHW = (0, 3, 1, 2)
_TO_NHWC = (0, 2, 3, 1)
_CLIP_BOUNDS = {Activation.RELU6: (0.0, 6.0), Activation.RELU_N1_TO_1: (-1.0, 1.0)}


def write_onnx(graph: Graph, path: str | Path) -> None:
    """Write a float32 graph as an ONNX file (opset 17); inputs and outputs of four dimensions are NCHW.

    Raises:
        FormatError: The graph is not valid, not float32 throughout, or a constant has no data.
        MissingExtraError: `onnx` is not installed.
    """
    try:
        onnx = importlib.import_module("onnx")
    except ImportError as error:
        raise MissingExtraError("onnx", "onnx") from error
    try:
        validate(graph)
    except GraphError as error:
        raise FormatError(f"cannot write {graph.name!r}: {error}") from error
    for tensor in graph.tensors:
        if tensor.dtype is not DType.FLOAT32:
            raise FormatError(
                f"cannot write {graph.name!r} as ONNX: {tensor.name!r} is {tensor.dtype.value}; "
                "ONNX export takes the float network, write_tflite the quantized one"
            )
        if tensor.constant and tensor.data is None:
            raise FormatError(f"cannot write {graph.name!r}: constant {tensor.name!r} has no data")
    model = _ModelWriter(graph, onnx).model()
    try:
        Path(path).write_bytes(model.SerializeToString(deterministic=True))
    except OSError as error:
        raise FormatError(f"{path}: cannot be written: {error.strerror or error}") from error


def _axis(axis: int, rank: int) -> int:
    """Where dimension `axis` of the graph's tensor is in the stored one."""
    return _TO_NCHW.index(axis) if rank == 4 else axis


def _stored_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(shape[i] for i in _TO_NCHW) if len(shape) == 4 else shape


class _ModelWriter:
    """Collects the nodes and initializers of one graph."""

    def __init__(self, graph: Graph, onnx: Any) -> None:
        self._graph = graph
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        self._names = [f"{tensor.name}:{i}" for i, tensor in enumerate(graph.tensors)]
        self._extra = 0

    def model(self) -> Any:
        helper = self._onnx.helper
        for i, tensor in self._graph.constants():
            # Weights have layouts of their own, which their operators bring about; activations are stored as others.
            if all(self._graph.ops[c].kind not in _WEIGHTED for c in self._graph.consumers[i]):
                data = np.asarray(tensor.data)
                self._constant(data.transpose(_TO_NCHW) if data.ndim == 4 else data, self._names[i])
        for op in self._graph.ops:
            _WRITERS[op.kind](self, op)
        graph = helper.make_graph(
            self._nodes,
            self._graph.name,
            [self._interface(i) for i in self._graph.inputs],
            [self._interface(i) for i in self._graph.outputs],
            self._initializers,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION, producer_name="TinyNAS"
        )
        self._onnx.checker.check_model(model, full_check=True)
        return model

    def _interface(self, index: int) -> Any:
        shape = _stored_shape(self._graph.tensors[index].shape)
        return self._onnx.helper.make_tensor_value_info(self._names[index], self._onnx.TensorProto.FLOAT, shape)

    def _fresh(self, stem: str) -> str:
        self._extra += 1
        return f"{stem}:x{self._extra}"

    def _node(self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        name = output or self._fresh(kind)
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _constant(self, values: npt.NDArray[Any], name: str | None = None) -> str:
        name = name or self._fresh("constant")
        self._initializers.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _data(self, index: int) -> npt.NDArray[Any]:
        return np.asarray(self._graph.tensors[index].data)

    def _activated(self, op: Op, kind: str, inputs: list[str], activation: Activation, **attributes: Any) -> None:
        """A node and its fused activation as a second one."""
        output = self._names[op.outputs[0]]
        if activation is Activation.NONE:
            self._node(kind, inputs, output, **attributes)
            return
        value = self._node(kind, inputs, **attributes)
        if activation is Activation.RELU:
            self._node("Relu", [value], output)
        else:
            low, high = (self._constant(np.array(bound, np.float32)) for bound in _CLIP_BOUNDS[activation])
            self._node("Clip", [value, low, high], output)

    def _rows_of(self, index: int, shape: tuple[int, ...]) -> str:
        """Tensor `index` flattened in the graph's order to `shape`."""
        value, source = self._names[index], self._graph.tensors[index].shape
        if len(source) == 4 and source[1] * source[2] > 1:
            value = self._node("Transpose", [value], perm=_TO_NHWC)
        return self._node("Reshape", [value, self._constant(np.array(shape, np.int64))])

    def _pads(self, op: Op, filter_size: tuple[int, int], dilation: tuple[int, int]) -> list[int]:
        attributes = op.attributes
        assert isinstance(attributes, Conv2DAttributes | DepthwiseConv2DAttributes | Pool2DAttributes)
        size = self._graph.tensors[op.inputs[0]].shape[1:3]
        rows, columns = (
            window_padding(size[i], filter_size[i], attributes.stride[i], dilation[i], attributes.padding)
            for i in range(2)
        )
        return [rows[0], columns[0], rows[1], columns[1]]

    def convolution(self, op: Op) -> None:
        attributes = op.attributes
        assert isinstance(attributes, Conv2DAttributes | DepthwiseConv2DAttributes)
        weights, channels = self._data(op.inputs[1]), self._graph.tensors[op.inputs[0]].shape[3]
        filter_size = (weights.shape[1], weights.shape[2])
        is_depthwise = op.kind is OpKind.DEPTHWISE_CONV_2D
        groups = channels if is_depthwise else channels // weights.shape[3]
        matrix = weights.transpose(3, 0, 1, 2) if is_depthwise else weights.transpose(0, 3, 1, 2)
        inputs = [self._names[op.inputs[0]], self._constant(matrix)]
        if op.inputs[2] >= 0:
            inputs.append(self._constant(self._data(op.inputs[2]).reshape(-1)))
        self._activated(
            op,
            "Conv",
            inputs,
            attributes.activation,
            kernel_shape=filter_size,
            strides=attributes.stride,
            dilations=attributes.dilation,
            group=groups,
            pads=self._pads(op, filter_size, attributes.dilation),
        )

    def fully_connected(self, op: Op) -> None:
        attributes = op.attributes
        assert isinstance(attributes, FullyConnectedAttributes)
        weights, output = self._data(op.inputs[1]), self._graph.tensors[op.outputs[0]].shape
        rows = self._rows_of(op.inputs[0], (math.prod(output) // weights.shape[0], weights.shape[1]))
        inputs = [rows, self._constant(weights)]
        if op.inputs[2] >= 0:
            inputs.append(self._constant(self._data(op.inputs[2]).reshape(-1)))
        value = self._node("Gemm", inputs, transB=1)
        value = self._node("Reshape", [value, self._constant(np.array(output, np.int64))])
        kind, more = ("Transpose", {"perm": _TO_NCHW}) if len(output) == 4 else ("Identity", {})
        self._activated(op, kind, [value], attributes.activation, **more)

    def pool(self, op: Op) -> None:
        attributes = op.attributes
        assert isinstance(attributes, Pool2DAttributes)
        average = op.kind is OpKind.AVERAGE_POOL_2D
        self._activated(
            op,
            "AveragePool" if average else "MaxPool",
            [self._names[op.inputs[0]]],
            attributes.activation,
            kernel_shape=attributes.filter_size,
            strides=attributes.stride,
            pads=self._pads(op, attributes.filter_size, (1, 1)),
            **({"count_include_pad": 0} if average else {}),
        )

    def elementwise(self, op: Op) -> None:
        rank = len(self._graph.tensors[op.outputs[0]].shape)
        inputs = [self._with_rank(i, rank) for i in op.inputs]
        activation: Activation = getattr(op.attributes, "activation", Activation.NONE)
        self._activated(op, "Add" if op.kind is OpKind.ADD else "Mul", inputs, activation)

    def _with_rank(self, index: int, rank: int) -> str:
        """Operands that broadcast to four dimensions must be stored like those that have them."""
        shape = self._graph.tensors[index].shape
        if rank != 4 or len(shape) == 4:
            return self._names[index]
        full = _stored_shape((1,) * (4 - len(shape)) + shape)
        if sum(size > 1 for size in shape) > 1:
            as_nhwc = self._constant(np.array((1,) * (4 - len(shape)) + shape, np.int64))
            return self._node("Transpose", [self._node("Reshape", [self._names[index], as_nhwc])], perm=_TO_NCHW)
        return self._node("Reshape", [self._names[index], self._constant(np.array(full, np.int64))])

    def concatenation(self, op: Op) -> None:
        attributes = op.attributes
        assert isinstance(attributes, ConcatenationAttributes)
        rank = len(self._graph.tensors[op.outputs[0]].shape)
        inputs = [self._names[i] for i in op.inputs]
        self._node("Concat", inputs, self._names[op.outputs[0]], axis=_axis(attributes.axis, rank))

    def pad(self, op: Op) -> None:
        attributes = op.attributes
        assert isinstance(attributes, PadAttributes)
        order = _TO_NCHW if len(attributes.paddings) == 4 else range(len(attributes.paddings))
        amounts = [attributes.paddings[i][side] for side in range(2) for i in order]
        pads = self._constant(np.array(amounts, np.int64))
        self._node("Pad", [self._names[op.inputs[0]], pads], self._names[op.outputs[0]])

    def mean(self, op: Op) -> None:
        attributes = op.attributes
        assert isinstance(attributes, MeanAttributes)
        rank = len(self._graph.tensors[op.inputs[0]].shape)
        if attributes.keep_dims or rank != 4:
            axes = [_axis(axis, rank) for axis in attributes.axes]
            keep = int(attributes.keep_dims)
            self._node("ReduceMean", [self._names[op.inputs[0]]], self._names[op.outputs[0]], axes=axes, keepdims=keep)
            return
        # What is left keeps the graph's order, not the stored one.
        value = self._node("Transpose", [self._names[op.inputs[0]]], perm=_TO_NHWC)
        self._node("ReduceMean", [value], self._names[op.outputs[0]], axes=list(attributes.axes), keepdims=0)

    def softmax(self, op: Op) -> None:
        attributes = op.attributes
        assert isinstance(attributes, SoftmaxAttributes)
        rank, value = len(self._graph.tensors[op.inputs[0]].shape), self._names[op.inputs[0]]
        if attributes.beta != 1.0:
            value = self._node("Mul", [value, self._constant(np.array(attributes.beta, np.float32))])
        self._node("Softmax", [value], self._names[op.outputs[0]], axis=_axis(rank - 1, rank))

    def reshape(self, op: Op) -> None:
        attributes = op.attributes
        assert isinstance(attributes, ReshapeAttributes)
        value = self._rows_of(op.inputs[0], attributes.shape)
        kind, more = ("Transpose", {"perm": _TO_NCHW}) if len(attributes.shape) == 4 else ("Identity", {})
        self._node(kind, [value], self._names[op.outputs[0]], **more)

    def transpose(self, op: Op) -> None:
        attributes = op.attributes
        assert isinstance(attributes, TransposeAttributes)
        permutation = attributes.permutation
        if len(permutation) == 4:
            permutation = tuple(_TO_NCHW.index(permutation[i]) for i in _TO_NCHW)
        self._node("Transpose", [self._names[op.inputs[0]]], self._names[op.outputs[0]], perm=permutation)

    def resize(self, op: Op) -> None:
        attributes = op.attributes
        assert isinstance(attributes, ResizeNearestNeighborAttributes)
        mode, nearest = "asymmetric", "floor"
        if attributes.align_corners:
            mode, nearest = "align_corners", "round_prefer_ceil"
        elif attributes.half_pixel_centers:
            # floor((x + 1/2) * scale) is round((x + 1/2) * scale - 1/2) with halves upwards
            mode, nearest = "half_pixel", "round_prefer_ceil"
        sizes = self._constant(np.array(_stored_shape(self._graph.tensors[op.outputs[0]].shape), np.int64))
        self._node(
            "Resize",
            [self._names[op.inputs[0]], "", "", sizes],
            self._names[op.outputs[0]],
            mode="nearest",
            coordinate_transformation_mode=mode,
            nearest_mode=nearest,
        )

    def unsupported(self, op: Op) -> None:
        raise FormatError(f"cannot write {self._graph.name!r} as ONNX: {op.kind} {op.name!r} has no place in float")


_WEIGHTED = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)

_WRITERS: dict[OpKind, Callable[[_ModelWriter, Op], None]] = {
    OpKind.CONV_2D: _ModelWriter.convolution,
    OpKind.DEPTHWISE_CONV_2D: _ModelWriter.convolution,
    OpKind.FULLY_CONNECTED: _ModelWriter.fully_connected,
    OpKind.AVERAGE_POOL_2D: _ModelWriter.pool,
    OpKind.MAX_POOL_2D: _ModelWriter.pool,
    OpKind.ADD: _ModelWriter.elementwise,
    OpKind.MUL: _ModelWriter.elementwise,
    OpKind.CONCATENATION: _ModelWriter.concatenation,
    OpKind.PAD: _ModelWriter.pad,
    OpKind.MEAN: _ModelWriter.mean,
    OpKind.SOFTMAX: _ModelWriter.softmax,
    OpKind.RESHAPE: _ModelWriter.reshape,
    OpKind.QUANTIZE: _ModelWriter.unsupported,
    OpKind.DEQUANTIZE: _ModelWriter.unsupported,
    OpKind.RESIZE_NEAREST_NEIGHBOR: _ModelWriter.resize,
    OpKind.TRANSPOSE: _ModelWriter.transpose,
}
