"""The 90 % interval of a layer holds, whatever its weights and scales switch in the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from virtual_counts import measure

from tinynas.boards import load_toolchain
from tinynas.kernels import CATALOGUE
from tinynas.latency import (
    LatencyModel,
    LatencyPrediction,
    NetworkLimits,
    diverse_networks,
    latency_model_path,
    load_latency_model,
)
from tinynas.lowering import Lowering, Schedule, Step
from tinynas.targets import CORES, load_board
from tinynas.testing.layers import LayerImage, check_layers, random_layer

_LIMITS = NetworkLimits(activation_bytes=4000, weight_bytes=4000, layers=10, macs=300_000)
_NETWORKS = 12
_LAYERS = 300  # drawn towards the ends of every range
_LARGEST_ERROR = 0.03


@dataclass(frozen=True)
class _Counted:
    """A layer, what was predicted, and what the emulator counted."""

    step: Step
    prediction: LatencyPrediction
    counted: int

    @property
    def inside(self) -> bool:
        assert self.prediction.low is not None, f"{self.step.variant}: a loop was never measured"
        assert self.prediction.high is not None
        return self.prediction.low <= self.counted <= self.prediction.high

    @property
    def error(self) -> float:
        assert self.prediction.total is not None, f"{self.step.variant}: a loop was never measured"
        return abs(self.prediction.total / self.counted - 1)

    @property
    def is_unusual(self) -> bool:
        """Whether constants made the kernel take loops that it does not take for calibrated networks."""
        return any(
            value
            for name, value in self.step.features.items()
            if name.startswith(("general_", "alone_general_", "clamped", "unshifted"))
        )


def _predict(model: LatencyModel, schedule: Schedule, step: Step) -> LatencyPrediction:
    """Of one layer, without what an inference takes beside its layers."""
    return replace(model, overhead=type(model.overhead)()).predict(replace(schedule, steps=(step,)))


@pytest.fixture(scope="module", params=["virt-m4", "virt-m0plus"])
def counted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[_Counted]:
    """Every layer of networks that no fit has seen, with constants of all traits."""
    core = load_board(request.param).core
    model = load_latency_model(latency_model_path(core.name, "zig"))
    networks = diverse_networks(_NETWORKS, limits=_LIMITS, seed=77, lowering=Lowering.for_core(core))
    return [
        _Counted(step, _predict(model, schedule, step), count)
        for schedule in networks
        for step, count in zip(
            schedule.steps, measure(schedule, tmp_path_factory.mktemp("network"), request.param), strict=True
        )
    ]


def test_unusual_layers_are_drawn_for_many_kernels(counted: list[_Counted]) -> None:
    unusual = {layer.step.variant for layer in counted if layer.is_unusual}
    can_be = {layer.step.variant for layer in counted if "clamped" in CATALOGUE[layer.step.variant].loops}
    assert len(unusual) >= 0.5 * len(can_be) >= 5


def test_nine_of_ten_layers_are_inside_their_interval(counted: list[_Counted]) -> None:
    unusual = [layer for layer in counted if layer.is_unusual]
    assert sum(layer.inside for layer in counted) >= 0.9 * len(counted)
    assert sum(layer.inside for layer in unusual) >= 0.9 * len(unusual)


def test_no_unusual_layer_is_far_off(counted: list[_Counted]) -> None:
    far = [(layer.step.variant, round(layer.error, 4)) for layer in counted if layer.is_unusual]
    assert [entry for entry in far if entry[1] > _LARGEST_ERROR] == []


def _extreme_layers(folder: Path) -> Iterator[_Counted]:
    model = load_latency_model(latency_model_path("cortex-m4f", "zig"))
    layers = [layer for layer in (random_layer(77, i) for i in range(_LAYERS)) if len(layer.schedule.steps) == 1]
    results = check_layers(LayerImage(layers, CORES["cortex-m4f"], load_toolchain("zig"), folder))
    for layer, result in zip(layers, results, strict=True):
        (step,) = layer.schedule.steps
        yield _Counted(step, _predict(model, layer.schedule, step), result.instructions)


def test_extreme_layers_are_inside_their_interval(tmp_path: Path) -> None:
    """Scales, weights, windows and paddings that no calibration draws. (Armv6-M branches by its data, too.)"""
    layers = list(_extreme_layers(tmp_path))
    assert len(layers) > 0.8 * _LAYERS
    assert sum(layer.is_unusual for layer in layers) > 0.2 * len(layers)
    assert sum(layer.inside for layer in layers) >= 0.9 * len(layers)
