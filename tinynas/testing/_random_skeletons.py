"""Random network topologies: chains, residuals, branches that meet again, odd sizes, every operator."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy as np

from tinynas.graph import Activation, DType, Graph, GraphBuilder, OpKind, Padding

_ACTIVATIONS = tuple(Activation)
_BODY: dict[OpKind, float] = {
    OpKind.CONV_2D: 5,
    OpKind.DEPTHWISE_CONV_2D: 4,
    OpKind.AVERAGE_POOL_2D: 1,
    OpKind.MAX_POOL_2D: 1,
    OpKind.ADD: 3,
    OpKind.MUL: 2,
    OpKind.CONCATENATION: 2,
    OpKind.PAD: 2,
    OpKind.QUANTIZE: 1,
    OpKind.RESIZE_NEAREST_NEIGHBOR: 1,
    OpKind.TRANSPOSE: 1,
    OpKind.SOFTMAX: 0.3,
    OpKind.MEAN: 0.3,
}
"""Operators of the body and how often each is drawn, relative to the others."""


class SkeletonGenerator:
    """Grows one network from its input; every operator reads the newest tensor, so nothing is left unread."""

    def __init__(self, rng: np.random.Generator, kinds: Collection[OpKind], max_elements: int) -> None:
        self._rng = rng
        self._kinds = frozenset(kinds)
        self._max_elements = max_elements
        self._builder = GraphBuilder("random", DType.INT8)
        self._count = 0
        self._earlier: list[int] = []

    def graph(self, operators: int) -> Graph:
        """A network of about `operators` operators with one input and one output."""
        rng = self._rng
        shape = (1, int(rng.integers(4, 14)), int(rng.integers(4, 14)), int(rng.integers(1, 9)))
        float_input = OpKind.QUANTIZE in self._kinds and rng.random() < 0.2
        x = self._builder.input(shape, dtype=DType.FLOAT32 if float_input else DType.INT8)
        if float_input:
            x = self._builder.quantize(x, name=self._name("quantize"))
        body = [kind for kind in _BODY if kind in self._kinds] or [OpKind.CONV_2D]
        weights = np.array([_BODY[kind] for kind in body])
        for _ in range(operators):
            self._earlier.append(x)
            x = self._step(x, body[rng.choice(len(body), p=weights / weights.sum())])
        x = self._tail(x)
        if OpKind.DEQUANTIZE in self._kinds and rng.random() < 0.2:
            x = self._builder.dequantize(x, name=self._name("dequantize"))
        return self._builder.build([x])

    def _name(self, stem: str) -> str:
        self._count += 1
        return f"{stem}{self._count}"

    def _step(self, x: int, kind: OpKind) -> int:
        grow: dict[OpKind, Callable[[int], int]] = {
            OpKind.CONV_2D: self._conv_2d,
            OpKind.DEPTHWISE_CONV_2D: self._depthwise_conv_2d,
            OpKind.AVERAGE_POOL_2D: self._pool_2d,
            OpKind.MAX_POOL_2D: self._pool_2d,
            OpKind.ADD: self._add,
            OpKind.MUL: self._mul,
            OpKind.CONCATENATION: self._concatenation,
            OpKind.PAD: self._pad,
            OpKind.QUANTIZE: lambda x: self._builder.quantize(x, name=self._name("requantize")),
            OpKind.RESIZE_NEAREST_NEIGHBOR: self._resize,
            OpKind.TRANSPOSE: self._transpose,
            OpKind.SOFTMAX: self._softmax,
            OpKind.MEAN: lambda x: self._builder.mean(x, self._mean_axes(), keep_dims=True, name=self._name("mean")),
        }
        return grow[kind](x)

    def _activation(self) -> Activation:
        return _ACTIVATIONS[self._rng.integers(len(_ACTIVATIONS))]

    def _window(self, x: int, largest: int) -> tuple[tuple[int, int], tuple[int, int], Padding]:
        """Filter, stride and padding that fit the image."""
        rng, (_, height, width, _) = self._rng, self._builder.shape(x)
        filter_size = (int(rng.integers(1, largest + 1)), int(rng.integers(1, largest + 1)))
        stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4))) if rng.random() < 0.4 else (1, 1)
        fits = filter_size[0] <= height and filter_size[1] <= width
        padding = Padding.VALID if fits and rng.random() < 0.4 else Padding.SAME
        return filter_size, stride, padding

    def _dilation(self, x: int, filter_size: tuple[int, int], padding: Padding) -> tuple[int, int]:
        _, height, width, _ = self._builder.shape(x)
        dilation = (2, 3) if self._rng.random() < 0.2 else (1, 1)
        spans = [(size - 1) * d + 1 for size, d in zip(filter_size, dilation, strict=True)]
        return dilation if padding is Padding.SAME or (spans[0] <= height and spans[1] <= width) else (1, 1)

    def _conv_2d(self, x: int, out_channels: int | None = None) -> int:
        rng, channels = self._rng, self._builder.shape(x)[3]
        filter_size, stride, padding = self._window(x, 1 if rng.random() < 0.4 else 5)
        if out_channels is not None:
            stride, padding = (1, 1), Padding.SAME
        divisors = [g for g in range(2, channels + 1) if channels % g == 0]
        groups = divisors[rng.integers(len(divisors))] if divisors and rng.random() < 0.2 else 1
        if out_channels is not None and out_channels % groups:
            groups = 1
        return self._builder.conv_2d(
            x,
            out_channels if out_channels is not None else groups * int(rng.integers(1, max(2, 17 // groups))),
            filter_size,
            stride=stride,
            padding=padding,
            groups=groups,
            dilation=self._dilation(x, filter_size, padding) if stride == (1, 1) else 1,
            activation=self._activation(),
            name=self._name("conv"),
        )

    def _depthwise_conv_2d(self, x: int) -> int:
        filter_size, stride, padding = self._window(x, 7)
        channels = self._builder.shape(x)[3]
        return self._builder.depthwise_conv_2d(
            x,
            filter_size,
            stride=stride,
            padding=padding,
            depth_multiplier=int(self._rng.integers(1, 4)) if channels < 8 else 1,
            dilation=self._dilation(x, filter_size, padding) if stride == (1, 1) else 1,
            activation=self._activation(),
            bias=bool(self._rng.random() < 0.8),
            name=self._name("depthwise"),
        )

    def _pool_2d(self, x: int) -> int:
        filter_size, stride, padding = self._window(x, 4)
        choices = [kind for kind in (OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D) if kind in self._kinds]
        is_average = choices[self._rng.integers(len(choices))] is OpKind.AVERAGE_POOL_2D
        pool = self._builder.average_pool_2d if is_average else self._builder.max_pool_2d
        return pool(
            x, filter_size, stride=stride, padding=padding, activation=self._activation(), name=self._name("pool")
        )

    def _partner(self, x: int) -> int:
        """A tensor of x's shape: an earlier one (a residual), a convolution of x (a branch), or x itself."""
        shape = self._builder.shape(x)
        matches = [t for t in self._earlier if self._builder.shape(t) == shape]
        if matches and self._rng.random() < 0.6:
            return matches[self._rng.integers(len(matches))]
        if OpKind.CONV_2D in self._kinds and self._rng.random() < 0.8:
            return self._conv_2d(x, out_channels=shape[3])
        return x

    def _broadcast_partner(self, x: int) -> int | None:
        """The mean over some dimensions, which broadcasts against x (squeeze and excitation does this)."""
        if OpKind.MEAN not in self._kinds or self._rng.random() < 0.6:
            return None
        return self._builder.mean(x, self._mean_axes(), keep_dims=True, name=self._name("mean"))

    def _add(self, x: int) -> int:
        other = self._broadcast_partner(x)
        a, b = (x, self._partner(x)) if other is None else (x, other)
        a, b = (a, b) if self._rng.random() < 0.5 else (b, a)
        return self._builder.add(a, b, activation=self._activation(), name=self._name("add"))

    def _mul(self, x: int) -> int:
        other = self._broadcast_partner(x)
        a, b = (x, self._partner(x)) if other is None else (x, other)
        a, b = (a, b) if self._rng.random() < 0.5 else (b, a)
        return self._builder.mul(a, b, activation=self._activation(), name=self._name("mul"))

    def _concatenation(self, x: int) -> int:
        if 2 * math.prod(self._builder.shape(x)) > self._max_elements:
            return self._pool_2d(x) if {OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D} & self._kinds else self._conv_2d(x)
        parts = [x, self._partner(x)] + ([self._partner(x)] if self._rng.random() < 0.3 else [])
        axis = 3 if self._rng.random() < 0.7 else int(self._rng.integers(1, 4))
        return self._builder.concatenation(parts, axis, name=self._name("concat"))

    def _pad(self, x: int) -> int:
        amounts = self._rng.integers(0, 3, (3, 2)).tolist()
        if self._rng.random() < 0.7:
            amounts[2] = [0, 0]
        return self._builder.pad(x, [(0, 0), *((a, b) for a, b in amounts)], name=self._name("pad"))

    def _resize(self, x: int) -> int:
        rng = self._rng
        size = (int(rng.integers(1, 15)), int(rng.integers(1, 15)))
        align = bool(rng.random() < 0.3)
        half = bool(not align and rng.random() < 0.4)
        return self._builder.resize_nearest_neighbor(
            x, size, align_corners=align, half_pixel_centers=half, name=self._name("resize")
        )

    def _transpose(self, x: int) -> int:
        permutation = (0, *(1 + self._rng.permutation(3)).tolist())
        return self._builder.transpose(x, permutation, name=self._name("transpose"))

    def _mean_axes(self) -> tuple[int, ...]:
        # TFLM has room for two reduced axes (micro/kernels/reduce.cc).
        return ((1, 2), (1, 2), (3,), (1,), (2, 3))[self._rng.integers(5)]

    def _tail(self, x: int) -> int:
        """Sometimes a classifier, sometimes a reduction, sometimes nothing."""
        rng, builder, choice = self._rng, self._builder, self._rng.random()
        if choice < 0.2:
            return x
        if choice < 0.6 and OpKind.MEAN in self._kinds:
            x = builder.mean(x, self._mean_axes(), keep_dims=False, name=self._name("mean"))
        elif choice < 0.8 and OpKind.RESHAPE in self._kinds:
            x = builder.reshape(x, (1, -1), name=self._name("reshape"))
        if OpKind.FULLY_CONNECTED in self._kinds and rng.random() < 0.7:
            x = builder.fully_connected(
                x,
                int(rng.integers(1, 20)),
                activation=self._activation(),
                bias=bool(rng.random() < 0.8),
                name=self._name("dense"),
            )
        return self._softmax(x) if OpKind.SOFTMAX in self._kinds and rng.random() < 0.5 else x

    def _softmax(self, x: int) -> int:
        # Both runtimes abort if exponentials sum up to 512 or more: every probability would round to zero.
        return self._builder.softmax(x, name=self._name("softmax")) if self._builder.shape(x)[-1] < 512 else x
