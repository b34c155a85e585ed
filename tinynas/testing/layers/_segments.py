"""Random networks of which parts run row by row: chains and branches of all layers that can."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from tinynas.graph import Activation, DType, Graph, GraphBuilder, Padding, count_macs
from tinynas.kernels import InstructionSet
from tinynas.lowering import StreamError, StreamPlan, lower, stream_cuts, streamed_shape
from tinynas.testing._random_quantization import QuantizationFiller
from tinynas.testing.layers._heads import random_head
from tinynas.testing.layers._layer import Layer
from tinynas.testing.layers._units import guarded_arena, guarded_buffers

_MOST_MACS = 150_000
"""Of one network: it takes tenths of a second on the emulator."""
_ATTEMPTS = 100
_ACTIVATIONS = tuple(Activation)


def random_segments(seed: int, index: int, instruction_set: InstructionSet = InstructionSet.DSP) -> Layer:
    """Network `index` of the sequence that `seed` stands for, of which one part or more runs row by row.

    Half of them are a single segment. Their arena is the planned one, with guard bytes around it, or has guard bytes
    around every buffer, so that a segment that leaves its own is seen.
    """
    rng = np.random.default_rng((seed, index))
    for _ in range(_ATTEMPTS):
        is_whole = rng.random() < 0.5
        skeleton = segment_skeleton(rng, has_head=not is_whole or rng.random() < 0.5)
        if count_macs(skeleton) > _MOST_MACS:
            continue
        graph = QuantizationFiller(rng, skeleton, extreme=rng.random() < 0.3).graph()
        streams = draw_streams(rng, graph, instruction_set, is_whole=is_whole)
        try:
            schedule = lower(graph, instruction_set=instruction_set, streams=streams)
        except StreamError:
            continue  # rows that see nothing but padding, or two readers of which now one lags and now the other
        if streams:
            plan = guarded_arena(schedule) if rng.random() < 0.5 else guarded_buffers(schedule)
            return Layer(f"segments {seed}/{index}", schedule, plan)
    raise RuntimeError(f"none of {_ATTEMPTS} random networks can run row by row")


def segment_skeleton(rng: np.random.Generator, *, has_head: bool) -> Graph:
    """A chain of windows, residual sums, branches and element-wise layers, and perhaps a classifier behind it."""
    sketch = _Sketch(rng)
    b = sketch.builder
    x = b.input((1, sketch.number(4, 24), sketch.number(1, 10), sketch.number(1, 12)))
    kinds = list(_KINDS)
    for i in range(sketch.number(2, 8)):
        x = _KINDS[kinds[sketch.number(0, len(kinds) - 1)]](sketch, x, f"part{i}")
    if has_head:
        x = random_head(rng, b, x)
    return b.build([x])


def draw_streams(
    rng: np.random.Generator, graph: Graph, instruction_set: InstructionSet, *, is_whole: bool
) -> list[StreamPlan]:
    """Segments between some of the places where they may begin and end, of few rows a call or many.

    Args:
        rng: The dice.
        graph: The network.
        instruction_set: Of the core.
        is_whole: All that can run row by row does so, in one segment where it is in one stretch.
    """
    plain = lower(graph, instruction_set=instruction_set)
    plans = []
    for stretch in stream_cuts(plain):
        cuts = [stretch[0], *(cut for cut in stretch[1:-1] if not is_whole and rng.random() < 0.4), stretch[-1]]
        most = int(rng.choice([1, 2, 3, 5, 30]))
        for first, end in itertools.pairwise(cuts):
            heights = [streamed_shape(plain, i)[0] for i in range(first, end)]
            rows = tuple(int(rng.integers(1, min(most, height) + 1)) for height in heights)
            if is_whole or rng.random() < 0.8:
                plans.append(StreamPlan(first, rows))
    return plans


class _Sketch:
    """One network in the making, and the dice."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.builder = GraphBuilder("segments", DType.INT8)

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def activation(self) -> Activation:
        return _ACTIVATIONS[self.number(0, len(_ACTIVATIONS) - 1)]

    def stride(self, x: int) -> tuple[int, int]:
        """Of one or two, now and then three, rather small where rows are few."""
        if self.builder.shape(x)[1] < 5 or self.rng.random() < 0.5:
            return 1, 1
        return self.number(1, 3), self.number(1, 2)

    def window(self, x: int) -> tuple[tuple[int, int], Padding]:
        """Up to five rows, and how the image is padded for them."""
        _, height, width, _ = self.builder.shape(x)
        size = self.number(1, 5), self.number(1, 4)
        fits = size[0] <= height and size[1] <= width
        return size, Padding.VALID if fits and self.rng.random() < 0.3 else Padding.SAME


def _conv(s: _Sketch, x: int, name: str) -> int:
    size, padding = s.window(x)
    stride = s.stride(x)
    dilation = 2 if stride == (1, 1) and padding is Padding.SAME and s.rng.random() < 0.3 else 1
    return s.builder.conv_2d(
        x,
        s.number(1, 20),
        size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        activation=s.activation(),
        name=name,
    )


def _padded(s: _Sketch, x: int, name: str) -> int:
    y = s.builder.pad(x, [(0, 0), (s.number(0, 3), s.number(0, 3)), (1, 1), (0, 0)], name=f"{name}_pad")
    size = min(5, s.builder.shape(y)[1]), min(3, s.builder.shape(y)[2])
    return s.builder.conv_2d(y, s.number(1, 12), size, padding=Padding.VALID, stride=s.stride(y), name=name)


def _pad_alone(s: _Sketch, x: int, name: str) -> int:
    """Read by a pooling, which cannot take over the padding: the PAD stays."""
    paddings = [(0, 0), (s.number(0, 3), s.number(0, 3)), (s.number(0, 2), s.number(0, 2)), (0, s.number(0, 1))]
    y = s.builder.pad(x, paddings, name=f"{name}_pad")
    size = min(3, s.builder.shape(y)[1]), min(2, s.builder.shape(y)[2])
    return s.builder.max_pool_2d(y, size, stride=s.stride(y), name=name)


def _depthwise(s: _Sketch, x: int, name: str) -> int:
    size = (3, 3) if s.rng.random() < 0.4 else (5, 5) if s.rng.random() < 0.3 else (s.number(1, 7), s.number(1, 5))
    stride = s.stride(x)[0]
    return s.builder.depthwise_conv_2d(x, size, stride=stride, activation=s.activation(), name=name)


def _pointwise(s: _Sketch, x: int, name: str) -> int:
    return s.builder.conv_2d(x, s.number(1, 24), 1, activation=s.activation(), name=name)


def _pool(s: _Sketch, x: int, name: str) -> int:
    size, padding = s.window(x)
    build = s.builder.average_pool_2d if s.rng.random() < 0.5 else s.builder.max_pool_2d
    return build(x, size, stride=s.stride(x), padding=padding, name=name)


def _requantize(s: _Sketch, x: int, name: str) -> int:
    return s.builder.quantize(x, name=name)


def _residual(s: _Sketch, x: int, name: str) -> int:
    """An inverted bottleneck, whose input waits for its sum."""
    b, channels = s.builder, s.builder.shape(x)[3]
    y = b.conv_2d(x, s.number(1, 3) * channels, 1, activation=Activation.RELU6, name=f"{name}_expand")
    y = b.depthwise_conv_2d(y, int(s.rng.choice([3, 5, 7])), name=f"{name}_depthwise")
    return b.add(x, b.conv_2d(y, channels, 1, name=f"{name}_project"), activation=s.activation(), name=name)


def _branches(s: _Sketch, x: int, name: str) -> int:
    """Two windows of one height or of two, side by side, and their sum or product."""
    b, channels, stride = s.builder, s.number(1, 10), s.stride(x)
    left, right = (
        b.conv_2d(x, channels, (s.number(1, 5), s.number(1, 3)), stride=stride, name=f"{name}_{side}")
        for side in ("left", "right")
    )
    join = b.add if s.rng.random() < 0.7 else b.mul
    return join(left, right, name=name)


def _twice(s: _Sketch, x: int, name: str) -> int:
    """Rows that are both operands."""
    return (s.builder.add if s.rng.random() < 0.5 else s.builder.mul)(x, x, name=name)


def _gate(s: _Sketch, x: int, name: str) -> int:
    """Rows multiplied with what some rows around them say."""
    y = s.builder.depthwise_conv_2d(x, (s.number(1, 5), 1), name=f"{name}_around")
    return s.builder.mul(y, x, name=name)


_KINDS: dict[str, Callable[[_Sketch, int, str], int]] = {
    "conv": _conv,
    "padded": _padded,
    "pad alone": _pad_alone,
    "depthwise": _depthwise,
    "pointwise": _pointwise,
    "pool": _pool,
    "requantize": _requantize,
    "residual": _residual,
    "branches": _branches,
    "gate": _gate,
    "twice": _twice,
}
