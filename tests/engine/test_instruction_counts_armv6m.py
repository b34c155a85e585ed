"""On a Cortex-M0+, too, the features of the dense convolutions explain their instructions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinynas.boards import Toolchain
from tinynas.graph import Activation, DType, GraphBuilder, Padding
from tinynas.latency import with_random_constants
from tinynas.lowering import InstructionSet, Schedule, lower
from tinynas.targets import CORES
from tinynas.testing.layers import LayerImage, check_layers, for_speed, layer_of

_LAYERS = {"conv_2d_paired": 480}  # it has the most loops
_FEWER_LAYERS = 240
# Fewer than four pixels, and a last group that overlaps the one before, take other branches than the rest. Whether a
# window is inside the input is found side by side, and the comparisons that this takes are not counted; nor are those
# that find how far a window reaches over a border.
_TOLERANCE = {
    "conv_1x1_packed": 1e-3,
    "conv_2d_packed": 5e-3,
    "conv_1x1_paired": 1e-6,
    "conv_2d_paired": 2e-3,
    "fully_connected_in_words": 1e-6,
}


def _layer(variant: str, seed: int) -> Schedule:
    rng = np.random.default_rng(seed)

    def number(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    b = GraphBuilder("layer", DType.INT8)
    if variant.startswith("fully_connected"):
        output = b.fully_connected(b.input((number(1, 4), number(1, 80))), number(1, 30), name="layer")
    else:
        pointwise = variant.startswith("conv_1x1")
        window, stride = ((1, 1), 1) if pointwise else ((number(1, 4), number(1, 5)), number(1, 3))
        x = b.input((1, number(window[0], 9), number(window[1], 9), number(1, 40 if pointwise else 12)))
        padding = list(Padding)[number(0, 1)]
        output = b.conv_2d(
            x,
            number(2, 30),
            window,
            stride=stride,
            padding=padding,
            activation=(Activation.NONE, Activation.RELU)[number(0, 1)],
            name="layer",
        )
    schedule = lower(with_random_constants(b.build([output]), seed), instruction_set=InstructionSet.ARMV6M)
    return for_speed(schedule) if variant.endswith("_paired") else schedule


@pytest.mark.parametrize("variant", _TOLERANCE)
def test_features_explain_instructions(variant: str, fitted_toolchain: Toolchain, tmp_path: Path) -> None:
    schedules = [_layer(variant, seed) for seed in range(_LAYERS.get(variant, _FEWER_LAYERS))]
    schedules = [schedule for schedule in schedules if schedule.variants == {variant}]
    layers = [layer_of(str(i), schedule) for i, schedule in enumerate(schedules)]
    image = LayerImage(layers, CORES["cortex-m0plus"], fitted_toolchain, tmp_path)
    results = list(check_layers(image))
    assert [f"{result.description}: {result}" for result in results if not result.passed] == []
    features = np.array([list(schedule.steps[0].features.values()) for schedule in schedules], np.float64)
    counts = np.array([result.instructions for result in results], np.float64)
    fitted = 2 * len(counts) // 3
    assert np.linalg.matrix_rank(features[:fitted]) == np.linalg.matrix_rank(features) < fitted // 2
    coefficients, *_ = np.linalg.lstsq(features[:fitted] / counts[:fitted, np.newaxis], np.ones(fitted), rcond=None)
    errors = np.abs(features[fitted:] @ coefficients / counts[fitted:] - 1)
    assert errors.max() < _TOLERANCE[variant]
