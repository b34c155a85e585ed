"""Networks of one operator, drawn at random: sizes that leave tails everywhere, every attribute the operator has."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from tinynas.graph import OWN_KINDS, Activation, DType, Graph, GraphBuilder, Padding
from tinynas.testing.operators import unary_attributes

MAX_CHANNELS = 67
_MAX_MACS = 60_000  # a layer takes milliseconds on the emulator
_MAX_ELEMENTS = 6_000
_ACTIVATIONS = tuple(Activation)


class _Sketch:
    """One network in the making, and the dice."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.builder = GraphBuilder("layer", DType.INT8)

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def channels(self) -> int:
        """1 to 67: few are common in tests and many in networks, so half of the draws are below 13."""
        return self.number(1, 12) if self.chance(0.5) else self.number(1, MAX_CHANNELS)

    def activation(self) -> Activation:
        return _ACTIVATIONS[self.number(0, len(_ACTIVATIONS) - 1)]

    def image(self, channels: int, largest: int = 11) -> int:
        """An input [1, H, W, channels] that is not too large."""
        side = max(1, min(largest, math.isqrt(_MAX_ELEMENTS // channels)))
        return self.builder.input((1, self.number(1, side), self.number(1, side), channels))

    def window(self, largest: int) -> tuple[int, int]:
        """Usually square and odd, as networks have them."""
        if self.chance(0.6):
            side = 2 * self.number(0, largest // 2) + 1
            return side, side
        return self.number(1, largest), self.number(1, largest)

    def stride(self, largest: int = 3) -> tuple[int, int]:
        if self.chance(0.7):
            side = self.number(1, 2)
            return side, side
        return self.number(1, largest), self.number(1, largest)

    def padding(self, x: int, window: tuple[int, int]) -> Padding:
        _, height, width, _ = self.builder.shape(x)
        fits = window[0] <= height and window[1] <= width
        return Padding.VALID if fits and self.chance(0.5) else Padding.SAME

    def affordable(self, x: int, macs_per_channel_pair: float, outputs: int) -> int:
        """At most `outputs` output channels, so that the layer stays small."""
        channels = self.builder.shape(x)[3]
        return max(1, min(outputs, int(_MAX_MACS / max(1.0, macs_per_channel_pair * channels))))

    def padded(self, x: int) -> int:
        before_after = [(0, 0), *((self.number(0, 3), self.number(0, 3)) for _ in range(2)), (0, 0)]
        return self.builder.pad(x, before_after, name="pad")


def _area(sketch: _Sketch, x: int, stride: tuple[int, int]) -> float:
    _, height, width, _ = sketch.builder.shape(x)
    return math.ceil(height / stride[0]) * math.ceil(width / stride[1])


def _convolution(sketch: _Sketch, x: int, window: tuple[int, int], stride: tuple[int, int], outputs: int) -> int:
    b = sketch.builder
    channels = b.shape(x)[3]
    outputs = sketch.affordable(x, window[0] * window[1] * _area(sketch, x, stride), outputs)
    groups = 1
    if sketch.chance(0.12):
        groups = int(sketch.rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
        outputs = groups * max(1, min(outputs, MAX_CHANNELS) // groups)
    padding = sketch.padding(x, window)
    dilation = (sketch.number(1, 2), sketch.number(1, 3)) if sketch.chance(0.1) and padding is Padding.SAME else (1, 1)
    return b.conv_2d(
        x,
        outputs,
        window,
        stride=stride if dilation == (1, 1) else (1, 1),
        padding=padding,
        groups=groups,
        dilation=dilation,
        activation=sketch.activation(),
        bias=not sketch.chance(0.1),
        name="conv",
    )


def _conv_1x1(sketch: _Sketch) -> int:
    x = sketch.image(sketch.channels())
    b = sketch.builder
    outputs = sketch.affordable(x, _area(sketch, x, (1, 1)), sketch.channels())
    return b.conv_2d(
        x, outputs, 1, activation=sketch.activation(), bias=not sketch.chance(0.1), name="conv", padding=Padding.VALID
    )


def _conv_2d(sketch: _Sketch) -> int:
    return _convolution(sketch, sketch.image(sketch.channels()), sketch.window(7), sketch.stride(), sketch.channels())


def _conv_3x3(sketch: _Sketch) -> int:
    return _convolution(sketch, sketch.image(sketch.channels(), 9), (3, 3), sketch.stride(2), sketch.channels())


def _first_conv(sketch: _Sketch) -> int:
    x = sketch.image(int(sketch.rng.choice([1, 3, 4])), 24)
    window = (3, 3) if sketch.chance(0.5) else sketch.window(10)
    return _convolution(sketch, x, window, sketch.stride(), sketch.number(1, 32))


def _padded_conv_2d(sketch: _Sketch) -> int:
    x = sketch.padded(sketch.image(sketch.channels(), 8))
    return _convolution(sketch, x, sketch.window(5), sketch.stride(), sketch.channels())


def _depthwise(sketch: _Sketch, x: int, multiplier: int = 1) -> int:
    window = sketch.window(7)
    padding = sketch.padding(x, window)
    dilated = sketch.chance(0.1) and padding is Padding.SAME
    return sketch.builder.depthwise_conv_2d(
        x,
        window,
        stride=(1, 1) if dilated else sketch.stride(),
        dilation=(sketch.number(1, 2), sketch.number(1, 3)) if dilated else (1, 1),
        padding=padding,
        depth_multiplier=multiplier,
        activation=sketch.activation(),
        bias=not sketch.chance(0.1),
        name="depthwise",
    )


def _depthwise_conv_2d(sketch: _Sketch) -> int:
    return _depthwise(sketch, sketch.image(sketch.channels(), 13))


def _depthwise_3x3(sketch: _Sketch) -> int:
    """The depthwise layers of most networks: channels in fours, and strides of 2 with padding on either side."""
    b = sketch.builder
    x = sketch.image(4 * sketch.number(1, 10) if sketch.chance(0.8) else sketch.channels(), 13)
    if sketch.chance(0.3):
        x = b.pad(x, [(0, 0), *((sketch.number(0, 1), sketch.number(0, 1)) for _ in range(2)), (0, 0)], name="pad")
    stride = sketch.number(1, 2)
    padding = sketch.padding(x, (3, 3))
    return b.depthwise_conv_2d(x, 3, stride=stride, padding=padding, activation=sketch.activation(), name="depthwise")


def _depthwise_multiplied(sketch: _Sketch) -> int:
    return _depthwise(sketch, sketch.image(sketch.number(1, 16), 10), sketch.number(2, 4))


def _padded_depthwise(sketch: _Sketch) -> int:
    return _depthwise(sketch, sketch.padded(sketch.image(sketch.channels(), 9)))


def _fully_connected(sketch: _Sketch) -> int:
    b = sketch.builder
    x = b.input((sketch.number(1, 3), sketch.number(1, 400 if sketch.chance(0.3) else MAX_CHANNELS)))
    return b.fully_connected(
        x, sketch.channels(), activation=sketch.activation(), bias=not sketch.chance(0.1), name="dense"
    )


def _operands(sketch: _Sketch) -> tuple[int, int]:
    """Two inputs of one shape, or one that broadcasts to the other's."""
    shape = (1, sketch.number(1, 9), sketch.number(1, 9), sketch.channels())
    other: tuple[int, ...] = shape
    if sketch.chance(0.4):
        kept = tuple(size if sketch.chance(0.5) else 1 for size in shape)
        other = kept[sketch.number(0, 3) :] if sketch.chance(0.3) else kept
    shapes = (shape, other) if sketch.chance(0.5) else (other, shape)
    x, y = (sketch.builder.input(s, name) for s, name in zip(shapes, "xy", strict=True))
    return x, y


def _add(sketch: _Sketch) -> int:
    return sketch.builder.add(*_operands(sketch), activation=sketch.activation(), name="add")


def _mul(sketch: _Sketch) -> int:
    return sketch.builder.mul(*_operands(sketch), activation=sketch.activation(), name="mul")


def _pool(sketch: _Sketch) -> tuple[int, dict[str, object]]:
    x = sketch.image(sketch.channels())
    window = sketch.window(5)
    return x, {
        "filter_size": window,
        "stride": sketch.stride(),
        "padding": sketch.padding(x, window),
        "activation": sketch.activation(),
        "name": "pool",
    }


def _average_pool_2d(sketch: _Sketch) -> int:
    x, arguments = _pool(sketch)
    return sketch.builder.average_pool_2d(x, **arguments)  # type: ignore[arg-type]


def _max_pool_2d(sketch: _Sketch) -> int:
    x, arguments = _pool(sketch)
    return sketch.builder.max_pool_2d(x, **arguments)  # type: ignore[arg-type]


def _mean(sketch: _Sketch) -> int:
    x = sketch.image(sketch.channels())
    axes = [(1, 2), (1, 2), (1,), (2,), (3,), (1, 2, 3)][sketch.number(0, 5)]
    return sketch.builder.mean(x, axes, keep_dims=sketch.chance(0.5), name="mean")


def _softmax(sketch: _Sketch) -> int:
    x = sketch.builder.input((sketch.number(1, 5), sketch.number(1, MAX_CHANNELS)))
    return sketch.builder.softmax(x, float(sketch.rng.choice([0.5, 1.0, 2.0])), name="softmax")


def _concatenation(sketch: _Sketch) -> int:
    axis = sketch.number(1, 3)
    shape = [1, sketch.number(1, 7), sketch.number(1, 7), sketch.number(1, 24)]
    parts = []
    for i in range(sketch.number(2, 4)):
        shape[axis] = sketch.number(1, 9)
        parts.append(sketch.builder.input(tuple(shape), f"part{i}"))
    return sketch.builder.concatenation(parts, axis, name="join")


def _pad(sketch: _Sketch) -> int:
    x = sketch.image(sketch.number(1, 24), 8)
    before_after = [(0, 0), *((sketch.number(0, 3), sketch.number(0, 3)) for _ in range(3))]
    return sketch.builder.pad(x, before_after, name="pad")


def _reshape(sketch: _Sketch) -> int:
    return sketch.builder.reshape(sketch.image(sketch.channels(), 8), (1, -1), name="reshape")


def _quantize(sketch: _Sketch) -> int:
    return sketch.builder.quantize(sketch.image(sketch.channels()), name="requantize")


def _resize(sketch: _Sketch) -> int:
    x = sketch.image(sketch.number(1, 24), 7)
    return sketch.builder.resize_nearest_neighbor(
        x,
        (sketch.number(1, 14), sketch.number(1, 14)),
        align_corners=(corners := sketch.chance(0.3)),
        half_pixel_centers=not corners and sketch.chance(0.5),
        name="resize",
    )


def _transpose(sketch: _Sketch) -> int:
    x = sketch.image(sketch.number(1, 24), 8)
    return sketch.builder.transpose(x, [0, *(1 + sketch.rng.permutation(3)).tolist()], name="transpose")


def _lookup_table(sketch: _Sketch) -> int:
    kinds = [kind for kind in OWN_KINDS if kind.spec.table is not None]
    kind = kinds[sketch.number(0, len(kinds) - 1)]
    x = sketch.image(sketch.channels())
    return sketch.builder.operator(kind, [x], unary_attributes(kind, sketch.rng), name="lookup")[0]


_DRAW: Mapping[str, tuple[float, Callable[[_Sketch], int]]] = MappingProxyType(
    {
        "conv_1x1": (14, _conv_1x1),
        "conv_3x3": (9, _conv_3x3),
        "conv_2d": (11, _conv_2d),
        "first_conv": (8, _first_conv),
        "padded_conv_2d": (4, _padded_conv_2d),
        "depthwise_conv_2d": (16, _depthwise_conv_2d),
        "depthwise_3x3": (8, _depthwise_3x3),
        "depthwise_multiplied": (3, _depthwise_multiplied),
        "padded_depthwise": (4, _padded_depthwise),
        "fully_connected": (8, _fully_connected),
        "add": (5, _add),
        "mul": (4, _mul),
        "average_pool_2d": (3, _average_pool_2d),
        "max_pool_2d": (3, _max_pool_2d),
        "mean": (3, _mean),
        "softmax": (2, _softmax),
        "concatenation": (2, _concatenation),
        "pad": (2, _pad),
        "reshape": (0.5, _reshape),
        "quantize": (2, _quantize),
        "resize_nearest_neighbor": (2, _resize),
        "transpose": (2, _transpose),
        "lookup_table": (2, _lookup_table),
    }
)

LAYER_KINDS: tuple[str, ...] = tuple(_DRAW)
"""What `layer_skeleton` draws: operators, the important ones split by how they occur in networks."""


def draw_kind(rng: np.random.Generator, kinds: tuple[str, ...] = LAYER_KINDS) -> str:
    """One of `kinds`; those with more paths to go wrong on come more often."""
    weights = np.array([_DRAW[kind][0] for kind in kinds])
    return kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]


def layer_skeleton(rng: np.random.Generator, kind: str) -> Graph:
    """A network of one operator (two, where padding is to be fused), without weights and quantization."""
    sketch = _Sketch(rng)
    return sketch.builder.build([_DRAW[kind][1](sketch)])
