"""PAD in files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tinynas.formats.operators._format import FileNode, OperatorFormat
from tinynas.graph import Attributes, Op, PadAttributes

if TYPE_CHECKING:
    from tinynas.formats._write_onnx import OnnxWriter


def _read(node: FileNode) -> Attributes:
    (paddings,) = node.constants
    if paddings.shape != (node.input_rank, 2):
        raise ValueError(f"paddings are {list(paddings.shape)}, expected [{node.input_rank}, 2]")
    return PadAttributes(tuple((int(before), int(after)) for before, after in paddings))


def _constants(op: Op) -> tuple[object, ...]:
    assert isinstance(op.attributes, PadAttributes)
    return (np.reshape(op.attributes.paddings, (-1, 2)),)


def _onnx(writer: OnnxWriter, op: Op) -> None:
    attributes = op.attributes
    assert isinstance(attributes, PadAttributes)
    order = writer.stored_order(len(attributes.paddings))
    amounts = [attributes.paddings[i][side] for side in range(2) for i in order]
    pads = writer.constant(np.array(amounts, np.int64))
    writer.node("Pad", [writer.names[op.inputs[0]], pads], writer.names[op.outputs[0]])


FORMATS = (OperatorFormat("PAD", "PadOptions", _read, constants=_constants, onnx=_onnx),)
