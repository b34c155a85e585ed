"""Random networks that exercise every kernel variant over a wide range of shapes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinynas.graph import Activation, DType, Graph, GraphBuilder, Padding


@dataclass(frozen=True)
class NetworkLimits:
    """How large the layers of a random network may get.

    Attributes:
        activation_bytes: Of one tensor.
        weight_bytes: Of one layer.
        layers: Of one network.
        macs: Of one layer: keeps a run on the emulator short.
    """

    activation_bytes: int = 3000
    weight_bytes: int = 3000
    layers: int = 12
    macs: int = 1_000_000


def random_network(seed: int, limits: NetworkLimits) -> Graph:
    """Build a random int8 skeleton: a chain of layers with residual adds, gates and concatenations, and a classifier.

    Channel counts, sizes, kernels, strides and activations are drawn independently, odd ones included: a latency
    model must see its features vary independently of each other to tell them apart.
    """
    return Composer(seed, limits, f"random{seed}").network()


class Composer:
    """Appends random layers to a graph, each within the limits."""

    def __init__(self, seed: int | list[int], limits: NetworkLimits, name: str = "random") -> None:
        self.rng = np.random.default_rng(seed)
        self.limits = limits
        self.builder = GraphBuilder(name, DType.INT8)
        self.count = 0

    def network(self) -> Graph:
        channels = self.channels(24)
        side = int(math.sqrt(self.limits.activation_bytes / channels) * self.rng.uniform(0.5, 1.0))
        height, width = (min(64, max(4, side + int(self.rng.integers(-2, 3)))) for _ in range(2))
        width = min(width, max(1, self.limits.activation_bytes // (channels * height)))
        x = self.builder.input((1, height, width, channels))
        layers = int(self.rng.integers(self.limits.layers // 2, self.limits.layers + 1))
        for _ in range(layers):
            x = self.layer(x)
        return self.builder.build([self.classifier(x)])

    def layer(self, x: int) -> int:
        choices: tuple[tuple[float, Callable[[int], int]], ...] = (
            (5, self.pointwise),
            (5, self.depthwise),
            (4, self.convolution),
            (1, self.pool),
            (1, self.residual),
            (1, self.gate),
            (1, self.join),
            (1, self.move),
            (0.5, self.requantize),
        )
        weights = np.array([weight for weight, _ in choices])
        return choices[self.rng.choice(len(choices), p=weights / weights.sum())][1](x)

    def pointwise(self, x: int) -> int:
        return self.convolve(x, (1, 1), 1, 1)

    def convolution(self, x: int) -> int:
        _, height, width, channels = self.builder.shape(x)
        kernel = (min(height, self.odd()), min(width, self.odd()))
        if kernel[0] * kernel[1] * channels > self.limits.weight_bytes:
            return self.pointwise(x)
        groups = 2 if channels % 2 == 0 and self.rng.random() < 0.2 else 1
        return self.convolve(x, kernel, self.stride(x), groups)

    def convolve(self, x: int, kernel: tuple[int, int], stride: int, groups: int) -> int:
        _, height, width, channels = self.builder.shape(x)
        pixels = math.ceil(height / stride) * math.ceil(width / stride)
        taps = kernel[0] * kernel[1] * channels // groups
        most = min(
            self.limits.activation_bytes // pixels,
            self.limits.weight_bytes // taps,
            self.limits.macs // (pixels * taps),
        )
        out = self.channels(max(1, min(most, 96)))
        out = max(groups, out - out % groups)
        return self.builder.conv_2d(
            x,
            out,
            kernel,
            stride=stride,
            groups=groups,
            dilation=2 if min(kernel) > 1 and min(height, width) > 2 * max(kernel) and self.rng.random() < 0.1 else 1,
            padding=self.padding(),
            activation=self.activation(),
            name=self.name("conv"),
        )

    def depthwise(self, x: int) -> int:
        _, height, width, channels = self.builder.shape(x)
        multiplier = (
            2 if channels * height * width * 2 <= self.limits.activation_bytes and self.rng.random() < 0.1 else 1
        )
        return self.builder.depthwise_conv_2d(
            x,
            (min(height, self.odd(3)), min(width, self.odd(3))),
            stride=self.stride(x),
            depth_multiplier=multiplier,
            padding=self.padding(),
            activation=self.activation(),
            name=self.name("depthwise"),
        )

    def pool(self, x: int) -> int:
        _, height, width, _ = self.builder.shape(x)
        size = (min(height, self.draw(2, 4)), min(width, self.draw(2, 4)))
        build = self.builder.average_pool_2d if self.rng.random() < 0.5 else self.builder.max_pool_2d
        return build(x, size, stride=self.stride(x), padding=self.padding(), name=self.name("pool"))

    def residual(self, x: int) -> int:
        channels = self.builder.shape(x)[3]
        y = self.builder.depthwise_conv_2d(x, 3, name=self.name("depthwise"))
        if channels * channels <= self.limits.weight_bytes:
            y = self.builder.conv_2d(y, channels, 1, name=self.name("conv"))
        return self.builder.add(x, y, activation=self.activation(), name=self.name("add"))

    def gate(self, x: int) -> int:
        """Element-wise with an operand of the same shape, or of one value per channel (squeeze and excitation)."""
        if self.rng.random() < 0.5:
            y = self.builder.depthwise_conv_2d(x, 1, name=self.name("depthwise"))
            return self.builder.mul(x, y, name=self.name("mul"))
        y = self.builder.mean(x, (1, 2), keep_dims=True, name=self.name("mean"))
        build = self.builder.mul if self.rng.random() < 0.5 else self.builder.add
        return build(x, y, name=self.name("gate"))

    def join(self, x: int) -> int:
        _, height, width, channels = self.builder.shape(x)
        if 2 * height * width * channels > self.limits.activation_bytes:
            return self.pool(x)
        y = self.builder.depthwise_conv_2d(x, 3, name=self.name("depthwise"))
        return self.builder.concatenation([x, y], 3, name=self.name("concatenation"))

    def move(self, x: int) -> int:
        _, height, width, channels = self.builder.shape(x)
        choice = self.rng.integers(3)
        if choice == 0 and (height + 3) * (width + 1) * channels <= self.limits.activation_bytes:
            # Read by a pooling, which cannot take over the padding: the PAD stays.
            y = self.builder.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0)), name=self.name("pad"))
            return self.builder.max_pool_2d(y, 2, name=self.name("pool"))
        if choice == 1 and 4 * height * width * channels <= self.limits.activation_bytes:
            return self.builder.resize_nearest_neighbor(x, (2 * height, 2 * width), name=self.name("resize"))
        return self.builder.transpose(x, (0, 2, 1, 3), name=self.name("transpose"))

    def requantize(self, x: int) -> int:
        return self.builder.quantize(x, name=self.name("quantize"))

    def classifier(self, x: int) -> int:
        features = math.prod(self.builder.shape(x)[1:])
        if features * 4 > self.limits.weight_bytes or self.rng.random() < 0.5:
            _, height, width, features = self.builder.shape(x)
            if self.rng.random() < 0.3:
                x = self.builder.average_pool_2d(x, (height, width), name=self.name("pool"))
            else:
                x = self.builder.mean(x, name=self.name("mean"))
        classes = self.draw(2, max(2, min(64, self.limits.weight_bytes // features)))
        x = self.builder.fully_connected(x, classes, activation=self.activation(), name=self.name("dense"))
        return self.builder.softmax(x, name=self.name("softmax")) if self.rng.random() < 0.7 else x

    def channels(self, most: int) -> int:
        """From 1 to `most`: every other time in fours, as designed networks have them, and some kernels want them."""
        channels = self.draw(1, most)
        return channels - channels % 4 if channels >= 4 and self.rng.random() < 0.5 else channels

    def draw(self, low: int, high: int) -> int:
        """An integer in [low, high], uniform in its logarithm."""
        return min(high, int(math.exp(self.rng.uniform(math.log(low), math.log(high + 1)))))

    def odd(self, least: int = 1) -> int:
        return int(self.rng.choice([k for k in (1, 2, 3, 3, 5, 7) if k >= least]))

    def stride(self, x: int) -> int:
        _, height, width, _ = self.builder.shape(x)
        return 2 if min(height, width) >= 6 and self.rng.random() < 0.3 else 1

    def padding(self) -> Padding:
        return Padding.SAME if self.rng.random() < 0.8 else Padding.VALID

    def activation(self) -> Activation:
        return (Activation.NONE, Activation.RELU, Activation.RELU6)[int(self.rng.integers(3))]

    def name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"
