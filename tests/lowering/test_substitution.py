"""Other kernels for steps of a schedule: what follows is computed anew, every tensor stays where it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinynas.engine import generate
from tinynas.graph import DType, Graph, GraphBuilder, Quantization
from tinynas.kernels import CATALOGUE, InstructionSet, UnsupportedGraphError
from tinynas.latency import NetworkLimits, random_network, with_random_constants
from tinynas.lowering import (
    PatchPlan,
    Schedule,
    VariantError,
    address_bytes,
    layers,
    lower,
    substitutes,
    suits,
    with_constants,
    with_variants,
)
from tinynas.memory import plan_arena


def network() -> Graph:
    b = GraphBuilder("network", DType.INT8)
    x = b.conv_2d(b.input((1, 16, 16, 3)), 8, 3, stride=2, name="stem")
    x = b.depthwise_conv_2d(x, 3, name="depthwise")
    x = b.conv_2d(x, 24, 1, name="expand")
    x = b.depthwise_conv_2d(x, 3, stride=2, name="shrinking")
    return b.build([b.fully_connected(b.mean(x, name="pool"), 4, name="head")])


def names(schedule: Schedule, layer: tuple[int, ...]) -> set[str]:
    return {variant.name for variant in substitutes(schedule, layer)}


def test_the_kernels_that_could_execute_each_layer() -> None:
    schedule = lower(network())
    found = {schedule.steps[layer[0]].name: names(schedule, layer) for layer in layers(schedule)}
    assert {"conv_2d_im2col", "conv_2d"} <= found["stem"]
    assert {"conv_1x1", "conv_2d_im2col", "conv_2d"} <= found["expand"]
    # In place, and in place of a larger input: kernels that cannot do that are out.
    in_place = {"depthwise_conv_2d_3x3", "depthwise_conv_2d_3x3_ch4", "depthwise_conv_2d_channel_buffer"}
    assert found["depthwise"] == in_place
    assert schedule.steps[3].shrinks
    assert {"depthwise_conv_2d_3x3_stride_2", "depthwise_conv_2d_channel_buffer"} <= found["shrinking"]
    assert not {"depthwise_conv_2d", "conv_2d"} & found["shrinking"]
    # Parameters of kernels without weights follow from the shapes.
    assert found["pool"] == {"mean"}


def test_without_sharing_storage_more_kernels_will_do() -> None:
    schedule = lower(network(), in_place=False)
    assert {"depthwise_conv_2d", "conv_2d"} <= names(schedule, (1,))


def _with_scales(graph: Graph, scale: float) -> Graph:
    """Its last layer's weights with that scale instead of theirs."""
    weights = graph.ops[-1].inputs[1]
    quantization = graph.tensors[weights].quantization
    assert quantization is not None
    scaled = replace(quantization, scales=(scale,) * len(quantization.scales))
    tensors = [replace(t, quantization=scaled) if i == weights else t for i, t in enumerate(graph.tensors)]
    return replace(graph, tensors=tuple(tensors))


def test_a_bias_that_cannot_be_folded_leaves_the_kernel_that_does_not_fold() -> None:
    b = GraphBuilder("network", DType.INT8)
    graph = with_random_constants(b.build([b.conv_2d(b.input((1, 6, 6, 24)), 16, 3, name="layer")]), seed=1)
    weights, bias = (graph.ops[0].inputs[i] for i in (1, 2))
    tensors = list(graph.tensors)
    tensors[weights] = replace(tensors[weights], data=np.full(tensors[weights].shape, 100, np.int8))
    tensors[bias] = replace(tensors[bias], data=np.full(tensors[bias].shape, (1 << 31) - 1, np.int32))
    tensors[graph.inputs[0]] = replace(tensors[graph.inputs[0]], quantization=Quantization((0.02,), (-128,)))
    schedule = lower(replace(graph, tensors=tuple(tensors)), instruction_set=InstructionSet.ARMV6M)
    assert names(schedule, (0,)) == {"conv_2d"}
    assert "conv_2d_swar_w16" in {variant.name for variant in substitutes(schedule, (0,), suited=False)}


def test_a_graph_with_some_of_its_constants_is_taken_for_a_skeleton() -> None:
    b = GraphBuilder("network", DType.INT8)
    graph = with_random_constants(b.build([b.conv_2d(b.input((1, 6, 6, 12)), 8, 1, name="layer")]), seed=1)
    bias = graph.ops[0].inputs[2]
    tensors = [replace(t, data=None) if i == bias else t for i, t in enumerate(graph.tensors)]
    schedule = lower(replace(graph, tensors=tuple(tensors)), instruction_set=InstructionSet.ARMV6M)
    assert "conv_1x1_swar_w16" in names(schedule, (0,))


def test_a_kernel_that_does_not_suit_the_constants_is_none_for_the_layer() -> None:
    b = GraphBuilder("network", DType.INT8)
    skeleton = b.build([b.conv_2d(b.input((1, 6, 6, 12)), 8, 1, name="layer")])
    graph = with_random_constants(skeleton, seed=1)
    unsuited = _with_scales(graph, 1.0)  # a multiplier above one: a line would have to round once
    for network, paired in ((skeleton, True), (graph, True), (unsuited, False)):
        schedule = lower(network, instruction_set=InstructionSet.ARMV6M)
        assert ("conv_1x1_swar_w16" in names(schedule, (0,))) == paired
        assert suits(schedule)
    substituted = with_variants(lower(skeleton, instruction_set=InstructionSet.ARMV6M), {0: "conv_1x1_swar_w16"})
    assert suits(replace(substituted, graph=graph))
    late = replace(substituted, graph=unsuited)
    assert not suits(late)
    with pytest.raises(UnsupportedGraphError, match=r"'layer'.*do not suit"):
        generate(late, plan_arena(late), Path("unused"))
    with pytest.raises(VariantError, match="cannot take the place"):
        with_variants(lower(unsuited, instruction_set=InstructionSet.ARMV6M), {0: "conv_1x1_swar_w16"})


@pytest.mark.parametrize("seed", range(12))
def test_what_follows_from_a_kernel_is_computed_anew(seed: int) -> None:
    schedule = lower(random_network(seed, NetworkLimits(activation_bytes=2400, weight_bytes=2000, layers=10)))
    for layer in layers(schedule):
        for variant in substitutes(schedule, layer):
            substituted = with_variants(schedule, dict.fromkeys(layer, variant.name))
            assert substituted.buffers == schedule.buffers
            for index, (step, before) in enumerate(zip(substituted.steps, schedule.steps, strict=True)):
                if index not in layer:
                    assert step == before
                    continue
                call = schedule.call(before)
                assert step.variant == variant.name
                assert step.scratch_bytes == variant.scratch_bytes(call)
                assert step.constant_bytes == variant.constant_bytes(call) + address_bytes(variant, call)
                assert step.features == variant.features(call)
                assert (step.output_buffer, step.input_buffers, step.shrinks) == (
                    before.output_buffer,
                    before.input_buffers,
                    before.shrinks,
                )
            # And back: the local rule's schedule is the same again.
            back = dict.fromkeys(layer, schedule.steps[layer[0]].variant)
            assert with_variants(substituted, back) == schedule


def test_loop_counts_of_additions_follow_the_scales() -> None:
    b = GraphBuilder("network", DType.INT8)
    x = b.input((1, 5, 5, 3))
    skeleton = b.build([b.add(b.conv_2d(x, 3, 3, name="conv"), x, name="add")])
    schedule = lower(skeleton)
    assert {name: value for name, value in schedule.steps[1].features.items() if value} == {
        "calls": 1,
        "elements": 75,
        "fours": 18,
    }
    # Between these scales sums have halves, which TFLite rounds now up, now down.
    scales = {skeleton.inputs[0]: 0.026, skeleton.ops[0].outputs[0]: 0.02, skeleton.ops[1].outputs[0]: 6 / 255}
    found = {}
    for name, others in (("plane", {}), ("none", scales)):
        graph = with_random_constants(skeleton, seed=1)
        tensors = list(graph.tensors)
        for index, scale in others.items():
            tensors[index] = replace(tensors[index], quantization=Quantization((scale,), (0,)))
        graph = replace(graph, tensors=tuple(tensors))
        filled = with_constants(schedule, graph)
        assert filled == lower(graph)
        found[name] = dict(filled.steps[1].features)
    assert found["plane"] == dict(schedule.steps[1].features)
    assert {name: value for name, value in found["none"].items() if value} == {
        "calls": 1,
        "calls_without_plane": 1,
        "elements_without_plane": 75,
    }


def test_layers_in_patches_change_as_a_whole() -> None:
    schedule = lower(network(), PatchPlan(3, 2))
    assert layers(schedule)[:3] == ((0, 3), (1, 4), (2, 5))
    substituted = with_variants(schedule, dict.fromkeys((2, 5), "conv_2d_im2col"))
    assert [step.variant for step in substituted.steps if step.band and step.band.weights_step == 2] == [
        "conv_2d_im2col",
        "conv_2d_im2col",
    ]
    call = schedule.call(schedule.steps[2])
    im2col = CATALOGUE["conv_2d_im2col"]
    assert substituted.steps[2].constant_bytes == im2col.constant_bytes(call) + address_bytes(im2col, call)
    # Both patches have one shape: weights and parameters are there, and only the addresses are the second one's own.
    assert substituted.steps[5].constant_bytes == address_bytes(im2col, call)
    with pytest.raises(VariantError, match="steps 2, 5 share their weights and cannot run conv_1x1 and conv_2d_im2col"):
        with_variants(schedule, {2: "conv_2d_im2col"})


def test_reasons_are_kept_with_the_steps() -> None:
    schedule = with_variants(lower(network()), {2: "conv_2d"}, {2: "conv_2d: for a test"})
    assert [step.reason for step in schedule.steps] == ["", "", "conv_2d: for a test", "", "", ""]


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ({0: "conv_9x9"}, "'stem': kernel conv_9x9 cannot take the place of conv_2d_im2col"),
        ({1: "depthwise_conv_2d"}, "'depthwise': kernel depthwise_conv_2d cannot take the place of"),
        ({0: "conv_1x1"}, "kernel conv_1x1 cannot"),
        ({6: "mean"}, "no step 6: the schedule has 6 steps"),
    ],
)
def test_what_cannot_be_substituted_is_refused(variants: dict[int, str], message: str) -> None:
    with pytest.raises(VariantError, match=message):
        with_variants(lower(network()), variants)
