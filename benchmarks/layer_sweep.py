"""Layers in the shapes that networks for microcontrollers have, one by one, to be timed."""

from __future__ import annotations

from collections.abc import Iterator

from tinynas.graph import Activation, DType, Graph, GraphBuilder
from tinynas.latency import with_random_constants


def sweep() -> Iterator[tuple[str, Graph]]:
    """Names and networks of one layer, with random weights."""
    for inputs, outputs, side in ((8, 48, 20), (16, 16, 24), (24, 144, 10), (64, 64, 13), (144, 24, 10), (384, 96, 5)):
        yield _named(f"1x1 {inputs} -> {outputs} @{side}", _conv(inputs, outputs, side, 1, 1))
    for inputs, outputs, side, stride in ((3, 16, 48, 2), (3, 16, 32, 1), (1, 8, 48, 2), (4, 16, 24, 2)):
        yield _named(f"first 3x3 {inputs} -> {outputs} /{stride} @{side}", _conv(inputs, outputs, side, 3, stride))
    yield _named("first 10x4 1 -> 64 /2 @49x10", _first_of_keywords())
    for kernel in (3, 5, 7):
        for stride in (1, 2):
            for channels, side in ((16, 24), (96, 10)):
                graph = _depthwise(channels, side, kernel, stride)
                yield _named(f"depthwise {kernel}x{kernel} {channels} /{stride} @{side}", graph)
    for inputs, outputs, side, stride in ((16, 16, 20, 1), (32, 32, 10, 1), (64, 64, 6, 1), (16, 32, 20, 2)):
        yield _named(f"3x3 {inputs} -> {outputs} /{stride} @{side}", _conv(inputs, outputs, side, 3, stride))
    for inputs, outputs in ((64, 12), (640, 128), (256, 10)):
        yield _named(f"dense {inputs} -> {outputs}", _dense(inputs, outputs))


def _named(name: str, graph: Graph) -> tuple[str, Graph]:
    return name, with_random_constants(graph, seed=1)


def _conv(inputs: int, outputs: int, side: int, kernel: int, stride: int) -> Graph:
    b = GraphBuilder("layer", DType.INT8)
    x = b.input((1, side, side, inputs))
    return b.build([b.conv_2d(x, outputs, kernel, stride=stride, activation=Activation.RELU6, name="conv")])


def _first_of_keywords() -> Graph:
    """The first layer of DS-CNN for keywords: 49 frames of 10 coefficients."""
    b = GraphBuilder("layer", DType.INT8)
    x = b.input((1, 49, 10, 1))
    return b.build([b.conv_2d(x, 64, (10, 4), stride=2, activation=Activation.RELU, name="conv")])


def _depthwise(channels: int, side: int, kernel: int, stride: int) -> Graph:
    b = GraphBuilder("layer", DType.INT8)
    x = b.input((1, side, side, channels))
    return b.build([b.depthwise_conv_2d(x, kernel, stride=stride, activation=Activation.RELU6, name="depthwise")])


def _dense(inputs: int, outputs: int) -> Graph:
    b = GraphBuilder("layer", DType.INT8)
    return b.build([b.fully_connected(b.input((1, inputs)), outputs, name="dense")])
