"""The 90 % interval of a layer holds, whatever its weights and scales switch in the kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from virtual_counts import measure

from tinynas.boards import load_toolchain
from tinynas.kernels import CATALOGUE
from tinynas.latency import (
    LatencyModel,
    LatencyPrediction,
    NetworkLimits,
    Quantity,
    deciding_quantity,
    diverse_networks,
    instruction_quantity,
    latency_model_path,
    load_latency_model,
)
from tinynas.lowering import Lowering, Schedule, Step
from tinynas.targets import CORES, load_board
from tinynas.testing.layers import Layer, LayerImage, LayerResult, check_layers, random_layer

_LIMITS = NetworkLimits(activation_bytes=4000, weight_bytes=4000, layers=10, macs=300_000)
_NETWORKS = 12
_LAYERS = 300  # drawn towards the ends of every range
_LARGEST_ERROR = 0.03
M4 = load_board("virt-m4")


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
            schedule.steps,
            measure(schedule, tmp_path_factory.mktemp("network"), request.param)[model.unit],
            strict=True,
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


@pytest.fixture(scope="module")
def extremes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Layer, LayerResult]]:
    layers = [layer for layer in (random_layer(77, i) for i in range(_LAYERS)) if len(layer.schedule.steps) == 1]
    image = LayerImage(layers, CORES["cortex-m4f"], load_toolchain("zig"), tmp_path_factory.mktemp("layers"))
    return list(zip(layers, check_layers(image, timing=M4.timing), strict=True))


@pytest.mark.parametrize("quantity", [deciding_quantity(M4), instruction_quantity(M4)], ids=lambda q: q.unit)
def test_extreme_layers_are_inside_their_interval(
    quantity: Quantity, extremes: list[tuple[Layer, LayerResult]]
) -> None:
    """Scales, weights, windows and paddings that no calibration draws. (Armv6-M branches by its data, too.)"""
    model = load_latency_model(latency_model_path("cortex-m4f", "zig")).counting(quantity)
    assert model is not None
    layers = []
    for layer, result in extremes:
        (step,) = layer.schedule.steps
        counted = result.cycles if model.unit == "cycles" else result.instructions
        assert counted is not None
        layers.append(_Counted(step, _predict(model, layer.schedule, step), counted))
    assert len(layers) > 0.8 * _LAYERS
    assert sum(layer.is_unusual for layer in layers) > 0.2 * len(layers)
    assert sum(layer.inside for layer in layers) >= 0.9 * len(layers)
