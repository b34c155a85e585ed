"""Model files: `.tflite` in and out, ONNX out."""

from tinynas.formats._errors import FormatError
from tinynas.formats._read_tflite import read_metadata, read_tflite
from tinynas.formats._write_onnx import write_onnx
from tinynas.formats._write_tflite import write_tflite

__all__ = ["FormatError", "read_metadata", "read_tflite", "write_onnx", "write_tflite"]
