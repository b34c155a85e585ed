"""Generated C that runs parts of a network row by row equals the integer reference in every bit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from host_models import HostModel, build_models
from stream_cases import random_network, random_plans

from tinynas.graph import execute
from tinynas.kernels import InstructionSet
from tinynas.lowering import PatchError, PatchPlan, StreamError, lower
from tinynas.testing import random_input


def _check(model: HostModel, seed: int) -> None:
    graph = model.schedule.graph
    rng = np.random.default_rng(seed)
    for _ in range(2):
        image = random_input(graph, rng)
        (output,) = model.run(*(np.ascontiguousarray(i) for i in image))
        np.testing.assert_array_equal(output, execute(graph, image)[graph.outputs[0]])


def test_networks_have_segments_of_many_layers() -> None:
    sizes = [
        len(step.stream.layers)
        for seed in range(40)
        for graph in [random_network(seed)]
        for plan in random_plans(graph, seed)
        for step in lower(graph, streams=plan).steps
        if step.stream is not None
    ]
    assert min(sizes) == 1
    assert max(sizes) > 6


def _streamed(models: list[HostModel]) -> Counter[str]:
    return Counter(
        layer.step.variant
        for model in models
        for step in model.schedule.steps
        if step.stream is not None
        for layer in step.stream.layers
    )


def test_random_segments(tmp_path: Path) -> None:
    cases = [
        (graph, plan) for seed in range(40) for graph in [random_network(seed)] for plan in random_plans(graph, seed)
    ]
    assert len(cases) > 60
    models = build_models([graph for graph, _ in cases], tmp_path, [plan for _, plan in cases])
    for seed, model in enumerate(models):
        _check(model, seed)
    assert _streamed(models).keys() >= {
        *("conv_1x1", "conv_2d", "conv_2d_im2col", "depthwise_conv_2d", "average_pool_2d", "max_pool_2d"),
        *("add", "requantize", "pad", "depthwise_conv_2d_3x3_ch4"),
        *("mean_rows", "average_pool_2d_rows", "fully_connected_rows"),
    }
    assert any(sum(step.stream is not None for step in model.schedule.steps) > 1 for model in models)


def test_random_segments_on_armv6m(tmp_path: Path) -> None:
    cases = [
        (graph, plan) for seed in range(20) for graph in [random_network(seed)] for plan in random_plans(graph, seed)
    ]
    cores = [InstructionSet.ARMV6M] * len(cases)
    models = build_models([g for g, _ in cases], tmp_path, [p for _, p in cases], cores)
    for seed, model in enumerate(models):
        _check(model, seed)
    assert _streamed(models).keys() >= {"conv_1x1_swar", "conv_2d_swar", "depthwise_conv_2d_swar", "add"}


def test_segments_behind_patches(tmp_path: Path) -> None:
    cases = []
    for seed in range(60):
        graph = random_network(seed)
        for streams in random_plans(graph, seed):
            patches = PatchPlan(streams[0].first, 2 + seed % 3)
            try:
                lower(graph, patches, streams=streams)
            except (PatchError, StreamError):
                continue
            cases.append((graph, (patches, *streams)))
    assert len(cases) > 20
    models = build_models([graph for graph, _ in cases], tmp_path, [plan for _, plan in cases])
    for seed, model in enumerate(models):
        assert any(step.band for step in model.schedule.steps)
        _check(model, seed)
