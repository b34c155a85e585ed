"""Probes: networks of many small layers of a few kernel variants, for the loops that random networks rarely take."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

from tinynas.graph import Graph, OpKind, Padding, UnaryAttributes
from tinynas.latency._random_networks import Composer, NetworkLimits

PROBE_LAYERS = 24
"""Layers of interest in one probe: a build and a transfer take longer than they do."""

_SHAPES = 20
"""Shapes drawn for a planar kernel before one is taken that does not suit it."""

_CHANNEL_BYTES = 12
"""Flash of a channel beside its weights: bias, multiplier and shift."""

_MOST_INPUTS, _MOST_OUTPUTS = 128, 32  # of fully connected layers
_MOST_THIN = 96  # channels
_DEEPEST_SOFTMAX = 4095  # that the kernel takes
_Layer = Callable[[Composer, int], int]


def _depthwise(width: int, stride: int) -> _Layer:
    """Windows `width` wide along the longer side of the image, which is the one that planar kernels take as rows."""

    def layer(composer: Composer, x: int) -> int:
        height = 3 if width == 3 else composer.draw(1, 7)
        shapes = [_shape(composer) for _ in range(_SHAPES)]
        shape = next((s for s in shapes if _suits_planes(s, height, width, composer.limits)), shapes[0])
        size = (height, width) if shape[1] >= shape[0] else (width, height)
        return _window(composer, _reshaped(composer, x, shape), size, stride)

    return layer


def _suits_planes(shape: tuple[int, int, int], across: int, along: int, limits: NetworkLimits) -> bool:
    """Whether there are enough channels for a padded plane to be small beside the image, and few enough for flash."""
    rows, columns = sorted(shape[:2])
    plane = 2 * (rows + across) * (columns + along + 1) + 4 * across * along
    return plane < math.prod(shape) and (across * along + _CHANNEL_BYTES) * shape[2] <= limits.weight_bytes


def _reshaped_before(layer: _Layer) -> _Layer:
    """The same layer on an image of another shape than the chain has brought."""
    return lambda composer, x: layer(composer, _reshaped(composer, x, _shape(composer)))


def _any_depthwise(composer: Composer, x: int) -> int:
    return _window(composer, x, (composer.draw(1, 8), composer.draw(1, 8)), composer.draw(1, 3))


def _dilated(composer: Composer, x: int) -> int:
    return _window(composer, x, (composer.draw(1, 5), composer.draw(2, 5)), composer.draw(1, 2), dilation=2)


def _window(composer: Composer, x: int, size: tuple[int, int], stride: int, dilation: int = 1) -> int:
    """A depthwise convolution; padded where the window is larger than the image, as in the last layers of networks."""
    _, rows, columns, channels = composer.builder.shape(x)
    if math.prod(size) * channels > composer.limits.weight_bytes:
        size = (1, 2)
    inside = (size[0] - 1) * dilation < rows and (size[1] - 1) * dilation < columns
    return composer.builder.depthwise_conv_2d(
        x,
        size,
        stride=stride,
        dilation=dilation,
        padding=composer.padding() if inside else Padding.SAME,
        activation=composer.activation(),
        name=composer.name("depthwise"),
    )


def _dense(composer: Composer, x: int) -> int:
    _, rows, columns, channels = composer.builder.shape(x)
    size = (min(rows, composer.draw(1, 7)), min(columns, composer.draw(1, 7)))
    if math.prod(size) * channels > composer.limits.weight_bytes // 4:
        size = (1, min(columns, 2))
    return composer.convolve(x, size, composer.draw(1, 3), 1)


def _pool(composer: Composer, x: int) -> int:
    _, rows, columns, _ = composer.builder.shape(x)
    size = (min(rows, composer.draw(1, 4)), min(columns, composer.draw(1, 4)))
    stride, padding = composer.draw(1, 2), composer.padding()
    build = composer.builder.average_pool_2d if composer.rng.random() < 0.5 else composer.builder.max_pool_2d
    activation = composer.activation()
    return build(x, size, stride=stride, padding=padding, activation=activation, name=composer.name("pool"))


def _broadcast(composer: Composer, x: int) -> int:
    y = composer.builder.mean(x, (1, 2), keep_dims=True, name=composer.name("mean"))
    build = composer.builder.mul if composer.rng.random() < 0.5 else composer.builder.add
    return build(x, y, name=composer.name("gate"))


def _reduce(composer: Composer, x: int) -> int:
    axes = ((1, 2), (2,), (3,))[int(composer.rng.integers(3))]
    return composer.builder.mean(x, axes, keep_dims=True, name=composer.name("mean"))


def _pad(composer: Composer, x: int) -> int:
    """Read by a pooling, which cannot take over the padding: the PAD stays."""
    before = [(composer.draw(1, 4) - 1, composer.draw(1, 3) - 1) for _ in range(2)]
    y = composer.builder.pad(x, ((0, 0), *before, (0, 0)), name=composer.name("pad"))
    return composer.builder.max_pool_2d(y, 1, name=composer.name("pool"))


def _join(composer: Composer, x: int) -> int:
    y = composer.builder.quantize(x, name=composer.name("quantize"))
    many = [x, y, x][: int(composer.rng.integers(2, 4))]
    return composer.builder.concatenation(many, int(composer.rng.integers(1, 4)), name=composer.name("concatenation"))


def _softmax(composer: Composer, x: int) -> int:
    if composer.builder.shape(x)[-1] > _DEEPEST_SOFTMAX:
        return composer.pointwise(x)
    return composer.builder.softmax(x, name=composer.name("softmax"))


def _lookup(composer: Composer, x: int) -> int:
    return composer.builder.operator(OpKind.LOGISTIC, [x], UnaryAttributes(), name=composer.name("lookup"))[0]


def _thin(composer: Composer, x: int) -> int:
    """A few layers on an image of few pixels a row: row by row, what is around the kernels takes much of the time."""
    return _thin_layers(composer, _reshaped(composer, x, _thin_shape(composer)), composer.draw(1, 3))


def _thin_shape(composer: Composer) -> tuple[int, int, int]:
    """Few channels, and as many as there may be: windows of short rows and of long ones are moved."""
    height, width = composer.draw(4, 24), composer.draw(1, 3)
    most = max(1, min(_MOST_THIN, composer.limits.activation_bytes // (2 * height * width)))
    return height, width, composer.channels(most) if composer.rng.random() < 0.5 else most


def _thin_layers(composer: Composer, x: int, count: int) -> int:
    layers: tuple[_Layer, ...] = (Composer.pointwise, Composer.requantize, Composer.residual, _thin_depthwise)
    for _ in range(count):
        x = layers[int(composer.rng.integers(len(layers)))](composer, x)
    return x


def _thin_depthwise(composer: Composer, x: int) -> int:
    return _window(composer, x, (composer.draw(2, 5), 1), composer.draw(1, 2))


def _fully_connected(composer: Composer, x: int) -> int:
    """A few rows: other networks have no more than a classifier each."""
    inputs = composer.channels(_MOST_INPUTS)
    shape = (composer.draw(1, 4), inputs)
    x = composer.builder.reshape(_reshaped(composer, x, (1, *shape)), shape, name=composer.name("rows"))
    outputs = composer.draw(1, min(_MOST_OUTPUTS, composer.limits.weight_bytes // inputs))
    return composer.builder.fully_connected(x, outputs, activation=composer.activation(), name=composer.name("dense"))


def _pixels_connected(composer: Composer, x: int) -> int:
    """All pixels of an image: row by row, in parts."""
    x = _reshaped(composer, x, _small_shape(composer))
    inputs = math.prod(composer.builder.shape(x))
    outputs = composer.draw(1, max(1, min(_MOST_OUTPUTS, composer.limits.weight_bytes // inputs)))
    return composer.builder.fully_connected(x, outputs, activation=composer.activation(), name=composer.name("dense"))


def _small_shape(composer: Composer) -> tuple[int, int, int]:
    height, width = composer.draw(2, 10), composer.draw(1, 6)
    return height, width, composer.channels(max(1, composer.limits.weight_bytes // (4 * height * width)))


def _averaged(composer: Composer, x: int) -> int:
    """A whole image: row by row, in parts."""
    _, height, width, _ = composer.builder.shape(x)
    if composer.rng.random() < 0.5:
        return composer.builder.mean(x, (1, 2), keep_dims=True, name=composer.name("mean"))
    return composer.builder.average_pool_2d(
        x, (height, width), activation=composer.activation(), name=composer.name("pool")
    )


_THEMES: tuple[tuple[_Layer, ...], ...] = (
    (_depthwise(3, 1), _depthwise(3, 2)),
    (_depthwise(5, 1), _depthwise(5, 2)),
    (_depthwise(7, 1), _depthwise(7, 2)),
    *(
        tuple(map(_reshaped_before, layers))
        for layers in (
            (_any_depthwise,),
            (_dense,),
            (_fully_connected,),
            (_pixels_connected, _averaged),
            (_pool, Composer.residual),
            (_dense, Composer.pointwise, Composer.convolution, _dilated),
            (_thin,),
            (_pool, _pad, _broadcast, Composer.gate, Composer.move, Composer.residual, _join, _reduce, _softmax),
            (_lookup,),
        )
    ),
)


def probe_networks(count: int, limits: NetworkLimits, seed: int) -> list[Graph]:
    """Build `count` int8 skeletons for each theme: a few kinds of layers that together reach every kernel variant.

    Every layer gets an input of a shape of its own, wide or high, odd or even, of few channels or many: the chain is
    resized in between.
    """
    return [
        _probe(Composer([seed, theme, number], limits, f"probe{theme}-{seed}-{number}"), _THEMES[theme])
        for number, theme in product(range(count), range(len(_THEMES)))
    ]


_THIN_THEME = 11
"""In the seed of `thin_inputs`: a theme more leaves the networks as they are."""


def thin_inputs(count: int, limits: NetworkLimits, seed: int) -> list[Graph]:
    """Build `count` skeletons that begin with some layers on an input of few pixels a row, for an input by rows.

    A network has one input, so there is one segment in each; what is around its kernels takes most of the time.
    """
    found = []
    for number in range(count):
        composer = Composer([seed, _THIN_THEME, number], limits, f"rows-{seed}-{number}")
        x = composer.builder.input((1, *_thin_shape(composer)))
        x = _thin_layers(composer, x, composer.draw(1, 5))
        found.append(composer.builder.build([composer.classifier(_reshaped(composer, x, _shape(composer)))]))
    return found


def _probe(composer: Composer, layers: tuple[_Layer, ...]) -> Graph:
    x = composer.builder.input((1, *_shape(composer)))
    for index in range(PROBE_LAYERS):
        x = layers[index % len(layers)](composer, x)
    return composer.builder.build([composer.classifier(_reshaped(composer, x, _shape(composer)))])


def _shape(composer: Composer) -> tuple[int, int, int]:
    """A random (height, width, channels) of half of the limit at most: some layers enlarge it."""
    most = composer.limits.activation_bytes // 2
    channels = composer.channels(max(1, most // 4))
    area = max(1.0, most / channels * composer.rng.uniform(0.2, 1.0))
    aspect = math.exp(composer.rng.normal(0.0, 0.8))
    height = max(1, min(int(area), int(math.sqrt(area * aspect))))
    return height, max(1, int(area / height)), channels


def _reshaped(composer: Composer, x: int, shape: tuple[int, int, int]) -> int:
    """Another shape for any tensor. Only the resizing in the middle is a kernel call; its tables are short."""
    elements, wanted = math.prod(composer.builder.shape(x)), math.prod(shape)
    x = composer.builder.reshape(x, (1, *_square(elements), 1), name=composer.name("reshape"))
    x = composer.builder.resize_nearest_neighbor(x, _square(wanted), name=composer.name("resize"))
    return composer.builder.reshape(x, (1, *shape), name=composer.name("reshape"))


def _square(elements: int) -> tuple[int, int]:
    """Two factors as close to each other as can be."""
    height = next(h for h in range(math.isqrt(elements), 0, -1) if elements % h == 0)
    return height, elements // height
