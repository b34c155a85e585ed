"""CONV_2D and DEPTHWISE_CONV_2D in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinynas.formats.operators._format import (
    FileNode,
    OperatorFormat,
    is_int8,
    read_activation,
    read_padding,
    write_activation,
    write_window,
)
from tinynas.graph import Attributes, Conv2DAttributes, DepthwiseConv2DAttributes, Graph, Op

if TYPE_CHECKING:
    from tinynas.formats._write_onnx import OnnxWriter


def _read_conv_2d(node: FileNode) -> Attributes:
    options = node.options
    return Conv2DAttributes(
        (options.strideH, options.strideW),
        read_padding(options),
        (options.dilationHFactor, options.dilationWFactor),
        read_activation(options),
    )


def _write_conv_2d(op: Op, options: Any) -> None:
    attributes = op.attributes
    assert isinstance(attributes, Conv2DAttributes)
    write_window(options, attributes.stride, attributes.padding)
    options.dilationHFactor, options.dilationWFactor = attributes.dilation
    write_activation(op, options)


def _conv_2d_version(graph: Graph, op: Op) -> int:
    grouped = graph.tensors[op.inputs[0]].shape[3] != graph.tensors[op.inputs[1]].shape[3]
    return 6 if grouped else 3 if is_int8(graph, op) else 1


def _read_depthwise_conv_2d(node: FileNode) -> Attributes:
    options = node.options
    return DepthwiseConv2DAttributes(
        (options.strideH, options.strideW),
        read_padding(options),
        (options.dilationHFactor, options.dilationWFactor),
        options.depthMultiplier,
        read_activation(options),
    )


def _write_depthwise_conv_2d(op: Op, options: Any) -> None:
    attributes = op.attributes
    assert isinstance(attributes, DepthwiseConv2DAttributes)
    write_window(options, attributes.stride, attributes.padding)
    options.dilationHFactor, options.dilationWFactor = attributes.dilation
    options.depthMultiplier = attributes.depth_multiplier
    write_activation(op, options)


def _depthwise_conv_2d_version(graph: Graph, op: Op) -> int:
    attributes = op.attributes
    assert isinstance(attributes, DepthwiseConv2DAttributes)
    return 3 if is_int8(graph, op) else 2 if attributes.dilation != (1, 1) else 1


def _conv_2d_onnx(writer: OnnxWriter, op: Op) -> None:
    weights, channels = writer.data(op.inputs[1]), writer.graph.tensors[op.inputs[0]].shape[3]
    _convolution_onnx(writer, op, weights.transpose(0, 3, 1, 2), channels // weights.shape[3])


def _depthwise_conv_2d_onnx(writer: OnnxWriter, op: Op) -> None:
    channels = writer.graph.tensors[op.inputs[0]].shape[3]
    _convolution_onnx(writer, op, writer.data(op.inputs[1]).transpose(3, 0, 1, 2), channels)


def _convolution_onnx(writer: OnnxWriter, op: Op, matrix: npt.NDArray[np.generic], groups: int) -> None:
    """Weights as [O, I / groups, KH, KW]."""
    attributes = op.attributes
    assert isinstance(attributes, Conv2DAttributes | DepthwiseConv2DAttributes)
    filter_size = (matrix.shape[2], matrix.shape[3])
    inputs = [writer.names[op.inputs[0]], writer.constant(matrix)]
    if op.inputs[2] >= 0:
        inputs.append(writer.constant(writer.data(op.inputs[2]).reshape(-1)))
    writer.activated(
        op,
        "Conv",
        inputs,
        attributes.activation,
        kernel_shape=filter_size,
        strides=attributes.stride,
        dilations=attributes.dilation,
        group=groups,
        pads=writer.pads(op),
    )


FORMATS = (
    OperatorFormat(
        "CONV_2D", "Conv2DOptions", _read_conv_2d, _write_conv_2d, version=_conv_2d_version, onnx=_conv_2d_onnx
    ),
    OperatorFormat(
        "DEPTHWISE_CONV_2D",
        "DepthwiseConv2DOptions",
        _read_depthwise_conv_2d,
        _write_depthwise_conv_2d,
        version=_depthwise_conv_2d_version,
        onnx=_depthwise_conv_2d_onnx,
    ),
)
