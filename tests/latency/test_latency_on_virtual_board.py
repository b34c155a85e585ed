"""Predicted instructions against the virtual board, on networks that no fit has seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from virtual_counts import measure

from tinynas.graph import Graph
from tinynas.latency import (
    LatencyModel,
    NetworkLimits,
    fit_latency,
    latency_metrics,
    latency_model_path,
    load_latency_model,
    measurements_of,
    random_network,
    refine,
    with_random_constants,
)
from tinynas.lowering import Schedule, lower

LIMITS = NetworkLimits(activation_bytes=2400, weight_bytes=2000, layers=8, macs=200_000)
Measured = tuple[Schedule, tuple[int, ...]]


def counted(graph: Graph, folder: Path) -> Measured:
    schedule = lower(graph)
    return schedule, measure(schedule, folder, "virt-m4")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> list[Measured]:
    networks = [with_random_constants(random_network(seed, LIMITS), seed) for seed in range(740, 748)]
    return [counted(graph, tmp_path_factory.mktemp("probe")) for graph in networks]


@pytest.fixture(scope="module")
def shipped() -> LatencyModel:
    return load_latency_model(latency_model_path("cortex-m4f", "zig"))


def error(model: LatencyModel, networks: list[Measured]) -> float:
    totals = [float(sum(ticks)) for _, ticks in networks]
    return latency_metrics([model.predict(schedule) for schedule, _ in networks], totals).mape


def test_shipped_model_predicts_networks_it_has_not_seen(shipped: LatencyModel, measured: list[Measured]) -> None:
    totals = [float(sum(ticks)) for _, ticks in measured]
    metrics = latency_metrics([shipped.predict(schedule) for schedule, _ in measured], totals)
    assert metrics.mape <= 0.05
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
