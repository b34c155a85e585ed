"""An operator: EXP, which TinyNAS does not know by itself. Its table makes it run on the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinynas.formats import FileNode, OperatorFormat
from tinynas.graph import Attributes, Op, OpSpec, Quantization, Runtime, by_table
from tinynas.graph.fixed_point import table_of


@dataclass(frozen=True)
class ExpAttributes(Attributes):
    """EXP has none. inputs: x of any shape."""


def _shape(op: Op, input_shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(input_shapes[0])


def _table(op: Op, x: Quantization, output: Quantization, runtime: Runtime) -> npt.NDArray[np.int8]:
    """The outputs for the inputs -128 to 127: LiteRT looks them up in the same way (exp.cc, LUTPopulate)."""
    return table_of(np.exp, x, output)


def _read(node: FileNode) -> ExpAttributes:
    return ExpAttributes()


EXP = OpSpec(
    name="EXP",
    description="exponential function",
    support="int8",
    attributes=ExpAttributes,
    shapes=_shape,
    reference=by_table(lambda op, x: np.exp(x)),
    table=_table,
    elementwise=True,
)

EXP_FORMAT = OperatorFormat(
    name="EXP", options="ExpOptions", read=_read, version=lambda graph, op: 2, description="EXP in model files"
)
