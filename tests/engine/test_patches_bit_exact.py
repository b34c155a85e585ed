"""Generated C that runs its first layers patch by patch equals the integer reference in every bit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from host_models import HostModel, build_models, generate_guarded
from network_cases import filled

from tinynas.graph import Activation, DType, Graph, GraphBuilder, Padding, execute
from tinynas.kernels import InstructionSet
from tinynas.lowering import PatchError, PatchPlan, lower
from tinynas.testing import random_input
from tinynas.testing.layers import for_speed

_LAYERS = 6


def _network(seed: int) -> Graph:
    """A stage of windows, residual sums and element-wise layers of all kinds, and a classifier."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder("stage", DType.INT8)

    def number(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    x = b.input((1, number(9, 30), number(1, 9), number(1, 6)))
    for i in range(_LAYERS):
        kind = rng.choice(["conv", "pad", "depthwise", "pointwise", "pool", "residual", "requantize"])
        padding = Padding.SAME if rng.random() < 0.8 or b.shape(x)[2] < 5 or b.shape(x)[1] < 5 else Padding.VALID
        stride = number(1, 2) if b.shape(x)[1] > 6 else 1
        if kind == "conv":
            x = b.conv_2d(
                x,
                number(1, 8),
                (number(1, 5), number(1, 3)),
                stride=stride,
                dilation=1 if stride == 2 else number(1, 2),
                activation=Activation.RELU6,
                name=f"conv{i}",
            )
        elif kind == "pad":
            y = b.pad(x, [(0, 0), (number(0, 3), number(0, 3)), (1, 1), (0, 0)], name=f"pad{i}")
            x = b.conv_2d(y, number(1, 8), (5, 3), padding=Padding.VALID, stride=stride, name=f"padded{i}")
        elif kind == "depthwise":
            x = b.depthwise_conv_2d(x, 3, stride=stride, padding=padding, name=f"depthwise{i}")
        elif kind == "pointwise":
            x = b.conv_2d(x, number(1, 9), 1, name=f"pointwise{i}")
        elif kind == "pool":
            build = b.average_pool_2d if rng.random() < 0.5 else b.max_pool_2d
            x = build(x, (number(1, 3), 1), stride=stride, padding=Padding.SAME, name=f"pool{i}")
        elif kind == "requantize":
            x = b.quantize(x, name=f"requantize{i}")
        else:
            y = b.conv_2d(x, 4 * b.shape(x)[3], 1, name=f"expand{i}")
            y = b.depthwise_conv_2d(y, 3, name=f"between{i}")
            x = b.add(x, b.conv_2d(y, b.shape(x)[3], 1, name=f"project{i}"), name=f"sum{i}")
    return filled(b.build([b.fully_connected(b.mean(x, name="pool"), 5, name="head")]), seed)


def _plans(graph: Graph, seed: int) -> list[PatchPlan]:
    """Some patches that this network can run in."""
    rng = np.random.default_rng(seed)
    found = []
    for layers in rng.permutation(len(lower(graph).steps)) + 1:
        for patches in (int(rng.integers(2, 5)), 7):
            plan = PatchPlan(int(layers), patches)
            try:
                lower(graph, plan)
            except PatchError:
                continue
            found.append(plan)
    return found[:2]


def _check(model: HostModel, seed: int) -> None:
    graph = model.schedule.graph
    rng = np.random.default_rng(seed)
    for _ in range(2):
        image = random_input(graph, rng)
        expected = execute(graph, image)
        (output,) = model.run(*(np.ascontiguousarray(i) for i in image))
        np.testing.assert_array_equal(output, expected[graph.outputs[0]])


def test_random_stages(tmp_path: Path) -> None:
    cases = [(graph, plan) for seed in range(40) for graph in [_network(seed)] for plan in _plans(graph, seed)]
    assert len(cases) > 50
    models = build_models([graph for graph, _ in cases], tmp_path, [plan for _, plan in cases])
    for seed, model in enumerate(models):
        _check(model, seed)
    assert {step.variant for model in models for step in model.schedule.steps if step.band} >= {
        *("conv_1x1", "conv_2d", "depthwise_conv_2d", "average_pool_2d", "max_pool_2d", "add", "requantize"),
    }


def test_random_stages_on_armv6m(tmp_path: Path) -> None:
    """Kernels that spend flash for speed, where they suit, work on bands of rows as well."""
    cases = [(graph, plan) for seed in range(20) for graph in [_network(seed)] for plan in _plans(graph, seed)]
    cores = [InstructionSet.ARMV6M] * len(cases)
    models = build_models([g for g, _ in cases], tmp_path, [p for _, p in cases], cores, choose=for_speed)
    for seed, model in enumerate(models):
        _check(model, seed)
    assert {step.variant for model in models for step in model.schedule.steps if step.band} >= {
        *("conv_1x1_swar_w16", "conv_2d_swar_w16", "conv_2d", "add"),
    }


def test_patches_share_weights_and_structures(tmp_path: Path) -> None:
    """What is written to flash is what the schedule counts, to the byte."""
    graph = _network(3)
    plan = _plans(graph, 3)[0]
    schedule, generated = generate_guarded(graph, tmp_path, patches=plan)
    interface = 4 + 4  # the address of the input and of the output
    plain = interface + sum(step.constant_bytes for step in lower(graph).steps)
    assert generated.constant_bytes == interface + sum(step.constant_bytes for step in schedule.steps)
    text = (tmp_path / "model_constants.c").read_text()
    weights = re.findall(r" model_\w+_(?:weights|constants)\[(\d+)\]", text)
    assert len(weights) == len([op for op in graph.ops if len(op.inputs) > 2])
    structures = re.findall(r"^const tn_\w+_params model_(\d+)_", text, flags=re.MULTILINE)
    owners = {step.index if step.band is None else step.band.parameters_step for step in schedule.steps}
    assert sorted(map(int, structures)) == sorted(owners)
    more_structures = len(owners) - len(lower(graph).steps)
    more_steps = len(schedule.steps) - len(lower(graph).steps)
    assert plain < generated.constant_bytes <= plain + 56 * more_structures + 16 * more_steps
