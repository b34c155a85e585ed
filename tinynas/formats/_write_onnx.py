"""Writes a float graph as ONNX.

ONNX images are NCHW where the graph's are NHWC, so every tensor of four dimensions is stored transposed: interface,
axes, paddings and permutations are mapped, and only where elements are flattened does a Transpose node appear.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinynas.errors import MissingExtraError
from tinynas.formats._errors import FormatError
from tinynas.formats.operators import format_of
from tinynas.graph import Activation, DType, Graph, GraphError, Op, sliding_window, validate

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
    model = OnnxWriter(graph, onnx).model()
    try:
        Path(path).write_bytes(model.SerializeToString(deterministic=True))
    except OSError as error:
        raise FormatError(f"{path}: cannot be written: {error.strerror or error}") from error


def _stored_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(shape[i] for i in _TO_NCHW) if len(shape) == 4 else shape


class OnnxWriter:
    """Collects the nodes and initializers of one graph; how each operator is written is in `tinynas.formats.operators`.

    Attributes:
        graph: What is written.
        names: Of its tensors in the file.
    """

    def __init__(self, graph: Graph, onnx: Any) -> None:
        self.graph = graph
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        self.names = [f"{tensor.name}:{i}" for i, tensor in enumerate(graph.tensors)]
        self._extra = 0

    def model(self) -> Any:
        """The file, checked."""
        helper = self._onnx.helper
        for i, tensor in self.graph.constants():
            # Weights have layouts of their own, which their operators bring about; activations are stored as others.
            if all(self.graph.ops[c].weights is None for c in self.graph.consumers[i]):
                data = np.asarray(tensor.data)
                self.constant(data.transpose(_TO_NCHW) if data.ndim == 4 else data, self.names[i])
        for op in self.graph.ops:
            write = format_of(op.kind).onnx
            if write is None:
                raise FormatError(
                    f"cannot write {self.graph.name!r} as ONNX: {op.kind} {op.name!r} has no place in float"
                )
            write(self, op)
        graph = helper.make_graph(
            self._nodes,
            self.graph.name,
            [self._interface(i) for i in self.graph.inputs],
            [self._interface(i) for i in self.graph.outputs],
            self._initializers,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION, producer_name="TinyNAS"
        )
        self._onnx.checker.check_model(model, full_check=True)
        return model

    def _interface(self, index: int) -> Any:
        shape = _stored_shape(self.graph.tensors[index].shape)
        return self._onnx.helper.make_tensor_value_info(self.names[index], self._onnx.TensorProto.FLOAT, shape)

    def _fresh(self, stem: str) -> str:
        self._extra += 1
        return f"{stem}:x{self._extra}"

    def node(self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """A node; returns the name of its output."""
        name = output or self._fresh(kind)
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, values: npt.NDArray[Any], name: str | None = None) -> str:
        """An initializer; returns its name."""
        name = name or self._fresh("constant")
        self._initializers.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def data(self, index: int) -> npt.NDArray[Any]:
        """The data of a constant."""
        return np.asarray(self.graph.tensors[index].data)

    def activated(self, op: Op, kind: str, inputs: list[str], activation: Activation, **attributes: Any) -> None:
        """A node and its fused activation as a second one."""
        output = self.names[op.outputs[0]]
        if activation is Activation.NONE:
            self.node(kind, inputs, output, **attributes)
            return
        value = self.node(kind, inputs, **attributes)
        if activation is Activation.RELU:
            self.node("Relu", [value], output)
        else:
            low, high = (self.constant(np.array(bound, np.float32)) for bound in _CLIP_BOUNDS[activation])
            self.node("Clip", [value, low, high], output)

    def rows_of(self, index: int, shape: tuple[int, ...]) -> str:
        """Tensor `index` flattened in the graph's order to `shape`."""
        value, source = self.names[index], self.graph.tensors[index].shape
        if len(source) == 4 and source[1] * source[2] > 1:
            value = self.node("Transpose", [value], perm=_TO_NHWC)
        return self.node("Reshape", [value, self.constant(np.array(shape, np.int64))])

    def pads(self, op: Op) -> list[int]:
        """Padding of an operator with a window: top, left, bottom, right."""
        window = sliding_window(self.graph, op)
        assert window is not None
        rows, columns = window.margins(self.graph.tensors[op.inputs[0]].shape)
        return [rows[0], columns[0], rows[1], columns[1]]

    def with_rank(self, index: int, rank: int) -> str:
        """Operands that broadcast to four dimensions must be stored like those that have them."""
        shape = self.graph.tensors[index].shape
        if rank != 4 or len(shape) == 4:
            return self.names[index]
        full = _stored_shape((1,) * (4 - len(shape)) + shape)
        if sum(size > 1 for size in shape) > 1:
            as_nhwc = self.constant(np.array((1,) * (4 - len(shape)) + shape, np.int64))
            return self.node("Transpose", [self.node("Reshape", [self.names[index], as_nhwc])], perm=_TO_NCHW)
        return self.node("Reshape", [self.names[index], self.constant(np.array(full, np.int64))])

    def stored_axis(self, axis: int, rank: int) -> int:
        """Where dimension `axis` of the graph's tensor is in the stored one."""
        return _TO_NCHW.index(axis) if rank == 4 else axis

    def stored_order(self, rank: int) -> tuple[int, ...]:
        """The dimensions of the graph's tensor in the order of the stored one."""
        return _TO_NCHW if rank == 4 else tuple(range(rank))

    def stored_shape(self, index: int) -> tuple[int, ...]:
        """Shape of tensor `index` as it is stored."""
        return _stored_shape(self.graph.tensors[index].shape)

    def in_graph_order(self, value: str) -> str:
        """A stored value of four dimensions in the graph's order of dimensions."""
        return self.node("Transpose", [value], perm=_TO_NHWC)

    def from_graph_order(self, rank: int) -> tuple[str, dict[str, Any]]:
        """The node, and its attributes, that stores a value which is in the graph's order of dimensions."""
        return ("Transpose", {"perm": _TO_NCHW}) if rank == 4 else ("Identity", {})
