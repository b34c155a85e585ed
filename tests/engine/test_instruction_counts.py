"""The features of a kernel variant explain its instructions: fitted on some layers, they give those of others."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from emulated_counts import EmulatedModels
from fitted_counts import worst_error

from tinynas.graph import DType, Graph, GraphBuilder, Padding
from tinynas.latency import Trait, with_random_constants
from tinynas.testing.layers import for_speed

_NETWORKS = 14
# Softmax normalizes its sum bit by bit; everything else runs the same loops whatever the data. Whether a window is
# inside the input is found side by side, and the comparisons that this takes are not counted one by one.
_TOLERANCE = {"softmax": 5e-3, "conv_2d_im2col": 5e-3, "conv_2d_im2col_w16": 5e-3}
_EXACT = 1e-9


def _network(seed: int) -> Graph:
    """Layers of all kinds in sizes that exercise borders, tails, strides, dilations and groups."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder("layers", DType.INT8)

    def number(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    x = b.input((1, number(5, 12), number(5, 12), number(1, 4)))
    windows = [
        b.conv_2d(
            x, number(2, 9), (number(1, 4), number(1, 4)), stride=number(1, 3), padding=padding, name=f"w{i}{padding}"
        )
        for i in range(4)
        for padding in Padding
    ]
    # Groups of four pixels, and what they leave over; each size has channels that are whole words and others.
    few = [
        b.conv_2d(b.resize_nearest_neighbor(x, (1, width), name=f"to{width}"), number(2, 9), 1, name=f"pixels{width}")
        for width in (1, 2, 3, 5, 6, 9, 13)
    ]
    x = b.conv_2d(x, number(4, 16), 2 * number(0, 2) + 1, stride=number(1, 2), name="stem")
    for i in range(3):
        channels = 2 * number(2, 8)
        y = b.conv_2d(x, channels, 1, name=f"expand{i}")
        y = b.depthwise_conv_2d(y, 2 * number(0, 3) + 1, name=f"depthwise{i}")
        y = b.conv_2d(y, b.shape(x)[3], 1, name=f"project{i}")
        x = b.add(x, y, name=f"add{i}")
        for stride, kernel in itertools.product((1, 2), (3, 5, 7)):
            which = f"{i}-{kernel}-{stride}"
            z = b.conv_2d(x, number(30, 50), 1, name=f"wide{which}")
            z = b.depthwise_conv_2d(z, kernel, stride=stride, name=f"window{which}")
            z = b.mean(b.conv_2d(z, b.shape(x)[3], 1, name=f"back{which}"), keep_dims=True, name=f"mean{which}")
            x = b.add(x, z, name=f"gate{which}")
        x = b.add(x, b.depthwise_conv_2d(x, 2 * number(0, 3) + 1, name=f"beside{i}"), name=f"sum{i}")
        x = b.conv_2d(x, channels, number(2, 3), groups=1 if b.shape(x)[3] % 2 else 2, name=f"grouped{i}")
        x = b.conv_2d(x, channels // 2, 3, stride=number(1, 2), name=f"strided{i}")
        x = b.depthwise_conv_2d(x, 3, depth_multiplier=2, name=f"multiplied{i}")
    x = b.max_pool_2d(x, number(1, 3), padding=Padding.SAME, stride=1, name="max")
    x = b.mul(x, b.average_pool_2d(x, number(2, 4), padding=Padding.SAME, stride=1, name="average"), name="mul")
    x = b.mul(x, b.mean(x, keep_dims=True, name="squeeze"), name="excite")
    x = b.add(b.mean(x, axes=(1,), keep_dims=True, name="columns"), x, name="shift")
    x = b.concatenation([x, b.quantize(x, name="requantize")][: 1 + number(0, 1)], name="join")
    x = b.resize_nearest_neighbor(x, (number(2, 9), number(2, 9)), name="resize")
    x = b.transpose(x, (0, *(1 + rng.permutation(3)).tolist()), name="transpose")
    x = b.pad(x, [(0, 0), *((number(0, 2), number(0, 2)) for _ in range(3))], name="pad")
    x = b.max_pool_2d(x, 2, name="shrink")
    x = b.fully_connected(b.mean(x, name="pool"), number(2, 30), name="head")
    # Not narrow: what begins the pass that clamps outputs is counted by the turn.
    traits = frozenset({Trait.GENERAL})
    return with_random_constants(b.build([b.softmax(x, name="softmax"), *windows, *few]), seed, traits)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> EmulatedModels:
    return EmulatedModels([_network(seed) for seed in range(_NETWORKS)], tmp_path_factory.mktemp("emulated"))


@pytest.fixture(scope="module")
def models_for_speed(tmp_path_factory: pytest.TempPathFactory) -> EmulatedModels:
    graphs = [_network(seed) for seed in range(_NETWORKS)]
    return EmulatedModels(graphs, tmp_path_factory.mktemp("for_speed"), choose=for_speed)


Samples = dict[str, list[tuple[dict[str, float], int]]]


@pytest.fixture(scope="module")
def samples(models: EmulatedModels, models_for_speed: EmulatedModels) -> Samples:
    """Features and instructions of every step, by variant."""
    found: Samples = {}
    for image in (models, models_for_speed):
        for index, schedule in enumerate(image.schedules):
            for step, count in zip(schedule.steps, image.count(index, seed=index), strict=True):
                found.setdefault(step.variant, []).append((dict(step.features), count))
    return found


def test_counts_do_not_depend_on_data(models: EmulatedModels) -> None:
    first, second = (models.count(0, seed) for seed in (1, 2))
    differing = {step.variant for step, a, b in zip(models.schedules[0].steps, first, second, strict=True) if a != b}
    assert differing <= set(_TOLERANCE)


def test_features_explain_instructions(samples: Samples) -> None:
    errors = {variant: worst_error(*zip(*rows, strict=True)) for variant, rows in samples.items()}
    assert {v: e for v, e in errors.items() if e > _TOLERANCE.get(v, _EXACT)} == {}
