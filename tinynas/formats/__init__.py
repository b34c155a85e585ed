"""Model files: `.tflite` in and out, ONNX out."""

from tinynas.formats._errors import FormatError
from tinynas.formats._offline_plan import (
    OFFLINE_PLAN_METADATA,
    TensorTable,
    add_offline_plan,
    read_offline_plan,
    tensor_table,
)
from tinynas.formats._read_tflite import read_metadata, read_tflite
from tinynas.formats._write_onnx import write_onnx
from tinynas.formats._write_tflite import write_tflite
from tinynas.formats.operators import FileNode, OperatorFormat, register_format

__all__ = [
    "OFFLINE_PLAN_METADATA",
    "FileNode",
    "FormatError",
    "OperatorFormat",
    "TensorTable",
    "add_offline_plan",
    "read_metadata",
    "read_offline_plan",
    "read_tflite",
    "register_format",
    "tensor_table",
    "write_onnx",
    "write_tflite",
]
