"""How model files say an operator: options and constant inputs of `.tflite`, nodes of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from tinynas.graph import Activation, Attributes, DType, Graph, Op, Padding

if TYPE_CHECKING:
    from tinynas.formats._write_onnx import OnnxWriter

_PADDINGS = {0: Padding.SAME, 1: Padding.VALID}
_PADDING_CODES = {padding: code for code, padding in _PADDINGS.items()}
_ACTIVATIONS = {0: Activation.NONE, 1: Activation.RELU, 2: Activation.RELU_N1_TO_1, 3: Activation.RELU6}
_ACTIVATION_CODES = {activation: code for code, activation in _ACTIVATIONS.items()}


@dataclass(frozen=True)
class FileNode:
    """What a `.tflite` file says of one operator.

    Attributes:
        options: The object of its options table (`Conv2DOptionsT`), with defaults where the file has none.
        constants: Its constant inputs (`OpSpec.constant_inputs`), int64, as far as the file has them.
        input_rank: Dimensions of its first input.
        output_shapes: Shapes that the file declares for its outputs.
    """

    options: Any
    constants: Sequence[npt.NDArray[np.int64]]
    input_rank: int
    output_shapes: tuple[tuple[int, ...], ...]


def int8_version(graph: Graph, op: Op) -> int:
    """The version of most operators: 2 with int8 tensors, 1 without."""
    return 2 if is_int8(graph, op) else 1


def first_version(graph: Graph, op: Op) -> int:
    """The version of operators that have one only, or are written in their first."""
    return 1


def is_int8(graph: Graph, op: Op) -> bool:
    """Whether an operator reads or writes int8."""
    return DType.INT8 in (graph.tensors[op.inputs[0]].dtype, graph.tensors[op.outputs[0]].dtype)


def _no_options(op: Op, options: Any) -> None:
    """Of an operator whose options table is empty."""


@dataclass(frozen=True)
class OperatorFormat:
    """How model files say an operator.

    Attributes:
        name: Of the operator, as in the TFLite schema's `BuiltinOperator`.
        options: The schema's table of options, `Conv2DOptions`; empty where it has none.
        read: Its attributes. Raises `ValueError` where the file says something unsupported; the message says what.
        write: Fills the object of its options table from the operator.
        constants: The values of its constant inputs, as many as `OpSpec.constant_inputs`, of int32.
        version: The version that TFLite's converter would write (tflite/tools/versioning/op_version.cc).
        onnx: Adds its nodes to an ONNX file of a float32 graph; None: it has no place there.
        description: For listings.
    """

    name: str
    options: str
    read: Callable[[FileNode], Attributes]
    write: Callable[[Op, Any], None] = _no_options
    constants: Callable[[Op], tuple[object, ...]] = lambda op: ()
    version: Callable[[Graph, Op], int] = int8_version
    onnx: Callable[[OnnxWriter, Op], None] | None = None
    description: str = "options and constants in files"


def read_activation(options: Any) -> Activation:
    """The fused activation of a table that has one.

    Raises:
        ValueError: It is none that is supported.
    """
    code = options.fusedActivationFunction
    if code not in _ACTIVATIONS:
        names = {v: k for k, v in vars(schema.ActivationFunctionType).items() if not k.startswith("_")}
        raise ValueError(f"the fused activation {names.get(code, code)} is not supported; use RELU, RELU6 or none")
    return _ACTIVATIONS[code]


def write_activation(op: Op, options: Any) -> None:
    """Write the fused activation of a table that has one."""
    options.fusedActivationFunction = _ACTIVATION_CODES[op.activation]


def read_padding(options: Any) -> Padding:
    """The padding of a table that has one.

    Raises:
        ValueError: It is neither SAME nor VALID.
    """
    if options.padding not in _PADDINGS:
        raise ValueError(f"padding code {options.padding} is neither SAME nor VALID")
    return _PADDINGS[options.padding]


def write_window(options: Any, stride: tuple[int, int], padding: Padding) -> None:
    """Write stride and padding of a table that has them."""
    options.strideH, options.strideW = stride
    options.padding = _PADDING_CODES[padding]


def counted_from_zero(axis: int, rank: int) -> int:
    """A dimension, counted from the first one also where a file counts from the last one."""
    return axis + rank if axis < 0 else axis
