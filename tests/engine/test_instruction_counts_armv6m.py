"""On a Cortex-M0+, too, the features of the kernels explain their instructions, whatever constants they are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fitted_counts import worst_error

from tinynas.boards import Toolchain
from tinynas.graph import Activation, DType, GraphBuilder, Padding
from tinynas.kernels import InstructionSet
from tinynas.latency import Trait, with_random_constants
from tinynas.lowering import Schedule, lower, with_constants, with_variants
from tinynas.targets import CORES
from tinynas.testing.layers import LayerImage, check_layers, for_speed, layer_of

_LAYERS = {"conv_2d_swar_w16": 400, "conv_2d_swar": 560}  # they have the most loops
_FEWER_LAYERS = 120
# A last group that overlaps the one before takes other branches than the rest. Whether a window is inside the input is
# found side by side, and the comparisons that this takes are not counted; nor are those that find how far a window
# reaches over a border. The general requantization, in portable C, clamps by branches, one way or the other, as its
# data happens to be.
_TOLERANCE = {
    "conv_1x1_swar": 1e-2,
    "conv_2d_swar": 8e-3,
    "conv_1x1_swar_w16": 3e-3,
    "conv_2d_swar_w16": 4e-3,
    "fully_connected_in_words": 5e-3,
    "fully_connected": 1.5e-2,
    "depthwise_conv_2d_swar_3x3": 5e-3,
    "depthwise_conv_2d_swar": 5e-3,
    "add": 2.5e-2,
}


def _skeleton(variant: str, seed: int) -> Schedule:
    rng = np.random.default_rng(seed)

    def number(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    b = GraphBuilder("layer", DType.INT8)
    activation = list(Activation)[number(0, 2)]
    padding = list(Padding)[number(0, 1)]
    window, stride = (number(1, 4), number(1, 5)), number(1, 3)
    if variant.startswith("fully_connected"):
        x = b.input((number(1, 4), number(1, 80)))
        output = b.fully_connected(x, number(1, 30), activation=activation, name="layer")
    elif variant.startswith("depthwise"):
        size = (3, 3) if variant.endswith("3x3") else window
        x = b.input((1, number(size[0], 9), number(size[1], 9), number(8, 24)))
        output = b.depthwise_conv_2d(x, size, stride=stride, padding=padding, activation=activation, name="layer")
    elif variant == "add":
        x = b.input((1, number(2, 9), number(2, 9), number(1, 12)))
        output = b.add(x, b.quantize(x, name="other"), activation=activation, name="layer")
    else:
        size, stride = ((1, 1), 1) if variant.startswith("conv_1x1") else (window, stride)
        x = b.input((1, number(size[0], 9), number(size[1], 9), number(1, 40 if size == (1, 1) else 12)))
        output = b.conv_2d(x, number(2, 30), size, stride=stride, padding=padding, activation=activation, name="layer")
    schedule = lower(b.build([output]), instruction_set=InstructionSet.ARMV6M)
    if variant == "fully_connected":
        return with_variants(schedule, {0: variant})
    return for_speed(schedule) if variant.endswith("_w16") else schedule


def _layer(variant: str, seed: int) -> Schedule:
    """The kernels with int16 weights want an affine requantization; every other kernel takes any constants."""
    schedule = _skeleton(variant, seed)
    traits = {Trait.NARROW} if variant.endswith("_w16") else frozenset(Trait)
    return with_constants(schedule, with_random_constants(schedule.graph, seed, traits))


@pytest.mark.parametrize("variant", _TOLERANCE)
def test_features_explain_instructions(variant: str, fitted_toolchain: Toolchain, tmp_path: Path) -> None:
    schedules = [_layer(variant, seed) for seed in range(_LAYERS.get(variant, _FEWER_LAYERS))]
    schedules = [schedule for schedule in schedules if schedule.steps[-1].variant == variant]
    layers = [layer_of(str(i), schedule) for i, schedule in enumerate(schedules)]
    image = LayerImage(layers, CORES["cortex-m0plus"], fitted_toolchain, tmp_path)
    results = list(check_layers(image))
    assert [f"{result.description}: {result}" for result in results if not result.passed] == []
    features = [schedule.steps[-1].features for schedule in schedules]
    assert worst_error(features, [result.instructions for result in results]) < _TOLERANCE[variant]
