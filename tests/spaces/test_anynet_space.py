"""Spaces of stages chosen whole: what the file says is what the networks are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinynas.graph import OpKind
from tinynas.spaces import AnyNetSpace, SpaceError, build_graph, load_space, parse_space

GOOD = """
family = "anynet"
name = "mine"
description = "a space in one file"
resolutions = [15, 16]

[stem]
width = [4, 8]
downsample = ["stride", "max_pool", "none"]

[[stages]]
block = ["depthwise_separable", "inverted_bottleneck"]
width = [8, 12]
depth = [1, 2]
downsample = ["average_pool", "none"]
choices = { kernel = [3, 5], expansion = [2, 4] }
"""


@pytest.fixture
def space() -> AnyNetSpace:
    found = parse_space(GOOD)
    assert isinstance(found, AnyNetSpace)
    return found


def shapes(
    space: AnyNetSpace, description: dict[str, int | str], resolution: int = 16
) -> list[tuple[str, tuple[int, ...]]]:
    architecture = space.decode(space.from_description(description), 1.0, resolution, 1, 10)
    build_graph(architecture)  # neighbours meet
    return [(block.name, block.output_shape[1:]) for block in architecture.blocks]


NETWORK = {
    "stem.width": 4,
    "stem.kernel": 3,
    "stem.downsample": "max_pool",
    "stage1.block": "inverted_bottleneck",
    "stage1.width": 12,
    "stage1.depth": 2,
    "stage1.downsample": "average_pool",
    "stage1.kernel": 5,
    "stage1.expansion": 4,
}


def test_size_is_the_product_of_choices_and_a_parameter_counts_where_its_kind_is(space: AnyNetSpace) -> None:
    # Stem: 2 widths, 1 kernel, 3 ways. Stage: 2 widths, 2 depths, 2 ways, 2 kernels, and 1 + 2 kinds with expansions.
    assert space.size() == (2 * 3) * (2 * 2 * 2 * 2) * (1 + 2)


def test_pools_stand_behind_the_stem_and_before_a_stage(space: AnyNetSpace) -> None:
    assert shapes(space, NETWORK) == [
        ("stem", (16, 16, 4)),
        ("stem.pool", (8, 8, 4)),
        ("stage1.pool", (4, 4, 4)),
        ("stage1.block1", (4, 4, 12)),
        ("stage1.block2", (4, 4, 12)),
        ("head", (10,)),
    ]


def test_sides_that_are_odd_are_rounded_up(space: AnyNetSpace) -> None:
    assert [shape for _, shape in shapes(space, NETWORK, 15)][:3] == [(15, 15, 4), (8, 8, 4), (4, 4, 4)]


def test_a_stride_is_that_of_the_first_convolution_alone(space: AnyNetSpace) -> None:
    strided = {**NETWORK, "stem.downsample": "stride", "stage1.downsample": "none"}
    assert shapes(space, strided)[:3] == [
        ("stem", (8, 8, 4)),
        ("stage1.block1", (8, 8, 12)),
        ("stage1.block2", (8, 8, 12)),
    ]


def test_parameters_of_the_kind_reach_every_block(space: AnyNetSpace) -> None:
    architecture = space.decode(space.from_description(NETWORK), 1.0, 16)
    blocks = [block for block in architecture.blocks if block.kind == "inverted_bottleneck"]
    assert [(block.parameter("kernel"), block.parameter("expansion")) for block in blocks] == [(5, 4)] * 2
    kinds = [op.kind for op in build_graph(architecture).ops]
    assert kinds.count(OpKind.ADD) == 1  # the first block changes the number of channels


def test_the_width_multiplier_scales_every_width(space: AnyNetSpace) -> None:
    architecture = space.decode(space.from_description(NETWORK), 2.0, 16)
    assert [block.output_shape[-1] for block in architecture.blocks[:4]] == [8, 8, 8, 24]


@pytest.mark.parametrize("sizes", [(0.0, 16, 1, 10), (1.0, 0, 1, 10), (1.0, 16, 0, 10), (1.0, 16, 1, 0)])
def test_sizes_that_are_not_positive_are_refused(space: AnyNetSpace, sizes: tuple[float, int, int, int]) -> None:
    with pytest.raises(SpaceError, match="must be positive"):
        space.decode(space.smallest(), *sizes)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('family = "anynet"', 'family = ["anynet"]', r"unknown family \['anynet'\]; did you mean 'anynet'"),
        ('family = "anynet"', 'family = "anynets"', "unknown family 'anynets'; did you mean 'anynet'"),
        ("width = [4, 8]", "width = [8, 4]", r"stem: width must be ascending without repeats"),
        ("width = [4, 8]", "width = [4, 8]\nstrides = [1]", "unknown key 'stem.strides'"),
        (
            '"depthwise_separable", ',
            '"depthwise_seperable", ',
            "unknown block kind 'depthwise_seperable'; did you mean",
        ),
        ('"depthwise_separable", ', '"max_pool", ', "a 'max_pool' block cannot stand in the stem or in a stage"),
        (
            "expansion = [2, 4]",
            "groups = [2, 4]",
            "no block of depthwise_separable, inverted_bottleneck has the parameter 'groups'",
        ),
        (", expansion = [2, 4]", "", "'inverted_bottleneck' also needs expansion"),
        ("kernel = [3, 5]", "kernel = [3, 4]", "kernel = 4 must be odd and positive"),
        ('"stride", "max_pool", "none"', '"stride", "stride"', "downsample must name each once"),
        ('"stride", "max_pool", "none"', '"strided"', r"stem\.downsample\.1: "),
        ("[stem]", '[head]\nblock = ["classifier", "conv"]\n[stem]', "head: a 'conv' block does not end in classes"),
        ("[stem]", '[head]\nblock = ["classifier", "classifier"]\n[stem]', "head: block must name each once"),
        ("[stem]", "[head]\nblock = []\n[stem]", r"head\.block: "),
        ("depth = [1, 2]", "depth = [0, 1]", r"stages\.1\.depth\.1: "),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(SpaceError, match=message) as error:
        load_space(str(path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_of_several_heads_the_last_variable_chooses(space: AnyNetSpace) -> None:
    several = parse_space(GOOD + '[head]\nblock = ["classifier", "flatten_classifier"]\n')
    assert several.size() == 2 * space.size()
    assert several.variables[-1].name == "head.block"
    assert [variable.name for variable in several.variables[:-1]] == [variable.name for variable in space.variables]
    for head in ("classifier", "flatten_classifier"):
        genotype = several.from_description({**NETWORK, "head.block": head})
        assert several.decode(genotype, 1.0, 16).blocks[-1].kind == head


def test_one_head_is_no_variable(space: AnyNetSpace) -> None:
    named = parse_space(GOOD + '[head]\nblock = "flatten_classifier"\n')
    assert named.variables == space.variables
    assert named.decode(named.smallest(), 1.0, 16).blocks[-1].kind == "flatten_classifier"
