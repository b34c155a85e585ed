"""QUANTIZE and DEQUANTIZE in files."""

from __future__ import annotations

from tinynas.formats.operators._format import FileNode, OperatorFormat
from tinynas.graph import Attributes, DequantizeAttributes, Graph, Op, QuantizeAttributes


def _read_quantize(node: FileNode) -> Attributes:
    return QuantizeAttributes()


def _read_dequantize(node: FileNode) -> Attributes:
    return DequantizeAttributes()


def _first_version(graph: Graph, op: Op) -> int:
    return 1


FORMATS = (
    OperatorFormat("QUANTIZE", "QuantizeOptions", _read_quantize, version=_first_version),
    OperatorFormat("DEQUANTIZE", "DequantizeOptions", _read_dequantize),
)
