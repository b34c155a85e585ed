"""What weights and scales switch in a kernel is counted: the clamp, the general requantization, scales by output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from tinynas.graph import Activation, DType, Graph, GraphBuilder, Quantization
from tinynas.kernels import CATALOGUE, InstructionSet, UnsupportedGraphError
from tinynas.latency import Trait, with_random_constants
from tinynas.lowering import lower, with_constants, with_variants


def _features(graph: Graph, instruction_set: InstructionSet = InstructionSet.DSP) -> Mapping[str, float]:
    (step,) = lower(graph, instruction_set=instruction_set).steps
    return step.features


def _layer(kind: str, activation: Activation = Activation.NONE) -> Graph:
    b = GraphBuilder(kind, DType.INT8)
    x = b.input((2, 33) if kind == "fully_connected" else (1, 9, 9, 12))
    if kind == "conv_1x1":
        output = b.conv_2d(x, 6, 1, activation=activation, name="layer")
    elif kind == "conv_2d_im2col":
        output = b.conv_2d(x, 6, 3, activation=activation, name="layer")
    elif kind == "fully_connected":
        output = b.fully_connected(x, 7, activation=activation, name="layer")
    elif kind == "average_pool_2d":
        output = b.average_pool_2d(x, 2, activation=activation, name="layer")
    elif kind == "add":
        output = b.add(x, b.input((1, 9, 9, 12), name="other"), activation=activation, name="layer")
    else:
        output = b.depthwise_conv_2d(x, 3, activation=activation, name="layer")
    return with_random_constants(b.build([output]), seed=1)


def _with(graph: Graph, tensor: int, scales: tuple[float, ...], zero_point: int = 0) -> Graph:
    """The graph with another quantization of one tensor; average pooling shares that of its input."""
    tensors = list(graph.tensors)
    quantization = tensors[tensor].quantization
    assert quantization is not None
    other = Quantization(scales, (zero_point,) * len(scales), quantization.axis)
    moved = {tensor, *graph.inputs} if graph.name == "average_pool_2d" else {tensor}
    for index in moved:
        tensors[index] = replace(tensors[index], quantization=other)
    return replace(graph, tensors=tuple(tensors))


@pytest.mark.parametrize(
    "kind", ["conv_1x1", "conv_2d_im2col", "depthwise", "fully_connected", "average_pool_2d", "add"]
)
@pytest.mark.parametrize(
    ("activation", "scale", "zero_point", "clamps"),
    [
        (Activation.NONE, 0.1, 5, False),
        (Activation.RELU, 0.1, -128, False),
        (Activation.RELU, 0.1, -127, True),
        (Activation.RELU6, 6 / 255, -128, False),
        (Activation.RELU6, 0.0236, -128, True),
        (Activation.RELU6, 6 / 255, -100, True),
    ],
)
def test_outputs_narrower_than_int8_are_clamped(
    kind: str, activation: Activation, scale: float, zero_point: int, clamps: bool
) -> None:
    graph = _layer(kind, activation)
    output = graph.ops[0].outputs[0]
    narrow, elements = _with(graph, output, (scale,), zero_point), graph.tensors[output].elements
    turns = {InstructionSet.DSP: 2 + elements // 4 + elements % 4, InstructionSet.ARMV6M: elements}
    for instruction_set, expected in turns.items():
        assert _features(narrow, instruction_set)["clamped"] == (expected if clamps else 0)


@pytest.mark.parametrize("kind", ["conv_1x1", "conv_2d_im2col", "depthwise"])
@pytest.mark.parametrize("instruction_set", [InstructionSet.DSP, InstructionSet.ARMV6M])
def test_one_channel_without_right_shift_makes_a_layer_general(kind: str, instruction_set: InstructionSet) -> None:
    graph = _layer(kind)
    weights = graph.tensors[graph.ops[0].inputs[1]].quantization
    assert weights is not None
    ratio = graph.tensors[graph.ops[0].outputs[0]].quantization.scale / graph.tensors[0].quantization.scale  # type: ignore[union-attr]
    for multiplier, general in ((0.49, False), (0.51, True)):
        scales = (*weights.scales[:-1], multiplier * ratio)
        features = _features(_with(graph, graph.ops[0].inputs[1], scales), instruction_set)
        taken = {name for name, value in features.items() if value and name.startswith("general_")}
        assert bool(taken) == general
        # A layer runs either loops; what is before them, columns and planes, is the same.
        usual = {name.removeprefix("general_") for name in features if name.startswith("general_")} & set(features)
        assert usual
        assert any(features[name] for name in usual) != general


@pytest.mark.parametrize(("multiplier", "general"), [(0.2, False), (0.26, True), (2.0, True)])
def test_fully_connected_layers_of_one_scale_want_two_right_shifts(multiplier: float, general: bool) -> None:
    graph = _layer("fully_connected")
    ratio = graph.tensors[graph.ops[0].outputs[0]].quantization.scale / graph.tensors[0].quantization.scale  # type: ignore[union-attr]
    features = _features(_with(graph, graph.ops[0].inputs[1], (multiplier * ratio,)))
    assert (features["tiles"], features["general_tiles"]) == ((0, 4) if general else (4, 0))


def test_a_scale_for_each_output_is_general_and_takes_tables() -> None:
    graph = _layer("fully_connected")
    (skeleton,) = lower(graph).steps
    per_channel = _with(graph, graph.ops[0].inputs[1], (0.001,) * 7)
    (step,) = with_constants(lower(graph), per_channel).steps
    assert step == lower(per_channel).steps[0]
    assert step.features["general_tiles"] == 4
    assert step.constant_bytes - skeleton.constant_bytes == (4 * 7 + 8) - (4 + 4)  # multipliers, shifts in words


@pytest.mark.parametrize(("outputs", "whole_rows", "rest_rows"), [(3, 0, 2), (4, 2, 0), (7, 2, 2)])
def test_rows_of_whole_fours_and_rows_with_a_rest_are_told_apart(outputs: int, whole_rows: int, rest_rows: int) -> None:
    b = GraphBuilder("fours", DType.INT8)
    graph = with_random_constants(b.build([b.fully_connected(b.input((2, 32)), outputs, name="layer")]), seed=1)
    features = _features(graph)
    assert (features["whole_rows"], features["rest_rows"]) == (whole_rows, rest_rows)
    assert not any(value for name, value in features.items() if name.startswith("general_"))


@pytest.mark.parametrize(("scales", "counted"), [(7, "general_own_scales"), (1, "general_one_scale")])
def test_general_outputs_in_fours_are_counted_by_whether_they_share_a_scale(scales: int, counted: str) -> None:
    b = GraphBuilder("fours", DType.INT8)
    graph = with_random_constants(b.build([b.fully_connected(b.input((2, 32)), 7, name="layer")]), seed=1)
    features = _features(_with(graph, graph.ops[0].inputs[1], (1.0,) * scales))
    # In each row four outputs at once, and two pairs, of which the second computes its output twice.
    assert {name: features[name] for name in ("tiles", "twos", "general_twos", counted)} == {
        "tiles": 0,
        "twos": 0,
        "general_twos": 4,
        counted: 16,
    }


def test_an_add_outside_both_short_ways_is_general() -> None:
    graph = _layer("add")
    coarse = _with(graph, graph.ops[0].outputs[0], (0.4,))
    features = _features(_with(coarse, graph.inputs[0], (0.02,)))
    assert (features["general_calls"], features["general_elements"]) == (1, 972)
    assert not any(features[name] for name in ("elements", "elements_without_plane", "clamped"))


def test_skeletons_count_as_calibrated_networks_do() -> None:
    b = GraphBuilder("skeleton", DType.INT8)
    x = b.conv_2d(b.input((1, 6, 6, 8)), 8, 3, activation=Activation.RELU6, name="conv")
    x = b.depthwise_conv_2d(x, 3, activation=Activation.RELU, name="depthwise")
    skeleton = b.build([b.fully_connected(b.mean(x, name="mean"), 4, name="head")])
    calibrated = lower(with_random_constants(skeleton, seed=3))
    assert [s.features for s in lower(skeleton).steps] == [s.features for s in calibrated.steps]
    unusual = lower(with_random_constants(skeleton, seed=3, traits=frozenset(Trait)))
    assert [s.variant for s in unusual.steps] == [s.variant for s in calibrated.steps]


@pytest.mark.parametrize("instruction_set", [InstructionSet.DSP, InstructionSet.ARMV6M])
def test_every_loop_that_is_counted_is_documented(instruction_set: InstructionSet) -> None:
    """The features of a call are `calls` and the variant's `loops`, whatever its constants are."""
    for kind in ("conv_1x1", "conv_2d_im2col", "depthwise", "fully_connected", "average_pool_2d", "add"):
        graph = _layer(kind, Activation.RELU6)
        for traits in (frozenset[Trait](), frozenset(Trait)):
            schedule = lower(with_random_constants(graph, 7, traits), instruction_set=instruction_set)
            for variant in CATALOGUE.values():
                if graph.ops[0].kind not in variant.kinds or not variant.executes(schedule.call(schedule.steps[0])):
                    continue
                try:
                    (step,) = with_variants(schedule, {0: variant.name}).steps
                except ValueError:  # it cannot be requantized so
                    continue
                assert set(step.features) == {"calls", *variant.loops}, variant.name
                assert all(value == int(value) >= 0 for value in step.features.values())


def test_general_layers_of_every_seed_are_found_by_features_and_generator_alike() -> None:
    """One function decides for both; here the parameter that the kernel reads is held against the loops."""
    rng = np.random.default_rng(0)
    found = set()
    for seed in range(40):
        b = GraphBuilder("layer", DType.INT8)
        x = b.input((1, 4, 4, int(rng.integers(1, 9))))
        graph = b.build([b.conv_2d(x, int(rng.integers(2, 9)), 1, name="layer")])
        schedule = lower(with_random_constants(graph, seed, frozenset(Trait)))
        fields = CATALOGUE["conv_1x1"].pack(schedule.call(schedule.steps[0]), "name").fields["gemm"]
        assert isinstance(fields, Mapping)
        assert bool(fields["general"]) == (schedule.steps[0].features["general_tiles"] > 0)
        found.add(bool(fields["general"]))
    assert found == {True, False}


@pytest.mark.parametrize("kind", ["conv_1x1", "depthwise", "fully_connected"])
@pytest.mark.parametrize("instruction_set", [InstructionSet.DSP, InstructionSet.ARMV6M, InstructionSet.PORTABLE])
def test_weights_with_a_zero_point_are_refused_whatever_the_kernel(kind: str, instruction_set: InstructionSet) -> None:
    graph = _layer(kind)
    weights = graph.ops[0].inputs[1]
    quantization = graph.tensors[weights].quantization
    assert quantization is not None
    with pytest.raises(UnsupportedGraphError, match="wants symmetric weights"):
        lower(_with(graph, weights, quantization.scales, 5), instruction_set=instruction_set)
