"""Kernels under AddressSanitizer and UndefinedBehaviorSanitizer, each step confined to the bytes that are its own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from network_cases import constant_operands, filled, in_plain_schedules, random_graphs
from sanitized_models import SanitizedModels, SanitizerError, sanitizing_compiler
from stream_cases import random_network, random_plans

from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.graph.reference import execute
from tinynas.kernels import CATALOGUE, InstructionSet, kernel_folder
from tinynas.lowering import PatchError, PatchPlan, StreamPlan, lower
from tinynas.testing import random_input
from tinynas.testing.layers import for_speed

pytestmark = pytest.mark.skipif(
    sanitizing_compiler() is None, reason="no compiler here links AddressSanitizer: apt-get install gcc libc6-dev"
)


def _check(models: SanitizedModels, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = [execute(s.graph, random_input(s.graph, rng), keep_all=True) for s in models.schedules]
    found = models.run(
        [[np.ascontiguousarray(v[t]) for t in s.inputs] for s, v in zip(models.schedules, values, strict=True)]
    )
    for schedule, value, outputs in zip(models.schedules, values, found, strict=True):
        for t, output in zip(schedule.outputs, outputs, strict=True):
            np.testing.assert_array_equal(output, value[t])


def _patched(graphs: Sequence[Graph]) -> tuple[list[Graph], list[PatchPlan]]:
    """The networks among `graphs` whose first layers can run in patches, and how."""
    found: list[tuple[Graph, PatchPlan]] = []
    for graph in graphs:
        for layers in (4, 3, 2, 1):
            try:
                lower(graph, PatchPlan(layers, 3))
            except PatchError:
                continue
            found.append((graph, PatchPlan(layers, 3)))
            break
    return [graph for graph, _ in found], [plan for _, plan in found]


def _depthwise_networks() -> list[Graph]:
    """Every specialised depthwise kernel, at even and odd sizes."""
    found = []
    for size, stride, channels in [(size, stride, c) for size in (3, 5, 7) for stride in (1, 2) for c in (4, 5)]:
        b = GraphBuilder("depthwise", DType.INT8)
        x = b.conv_2d(b.input((1, 12 + channels, 15, 3)), channels, 1, name="stem")
        found.append(filled(b.build([b.depthwise_conv_2d(x, size, stride=stride, name="depthwise")]), seed=size))
    return found


def test_random_networks(tmp_path: Path) -> None:
    networks = [*random_graphs(range(30)), *_depthwise_networks(), constant_operands()]
    for_armv6m = [*random_graphs(range(10)), *_depthwise_networks()]
    instruction_sets = [InstructionSet.DSP] * len(networks) + [InstructionSet.ARMV6M] * len(for_armv6m)
    models = SanitizedModels([*networks, *for_armv6m], tmp_path, instruction_sets=instruction_sets)
    assert set().union(*(schedule.variants for schedule in models.schedules)) == {
        variant.name for variant in CATALOGUE.values() if in_plain_schedules(variant)
    }
    _check(models, seed=1)


def test_kernels_for_speed(tmp_path: Path) -> None:
    networks = random_graphs(range(20))
    instruction_sets = [*([InstructionSet.DSP] * len(networks)), *([InstructionSet.ARMV6M] * len(networks))]
    models = SanitizedModels([*networks, *networks], tmp_path, instruction_sets=instruction_sets, choose=for_speed)
    assert set().union(*(schedule.variants for schedule in models.schedules)) >= {
        variant.name for variant in CATALOGUE.values() if variant.for_speed
    }
    _check(models, seed=1)


def test_patches(tmp_path: Path) -> None:
    graphs, plans = _patched(random_graphs(range(60)))
    assert len(graphs) > 5
    _check(SanitizedModels(graphs, tmp_path, plans), seed=2)


def test_segments(tmp_path: Path) -> None:
    networks = [
        (graph, plan, core)
        for core in (InstructionSet.DSP, InstructionSet.ARMV6M)
        for seed in range(10)
        for graph in [random_network(seed)]
        for plan in random_plans(graph, seed)
    ]
    graphs, plans, cores = (list(each) for each in zip(*networks, strict=True))
    models = SanitizedModels(graphs, tmp_path, plans, instruction_sets=cores)
    assert len(models.schedules) > 30
    executed = set().union(*(schedule.variants for schedule in models.schedules))
    assert executed >= {"mean_rows", "average_pool_2d_rows", "fully_connected_rows", "pad"}
    _check(models, seed=4)


def test_a_segment_that_moves_rows_below_its_scratch_is_caught(tmp_path: Path) -> None:
    kernels = tmp_path / "kernels"
    shutil.copytree(kernel_folder(), kernels)
    source = kernels / "streaming" / "advance.c"
    moves = "const int8_t *from, int32_t bytes)\n{"
    assert source.read_text().count(moves) == 1
    source.write_text(source.read_text().replace(moves, f"{moves}to -= 64;"))
    b = GraphBuilder("broken", DType.INT8)
    x = b.depthwise_conv_2d(b.input((1, 12, 6, 4)), 3, name="depthwise")
    graph = filled(b.build([b.conv_2d(x, 4, 3, name="conv")]))
    models = SanitizedModels([graph], tmp_path, [[StreamPlan(0, (1, 1))]], kernels=kernels)
    with pytest.raises(SanitizerError, match="use-after-poison"):
        _check(models, seed=3)


@pytest.mark.parametrize(
    ("broken", "report"),
    [
        ("for (int32_t k = reduced; k > -60; k--)", "use-after-poison"),  # reads behind its input
        ("output += inner; for (int32_t k = reduced; k > 0; k--)", "use-after-poison"),  # writes behind its output
        ("sum = (sum + 1) << 30; for (int32_t k = reduced; k > 0; k--)", "runtime error"),
    ],
)
def test_a_kernel_that_leaves_its_tensors_is_caught(broken: str, report: str, tmp_path: Path) -> None:
    kernels = tmp_path / "kernels"
    shutil.copytree(kernel_folder(), kernels)
    source = (kernels / "reduction" / "mean.c").read_text()
    loop = "for (int32_t k = reduced; k > 0; k--)"
    assert loop in source
    (kernels / "reduction" / "mean.c").write_text(source.replace(loop, broken))
    b = GraphBuilder("broken", DType.INT8)
    x = b.conv_2d(b.input((1, 6, 6, 2)), 8, 3, name="stem")
    graph = filled(b.build([b.fully_connected(b.mean(x, name="pool"), 3, name="head")]))
    models = SanitizedModels([graph], tmp_path, kernels=kernels)
    with pytest.raises(SanitizerError, match=report):
        _check(models, seed=3)
