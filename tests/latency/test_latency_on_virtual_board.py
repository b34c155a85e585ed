"""Predicted ticks, cycles and instructions, against the virtual board, on networks that no fit has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from virtual_counts import measure

from tinynas.graph import Graph
from tinynas.latency import (
    LatencyModel,
    NetworkLimits,
    Quantity,
    Unit,
    deciding_quantity,
    fit_latency,
    instruction_quantity,
    latency_metrics,
    latency_model_path,
    load_latency_model,
    measurements_of,
    random_network,
    refine,
    with_random_constants,
)
from tinynas.lowering import Schedule, lower
from tinynas.targets import load_board

LIMITS = NetworkLimits(activation_bytes=2400, weight_bytes=2000, layers=8, macs=200_000)
Measured = tuple[Schedule, tuple[int, ...]]
Counted = tuple[Schedule, Mapping[Unit, tuple[int, ...]]]
BOARD = load_board("virt-m4")


def counted(graph: Graph, folder: Path) -> Counted:
    schedule = lower(graph)
    return schedule, measure(schedule, folder, BOARD.name)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[Counted]:
    networks = [with_random_constants(random_network(seed, LIMITS), seed) for seed in range(740, 748)]
    return [counted(graph, tmp_path_factory.mktemp("probe")) for graph in networks]


@pytest.fixture(scope="module", params=[deciding_quantity(BOARD), instruction_quantity(BOARD)], ids=lambda q: q.unit)
def quantity(request: pytest.FixtureRequest) -> Quantity:
    return request.param


@pytest.fixture(scope="module")
def measured(both: list[Counted], quantity: Quantity) -> list[Measured]:
    return [(schedule, counts[quantity.unit]) for schedule, counts in both]


@pytest.fixture(scope="module")
def shipped(quantity: Quantity) -> LatencyModel:
    model = load_latency_model(latency_model_path("cortex-m4f", "zig")).counting(quantity)
    assert model is not None
    assert model.unit == quantity.unit
    return model


def error(model: LatencyModel, networks: list[Measured]) -> float:
    totals = [float(sum(ticks)) for _, ticks in networks]
    return latency_metrics([model.predict(schedule) for schedule, _ in networks], totals).mape


def test_shipped_model_predicts_networks_it_has_not_seen(shipped: LatencyModel, measured: list[Measured]) -> None:
    totals = [float(sum(ticks)) for _, ticks in measured]
    metrics = latency_metrics([shipped.predict(schedule) for schedule, _ in measured], totals)
    assert metrics.mape <= 0.01
    assert metrics.within_10pct == 1.0
    assert metrics.spearman is not None
    assert metrics.spearman >= 0.8


def test_refinement_with_measured_layers_does_not_raise_the_error(
    shipped: LatencyModel, measured: list[Measured]
) -> None:
    seen, unseen = measured[:3], measured[3:]
    layers = [layer for schedule, ticks in seen for layer in measurements_of(schedule, ticks)]
    refined = refine(shipped, layers)
    assert error(refined, unseen) <= max(error(shipped, unseen), 0.02)


def test_refinement_recovers_a_model_that_is_far_off(shipped: LatencyModel, measured: list[Measured]) -> None:
    """As of kernels that have become three times as fast; a few layers must correct that."""
    slow = {name: replace(v, coefficients=3 * v.coefficients) for name, v in shipped.variants.items()}
    other = replace(shipped, variants=slow)
    # The last four hold both depthwise kernels: what no layer measures, no layer corrects.
    seen, unseen = measured[4:], measured[:4]
    layers = [layer for schedule, ticks in seen for layer in measurements_of(schedule, ticks)]
    before, after = error(other, unseen), error(refine(other, layers), unseen)
    assert before > 0.3
    assert after < 0.06


def test_total_of_the_steps_is_the_inference(measured: list[Measured]) -> None:
    layers = [layer for schedule, ticks in measured for layer in measurements_of(schedule, ticks)]
    model = fit_latency(layers)
    schedule, _ = measured[0]
    prediction = model.predict(schedule)
    assert prediction.total == pytest.approx(sum(step.value or 0 for step in prediction.steps))
