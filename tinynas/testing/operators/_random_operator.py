"""What random networks need to know of an operator, and a network while it grows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from tinynas.graph import Activation, DType, GraphBuilder, OpKind, Padding, Quantization

_ACTIVATIONS = tuple(Activation)

DEVIATION = 74.0
"""Standard deviation of uniform int8 values: 256 / sqrt(12)."""

STEPS = 40.0
"""Spread of outputs, in steps of their scale, that neither saturate nor vanish."""


class GrowingNetwork:
    """A network in the making.

    Attributes:
        rng: The only source of randomness.
        kinds: Operators that it may have.
        max_elements: Of a tensor: joining ones do not make larger ones.
        builder: What is built so far.
        earlier: Tensors before the newest one.
    """

    def __init__(self, rng: np.random.Generator, kinds: Collection[OpKind], max_elements: int) -> None:
        self.rng = rng
        self.kinds = frozenset(kinds)
        self.max_elements = max_elements
        self.builder = GraphBuilder("random", DType.INT8)
        self.earlier: list[int] = []
        self._count = 0

    def name(self, stem: str) -> str:
        """A name of its own."""
        self._count += 1
        return f"{stem}{self._count}"

    def activation(self) -> Activation:
        """Any fused activation."""
        return _ACTIVATIONS[self.rng.integers(len(_ACTIVATIONS))]

    def window(self, x: int, largest: int) -> tuple[tuple[int, int], tuple[int, int], Padding]:
        """Filter, stride and padding that fit the image."""
        rng, (_, height, width, _) = self.rng, self.builder.shape(x)
        filter_size = (int(rng.integers(1, largest + 1)), int(rng.integers(1, largest + 1)))
        stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4))) if rng.random() < 0.4 else (1, 1)
        fits = filter_size[0] <= height and filter_size[1] <= width
        padding = Padding.VALID if fits and rng.random() < 0.4 else Padding.SAME
        return filter_size, stride, padding

    def dilation(self, x: int, filter_size: tuple[int, int], padding: Padding) -> tuple[int, int]:
        """Usually none, or one that fits the image."""
        _, height, width, _ = self.builder.shape(x)
        dilation = (2, 3) if self.rng.random() < 0.2 else (1, 1)
        spans = [(size - 1) * d + 1 for size, d in zip(filter_size, dilation, strict=True)]
        return dilation if padding is Padding.SAME or (spans[0] <= height and spans[1] <= width) else (1, 1)

    def conv_2d(self, x: int, out_channels: int | None = None) -> int:
        """A convolution; one with so many channels keeps the size of the image."""
        rng, channels = self.rng, self.builder.shape(x)[3]
        filter_size, stride, padding = self.window(x, 1 if rng.random() < 0.4 else 5)
        if out_channels is not None:
            stride, padding = (1, 1), Padding.SAME
        divisors = [g for g in range(2, channels + 1) if channels % g == 0]
        groups = divisors[rng.integers(len(divisors))] if divisors and rng.random() < 0.2 else 1
        if out_channels is not None and out_channels % groups:
            groups = 1
        return self.builder.conv_2d(
            x,
            out_channels if out_channels is not None else groups * int(rng.integers(1, max(2, 17 // groups))),
            filter_size,
            stride=stride,
            padding=padding,
            groups=groups,
            dilation=self.dilation(x, filter_size, padding) if stride == (1, 1) else 1,
            activation=self.activation(),
            name=self.name("conv"),
        )

    def partner(self, x: int) -> int:
        """A tensor of x's shape: an earlier one (a residual), a convolution of x (a branch), or x itself."""
        shape = self.builder.shape(x)
        matches = [t for t in self.earlier if self.builder.shape(t) == shape]
        if matches and self.rng.random() < 0.6:
            return matches[self.rng.integers(len(matches))]
        if OpKind.CONV_2D in self.kinds and self.rng.random() < 0.8:
            return self.conv_2d(x, out_channels=shape[3])
        return x

    def mean(self, x: int, *, keep_dims: bool) -> int:
        """The mean over some dimensions."""
        # TFLM has room for two reduced axes (micro/kernels/reduce.cc).
        axes = ((1, 2), (1, 2), (3,), (1,), (2, 3))[self.rng.integers(5)]
        return self.builder.mean(x, axes, keep_dims=keep_dims, name=self.name("mean"))


def _scale_of_first(inputs: Sequence[Quantization]) -> float:
    return inputs[0].scale


@dataclass(frozen=True)
class RandomOperator:
    """How an operator occurs in random networks.

    Attributes:
        name: Of the operator.
        frequency: How often it is drawn, relative to the others.
        grow: Adds it behind a tensor [N, H, W, C]; gives another one of four dimensions.
        output_scale: (quantizations of its activations) -> the scale of an int8 output that spreads over about `STEPS`
            steps. Not asked of operators with weights, of those that move values, and where it is fixed.
    """

    name: str
    frequency: float
    grow: Callable[[GrowingNetwork, int], int]
    output_scale: Callable[[Sequence[Quantization]], float] = _scale_of_first
