"""An operator: EXP, which TinyNAS does not know by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinynas.formats import FileNode, OperatorFormat
from tinynas.graph import Attributes, Op, OpSpec, Quantization
from tinynas.graph.reference import Array, Node, required


@dataclass(frozen=True)
class ExpAttributes(Attributes):
    """EXP has none. inputs: x of any shape."""


def _shape(op: Op, input_shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(input_shapes[0])


def _table(x: Quantization, output: Quantization) -> Array:
    """The outputs for the inputs -128 to 127: LiteRT looks them up in the same way (exp.cc, LUTPopulate)."""
    real = np.float32(x.scale) * (np.arange(-128, 128) - x.zero_point).astype(np.float32)
    values = np.exp(real.astype(np.float64)).astype(np.float32) * (np.float32(1) / np.float32(output.scale))
    return np.clip(np.trunc(values.astype(np.float64) + 0.5) + output.zero_point, -128, 127).astype(np.int8)


def _reference(node: Node, arrays: Sequence[Array | None]) -> Array:
    x = required(arrays, 0)
    if node.is_float:
        return np.exp(x)
    return _table(node.quantization(node.input(0)), node.quantization(node.output))[x.astype(np.int16) + 128]


def _read(node: FileNode) -> ExpAttributes:
    return ExpAttributes()


EXP = OpSpec(
    name="EXP",
    description="exponential function",
    support="int8",
    attributes=ExpAttributes,
    shapes=_shape,
    reference=_reference,
    elementwise=True,
)

EXP_FORMAT = OperatorFormat(
    name="EXP", options="ExpOptions", read=_read, version=lambda graph, op: 2, description="EXP in model files"
)
