"""Calibration networks: they run, cover the catalogue, respect the board, and tell coefficients apart."""

from __future__ import annotations

import numpy as np
import pytest

from tinynas.graph import OpKind, validate
from tinynas.kernels import CATALOGUE, InstructionSet
from tinynas.latency import (
    Measurement,
    NetworkLimits,
    calibration_networks,
    diverse_networks,
    fit_latency,
    random_network,
)
from tinynas.lowering import Schedule, lower
from tinynas.memory import NativeMemoryModel
from tinynas.targets import load_board


@pytest.fixture(scope="module")
def schedules() -> list[Schedule]:
    return calibration_networks(16)


def test_every_variant_of_the_catalogue_is_measured(schedules: list[Schedule]) -> None:
    variants = {v.name for v in CATALOGUE.values() if InstructionSet.DSP in v.instruction_sets}
    assert {part.variant for schedule in schedules for part in schedule.parts} == variants


def test_kernels_are_measured_where_the_local_rule_has_others(schedules: list[Schedule]) -> None:
    schedules = [schedule for schedule in schedules if all(step.stream is None for step in schedule.steps)]
    local = [lower(schedule.graph) for schedule in schedules]
    assert 0 < sum(schedule == other for schedule, other in zip(schedules, local, strict=True)) < len(schedules)
    instead = {
        (local.variant, step.variant)
        for schedule in schedules
        for step, local in zip(schedule.steps, lower(schedule.graph).steps, strict=True)
    }
    assert {("conv_1x1", "conv_2d_im2col"), ("depthwise_conv_2d_3x3", "depthwise_conv_2d_channel_buffer")} <= instead


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_a_board_of_12_kb_measures_every_variant_often_enough(seed: int) -> None:
    """At least two layers for each direction of the loop counts that the layers span; all windows of the search."""
    memory = NativeMemoryModel.for_board(load_board("nucleo-f303k8"), "zig")
    networks = calibration_networks(4, fits=lambda schedule: memory.fits(schedule).fits is True, seed=seed)
    variants = [v.name for v in CATALOGUE.values() if InstructionSet.DSP in v.instruction_sets]
    # An input by rows takes networks of its own: each has one.
    by_rows = sum(schedule.input_by_rows for schedule in networks)
    assert len(networks) - by_rows < 2 * len(variants)
    assert by_rows < len(variants)
    steps = [step for schedule in networks for step in schedule.steps]
    for variant in variants:
        features = [step.features for step in steps if step.variant == variant]
        rows = np.array([[f[name] / sum(f.values()) for name in features[0]] for f in features])
        rows /= np.maximum(np.linalg.norm(rows, axis=0), 1e-12)
        rank = np.linalg.matrix_rank(rows, tol=1e-9)
        assert len(rows) >= 2 * rank, variant
        if "depthwise_conv_2d_" in variant:
            assert rank >= 11, variant


def test_the_same_seed_gives_the_same_networks() -> None:
    chosen = calibration_networks(3, seed=5)
    assert calibration_networks(3, seed=5) == chosen
    assert calibration_networks(3, seed=6) != chosen


def test_only_networks_that_fit_are_chosen() -> None:
    chosen = calibration_networks(4, fits=lambda schedule: len(schedule.steps) <= 13)
    assert len(chosen) >= 4
    assert all(len(schedule.steps) <= 13 for schedule in chosen)
    assert len(diverse_networks(4)) == 4
    assert calibration_networks(2, fits=lambda schedule: False) == []


def test_limits_bound_the_layers() -> None:
    limits = NetworkLimits(activation_bytes=800, weight_bytes=500, layers=6)
    for seed in range(30):
        graph = random_network(seed, limits)
        assert all(t.size_bytes <= 800 for t in graph.tensors if not t.constant)


def test_constants_are_complete_and_quantized() -> None:
    for graph in (schedule.graph for schedule in calibration_networks(4)):
        validate(graph)
        for tensor in graph.tensors:
            assert tensor.quantization is not None
            assert tensor.constant == (tensor.data is not None)
        for op in graph.ops:
            if op.kind in (OpKind.MAX_POOL_2D, OpKind.CONCATENATION, OpKind.TRANSPOSE):
                output = graph.tensors[op.outputs[0]].quantization
                assert all(graph.tensors[i].quantization == output for i in op.inputs)


def test_the_design_identifies_the_coefficients_of_the_common_kernels(schedules: list[Schedule]) -> None:
    rng = np.random.default_rng(0)
    truth = {
        variant: {
            f: float(rng.uniform(2, 20)) for s in schedules for x in s.steps if x.variant == variant for f in x.features
        }
        for variant in ("conv_2d", "conv_1x1", "depthwise_conv_2d")
    }
    model = fit_latency(
        [
            Measurement(x.variant, x.features, sum(truth[x.variant][f] * v for f, v in x.features.items()))
            for s in schedules
            for x in s.steps
            if x.variant in truth
        ]
    )
    for variant, coefficients in truth.items():
        fitted = dict(zip(model.variants[variant].features, model.variants[variant].coefficients, strict=True))
        assert fitted == pytest.approx(coefficients, rel=1e-3, abs=1e-2)


def test_adds_with_a_plane_and_without_one_are_measured(schedules: list[Schedule]) -> None:
    """Which they are follows from the scales: a model that has seen one kind only cannot predict the other."""
    adds = [step.features for schedule in schedules for step in schedule.steps if step.variant == "add"]
    assert {bool(features["elements_without_plane"]) for features in adds} == {True, False}


def test_loop_counts_are_those_of_the_constants(schedules: list[Schedule]) -> None:
    for schedule in schedules:
        for step in schedule.steps:
            if step.stream is None:
                assert step.features == CATALOGUE[step.variant].features(schedule.call(step))
