"""Writes five networks as int8 .tflite files, for `benchmarks/engine.py --against FOLDER` and other comparisons.

    python benchmarks/more_networks.py FOLDER [--seed 0]

They have the shapes of well-known networks for microcontrollers and random weights: normally distributed, each output
channel with a spread of its own, as training leaves them. Activations are calibrated on random images and everything
is quantized as a run quantizes its winner, so that sums, multipliers and saturation are those of real networks.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinynas.formats import write_tflite
from tinynas.graph import Activation, Graph, GraphBuilder, OpKind, Tensor
from tinynas.quantization import calibrate, quantize

_IMAGES = 64
_CHANNEL_AXES = {OpKind.CONV_2D: 0, OpKind.DEPTHWISE_CONV_2D: 3, OpKind.FULLY_CONNECTED: 0}
_CHANNEL_SPREAD = 0.3
"""Standard deviation of the logarithm of a channel's spread: what batch normalization leaves when it is folded in."""


def main() -> None:
    """Write the files and print their names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, build in NETWORKS.items():
        path = options.folder / f"{name}.tflite"
        path.write_bytes(write_tflite(quantized(build(GraphBuilder(name)), options.seed)))
        print(path)


def quantized(graph: Graph, seed: int) -> Graph:
    """Give a float graph weights, and quantize it."""
    rng = np.random.default_rng(seed)
    axis_of = {op.inputs[1]: _CHANNEL_AXES[op.kind] for op in graph.ops if op.kind in _CHANNEL_AXES}
    tensors = [
        replace(t, data=_constants(t, axis_of.get(index), rng)) if t.constant else t
        for index, t in enumerate(graph.tensors)
    ]
    graph = replace(graph, tensors=tuple(tensors))
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    images = rng.integers(0, 256, (_IMAGES, *shape), dtype=np.uint8)
    return quantize(graph, calibrate(graph, images))


def _constants(tensor: Tensor, channel_axis: int | None, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    if channel_axis is None:
        return rng.normal(0, 0.1, tensor.shape).astype(np.float32)
    channels = tensor.shape[channel_axis]
    spread = np.exp(rng.normal(0, _CHANNEL_SPREAD, channels)) * math.sqrt(2 * channels / tensor.elements)
    shape = [1] * len(tensor.shape)
    shape[channel_axis] = channels
    return (rng.normal(0, 1, tensor.shape) * spread.reshape(shape)).astype(np.float32)


def mobilenet_v1(b: GraphBuilder) -> Graph:
    """MobileNetV1 of half width for 64 x 64 pixels (Howard et al. 2017, table 1)."""
    x = b.conv_2d(b.input((1, 64, 64, 3)), 16, 3, stride=2, activation=Activation.RELU6, name="first")
    widths_and_strides = [(32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2), *[(256, 1)] * 5, (512, 2), (512, 1)]
    for index, (width, stride) in enumerate(widths_and_strides):
        x = b.depthwise_conv_2d(x, 3, stride=stride, activation=Activation.RELU6, name=f"depthwise_{index}")
        x = b.conv_2d(x, width, 1, activation=Activation.RELU6, name=f"pointwise_{index}")
    return _classify(b, x, 10)


def mobilenet_v2(b: GraphBuilder) -> Graph:
    """MobileNetV2 of width 0.35 for 64 x 64 pixels (Sandler et al. 2018, table 2)."""
    x = b.conv_2d(b.input((1, 64, 64, 3)), 16, 3, stride=2, activation=Activation.RELU6, name="first")
    x = b.depthwise_conv_2d(x, 3, activation=Activation.RELU6, name="depthwise")
    x = b.conv_2d(x, 8, 1, name="project")
    for stage, (width, stride, blocks) in enumerate(
        ((8, 2, 2), (16, 2, 3), (24, 2, 4), (32, 1, 3), (56, 2, 3), (112, 1, 1))
    ):
        for block in range(blocks):
            x = _inverted_residual(b, x, 6, width, 3, stride if block == 0 else 1, f"{stage}_{block}")
    return _classify(b, b.conv_2d(x, 448, 1, activation=Activation.RELU6, name="last"), 10)


def mcunet(b: GraphBuilder) -> Graph:
    """Inverted residuals of mixed expansion, windows of three to seven, in the manner of MCUNet (Lin et al. 2020)."""
    x = b.conv_2d(b.input((1, 80, 80, 3)), 16, 3, stride=2, activation=Activation.RELU6, name="first")
    x = b.depthwise_conv_2d(x, 3, activation=Activation.RELU6, name="depthwise")
    x = b.conv_2d(x, 8, 1, name="project")
    for index, (expansion, width, kernel, stride) in enumerate(
        (
            *((3, 16, 7, 2), (5, 16, 3, 1), (4, 16, 7, 1)),
            *((5, 24, 5, 2), (5, 24, 5, 1), (4, 24, 3, 1)),
            *((6, 40, 7, 2), (5, 40, 7, 1), (4, 48, 5, 1), (5, 48, 3, 1)),
            *((6, 96, 3, 2), (5, 96, 7, 1), (4, 160, 5, 1)),
        )
    ):
        x = _inverted_residual(b, x, expansion, width, kernel, stride, str(index))
    return _classify(b, x, 10)


def autoencoder(b: GraphBuilder) -> Graph:
    """The anomaly detector of MLPerf Tiny: five frames of 128 mel bands through a bottleneck of eight and back."""
    x = b.reshape(b.input((1, 5, 128, 1)), (1, 640), name="flatten")
    for index, width in enumerate((128, 128, 128, 128, 8, 128, 128, 128, 128)):
        x = b.fully_connected(x, width, activation=Activation.RELU, name=f"dense_{index}")
    return b.build([b.fully_connected(x, 640, name="reconstruction")])


def resnet_14(b: GraphBuilder) -> Graph:
    """Six residual blocks of two 3 x 3 convolutions (He et al. 2016, section 4.2, n = 2) for 24 x 24 pixels."""
    x = b.conv_2d(b.input((1, 24, 24, 3)), 16, 3, activation=Activation.RELU, name="first")
    for index, (width, stride) in enumerate(((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1))):
        y = b.conv_2d(x, width, 3, stride=stride, activation=Activation.RELU, name=f"{index}_a")
        y = b.conv_2d(y, width, 3, name=f"{index}_b")
        shortcut = x if b.shape(x) == b.shape(y) else b.conv_2d(x, width, 1, stride=stride, name=f"{index}_shortcut")
        x = b.add(y, shortcut, activation=Activation.RELU, name=f"{index}_add")
    return _classify(b, x, 10)


NETWORKS: Mapping[str, Callable[[GraphBuilder], Graph]] = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "mcunet": mcunet,
    "autoencoder": autoencoder,
    "resnet_14": resnet_14,
}
"""By the name of the file, without .tflite."""


def _inverted_residual(b: GraphBuilder, x: int, expansion: int, width: int, kernel: int, stride: int, name: str) -> int:
    inputs = b.shape(x)[3]
    y = b.conv_2d(x, expansion * inputs, 1, activation=Activation.RELU6, name=f"{name}_expand")
    y = b.depthwise_conv_2d(y, kernel, stride=stride, activation=Activation.RELU6, name=f"{name}_depthwise")
    y = b.conv_2d(y, width, 1, name=f"{name}_project")
    return b.add(y, x, name=f"{name}_add") if stride == 1 and width == inputs else y


def _classify(b: GraphBuilder, x: int, classes: int) -> Graph:
    _, height, width, channels = b.shape(x)
    x = b.average_pool_2d(x, (height, width), name="pool")
    x = b.fully_connected(b.reshape(x, (1, channels), name="flatten"), classes, name="scores")
    return b.build([b.softmax(x, name="probabilities")])


if __name__ == "__main__":
    main()
