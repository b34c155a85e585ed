"""AVERAGE_POOL_2D and MAX_POOL_2D in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinynas.formats.operators._format import (
    FileNode,
    OperatorFormat,
    read_activation,
    read_padding,
    write_activation,
    write_window,
)
from tinynas.graph import Attributes, Op, Pool2DAttributes

if TYPE_CHECKING:
    from tinynas.formats._write_onnx import OnnxWriter


def _read(node: FileNode) -> Attributes:
    options = node.options
    return Pool2DAttributes(
        (options.filterHeight, options.filterWidth),
        (options.strideH, options.strideW),
        read_padding(options),
        read_activation(options),
    )


def _write(op: Op, options: Any) -> None:
    attributes = op.attributes
    assert isinstance(attributes, Pool2DAttributes)
    write_window(options, attributes.stride, attributes.padding)
    options.filterHeight, options.filterWidth = attributes.filter_size
    write_activation(op, options)


def _average_onnx(writer: OnnxWriter, op: Op) -> None:
    _onnx(writer, op, "AveragePool", count_include_pad=0)


def _maximum_onnx(writer: OnnxWriter, op: Op) -> None:
    _onnx(writer, op, "MaxPool")


def _onnx(writer: OnnxWriter, op: Op, kind: str, **more: int) -> None:
    attributes = op.attributes
    assert isinstance(attributes, Pool2DAttributes)
    writer.activated(
        op,
        kind,
        [writer.names[op.inputs[0]]],
        attributes.activation,
        kernel_shape=attributes.filter_size,
        strides=attributes.stride,
        pads=writer.pads(op),
        **more,
    )


FORMATS = (
    OperatorFormat("AVERAGE_POOL_2D", "Pool2DOptions", _read, _write, onnx=_average_onnx),
    OperatorFormat("MAX_POOL_2D", "Pool2DOptions", _read, _write, onnx=_maximum_onnx),
)
