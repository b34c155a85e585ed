"""QUANTIZE and DEQUANTIZE in files."""

from __future__ import annotations

from tinynas.formats.operators._format import FileNode, OperatorFormat, first_version
from tinynas.graph import Attributes, DequantizeAttributes, QuantizeAttributes


def _read_quantize(node: FileNode) -> Attributes:
    return QuantizeAttributes()


def _read_dequantize(node: FileNode) -> Attributes:
    return DequantizeAttributes()


FORMATS = (
    OperatorFormat("QUANTIZE", "QuantizeOptions", _read_quantize, version=first_version),
    OperatorFormat("DEQUANTIZE", "DequantizeOptions", _read_dequantize),
)
