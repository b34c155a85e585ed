from __future__ import annotations

from collections.abc import Iterator

import pytest

from tinynas.graph import Activation, Graph, GraphBuilder, OpKind, count_macs, count_params
from tinynas.spaces import (
    Architecture,
    Block,
    BlockKind,
    SpaceError,
    block_kind,
    build_block_graph,
    build_graph,
    list_block_kinds,
    load_space,
    register_block_kind,
)
from tinynas.spaces import _kinds as kinds


def op_names(graph: Graph) -> list[str]:
    return [op.name for op in graph.ops]


def block(kind: str, shape=(1, 10, 10, 8), **settings_) -> Block:
    return block_kind(kind).block("stage2.block1", shape, settings_)


def test_inverted_bottleneck_with_a_skip() -> None:
    graph = build_block_graph(block("inverted_bottleneck", out_channels=8, stride=1, kernel=5, expansion=3))
    names = ["expand", "depthwise", "project", "add"]
    assert op_names(graph) == [f"stage2.block1.{name}" for name in names]
    activations = [getattr(op.attributes, "activation", None) for op in graph.ops]
    assert activations == [Activation.RELU6, Activation.RELU6, Activation.NONE, Activation.NONE]
    # By hand: 10x10 pixels, 8 -> 24 -> 24 (5x5) -> 8 channels.
    assert count_macs(graph) == 100 * (8 * 24 + 25 * 24 + 24 * 8)
    assert count_params(graph) == (8 * 24 + 24) + (25 * 24 + 24) + (24 * 8 + 8)


def test_expansion_1_has_no_expanding_convolution_and_stride_2_no_skip() -> None:
    graph = build_block_graph(block("inverted_bottleneck", out_channels=8, stride=2, kernel=3, expansion=1))
    assert op_names(graph) == ["stage2.block1.depthwise", "stage2.block1.project"]
    assert graph.tensor(graph.outputs[0]).shape == (1, 5, 5, 8)


def test_depthwise_separable_and_conv() -> None:
    graph = build_block_graph(block("depthwise_separable", out_channels=16, stride=2, kernel=3))
    assert op_names(graph) == ["stage2.block1.depthwise", "stage2.block1.project"]
    assert count_macs(graph) == 25 * (9 * 8 + 8 * 16)
    graph = build_block_graph(block("conv", out_channels=16, stride=1, kernel=3))
    assert op_names(graph) == ["stage2.block1.conv"]
    assert count_macs(graph) == 100 * 9 * 8 * 16


def test_residual_with_and_without_a_skip() -> None:
    graph = build_block_graph(block("residual", out_channels=8, stride=1, kernel=3))
    assert op_names(graph) == [f"stage2.block1.{name}" for name in ("first", "second", "add")]
    assert [op.attributes.activation for op in graph.ops] == [Activation.RELU6, Activation.NONE, Activation.RELU6]
    # By hand: 10x10 pixels, 8 -> 8 -> 8 channels (3x3).
    assert count_macs(graph) == 2 * 100 * 9 * 8 * 8
    assert count_params(graph) == 2 * (9 * 8 * 8 + 8)
    graph = build_block_graph(block("residual", out_channels=12, stride=2, kernel=5))
    assert op_names(graph) == ["stage2.block1.first", "stage2.block1.second"]
    assert [op.attributes.activation for op in graph.ops] == [Activation.RELU6, Activation.RELU6]
    assert count_macs(graph) == 25 * 25 * (8 * 12 + 12 * 12)


def test_fused_inverted_bottleneck_with_and_without_a_skip() -> None:
    graph = build_block_graph(block("fused_inverted_bottleneck", out_channels=8, stride=1, kernel=3, expansion=4))
    assert op_names(graph) == [f"stage2.block1.{name}" for name in ("fused", "project", "add")]
    assert [op.attributes.activation for op in graph.ops] == [Activation.RELU6, Activation.NONE, Activation.NONE]
    assert count_macs(graph) == 100 * (9 * 8 * 32 + 32 * 8)
    assert count_params(graph) == (9 * 8 * 32 + 32) + (32 * 8 + 8)
    graph = build_block_graph(block("fused_inverted_bottleneck", out_channels=8, stride=2, kernel=3, expansion=2))
    assert op_names(graph) == ["stage2.block1.fused", "stage2.block1.project"]


@pytest.mark.parametrize("kind", ["max_pool", "average_pool"])
def test_pools_halve_the_resolution_rounded_up_and_keep_the_channels(kind: str) -> None:
    graph = build_block_graph(block(kind, shape=(1, 7, 7, 8), stride=2))
    assert op_names(graph) == [f"stage2.block1.{kind}"]
    assert graph.tensor(graph.outputs[0]).shape == (1, 4, 4, 8)
    assert count_params(graph) == 0


def test_classifier_gives_logits() -> None:
    graph = build_block_graph(block_kind("classifier").block("head", (1, 4, 4, 40), {"classes": 10}))
    assert op_names(graph) == ["head.pool", "head.classifier", "head.logits"]
    assert [op.kind for op in graph.ops] == [OpKind.MEAN, OpKind.CONV_2D, OpKind.RESHAPE]
    assert graph.tensor(graph.outputs[0]).shape == (1, 10)


def test_a_flatten_classifier_sums_over_the_whole_map() -> None:
    graph = build_block_graph(block_kind("flatten_classifier").block("head", (1, 4, 3, 40), {"classes": 10}))
    assert op_names(graph) == ["head.classifier", "head.logits"]
    assert [op.kind for op in graph.ops] == [OpKind.CONV_2D, OpKind.RESHAPE]
    assert graph.tensor(graph.outputs[0]).shape == (1, 10)
    assert count_params(graph) == 4 * 3 * 40 * 10 + 10
    assert count_macs(graph) == 4 * 3 * 40 * 10


@pytest.mark.parametrize("settings_", [{"out_channels": 8}, {"out_channels": 8, "stride": 1, "kernel": 3, "size": 2}])
def test_a_block_takes_exactly_its_parameters(settings_) -> None:
    with pytest.raises(SpaceError, match="takes out_channels, stride, kernel"):
        block("conv", **settings_)


def test_unknown_kinds_name_the_nearest() -> None:
    with pytest.raises(SpaceError, match="did you mean 'inverted_bottleneck'"):
        block_kind("inverted_botleneck")


def test_blocks_that_do_not_meet_are_refused() -> None:
    first = block("conv", out_channels=16, stride=1, kernel=3)
    second = block("conv", out_channels=16, stride=1, kernel=3)
    with pytest.raises(SpaceError, match=r"expects \[1, 10, 10, 8\] but is given \[1, 10, 10, 16\]"):
        build_graph(Architecture((first, second), (1, 10, 10, 8)))


@pytest.fixture
def pooling_kind() -> Iterator[BlockKind]:
    def build(builder: GraphBuilder, x: int, block: Block) -> int:
        y = builder.max_pool_2d(x, block.parameter("size"), stride=block.parameter("stride"), name=f"{block.name}.pool")
        return builder.conv_2d(y, block.parameter("out_channels"), 1, name=f"{block.name}.project")

    kind = BlockKind("pooling", build, {"size": lambda value: None if value == 2 else "must be 2"})
    register_block_kind(kind)
    yield kind
    del kinds._BLOCK_KINDS._members["pooling"]


def test_a_new_kind_works_in_a_space_file(pooling_kind: BlockKind, tmp_path) -> None:
    path = tmp_path / "pooled.toml"
    path.write_text(
        """
        name = "pooled"
        description = "a stage of a kind that this test registers"
        width_multipliers = [1.0]
        resolutions = [16]
        [stem]
        width = 8
        [[stages]]
        block = "pooling"
        width = 16
        stride = 2
        choices = { size = [2] }
        """
    )
    space = load_space(path)
    graph = build_graph(space.decode(space.largest(), 1.0, 16, 3, 4))
    assert op_names(graph) == [
        "stem.conv",
        "stage1.block1.pool",
        "stage1.block1.project",
        "head.pool",
        "head.classifier",
        "head.logits",
    ]
    assert ("pooling", "", "this program") in list_block_kinds()


def test_a_taken_name_is_refused(pooling_kind: BlockKind) -> None:
    register_block_kind(pooling_kind)
    with pytest.raises(SpaceError, match="is taken already"):
        register_block_kind(BlockKind("pooling", pooling_kind.build))
