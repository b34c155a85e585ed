"""Spaces that ship pass their contract, and block kinds that break one of its rules do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tinynas.graph import Activation, GraphBuilder, Padding
from tinynas.spaces import Block, BlockKind, SearchSpace, load_space, parse_space, register_block_kind, space_names
from tinynas.spaces import _kinds as kinds
from tinynas.testing import BaseSpaceTestCase
from tinynas.testing._space_contract import random_pairs

Build = Callable[[GraphBuilder, int, Block], int]

SPACE = """
name = "one-kind"
description = "stages of the kind of a test"
width_multipliers = [0.5, 1.0]
resolutions = [15, 16]
[stem]
width = 8
[[stages]]
block = "of-a-test"
width = 8
depth = [1, 2]
choices = { kernel = [2, 3, 5] }
[[stages]]
block = "of-a-test"
width = 16
stride = 2
depth = [1, 2]
choices = { kernel = [2, 3, 5] }
"""


class TestSpacesThatShip(BaseSpaceTestCase):
    @pytest.fixture(params=space_names())
    def space(self, request: pytest.FixtureRequest) -> SearchSpace:
        return load_space(request.param)


@pytest.fixture
def register() -> Iterator[Callable[[Build], SearchSpace]]:
    """Registers a kind by its `build`; returns a space of it."""

    def registered(build: Build) -> SearchSpace:
        register_block_kind(BlockKind("of-a-test", build, {"kernel": lambda _: None}))
        return parse_space(SPACE)

    yield registered
    kinds._KINDS.pop("of-a-test", None)


def conv(builder: GraphBuilder, x: int, block: Block, kernel: int, padding: Padding = Padding.SAME) -> int:
    channels, stride = block.parameter("out_channels"), block.parameter("stride")
    return builder.conv_2d(x, channels, kernel, stride=stride, padding=padding, name=f"{block.name}.conv")


def good(builder: GraphBuilder, x: int, block: Block) -> int:
    return conv(builder, x, block, kernel=2 * block.parameter("kernel") + 1)


def even(builder: GraphBuilder, x: int, block: Block) -> int:
    return conv(builder, x, block, kernel=block.parameter("kernel"))


def shrinking(builder: GraphBuilder, x: int, block: Block) -> int:
    return conv(builder, x, block, kernel=11 - 2 * block.parameter("kernel"))


def skipping_by_choice(builder: GraphBuilder, x: int, block: Block) -> int:
    y = good(builder, x, block)
    same = builder.shape(x) == builder.shape(y)
    return builder.add(x, y, name=f"{block.name}.add") if same and block.parameter("kernel") > 2 else y


def padding_outside(builder: GraphBuilder, x: int, block: Block) -> int:
    before = block.parameter("kernel")
    padded = builder.pad(x, ((0, 0), (before, before), (before, before), (0, 0)), name=f"{block.name}.pad")
    return conv(builder, padded, block, kernel=2 * before + 1, padding=Padding.VALID)


def named_by_its_place(builder: GraphBuilder, x: int, block: Block) -> int:
    activation = Activation.RELU6 if block.name.endswith("1") else Activation.NONE
    return builder.conv_2d(
        x,
        block.parameter("out_channels"),
        2 * block.parameter("kernel") + 1,
        stride=block.parameter("stride"),
        activation=activation,
        name=f"{block.name}.conv",
    )


def rules_broken(space: SearchSpace) -> set[str]:
    contract, pairs = BaseSpaceTestCase(), random_pairs(space, 40)
    broken = set()
    for name in (name for name in dir(contract) if name.startswith("test_")):
        try:
            getattr(contract, name)(pairs)
        except AssertionError:
            broken.add(name)
    return broken


@pytest.mark.parametrize(
    ("build", "broken"),
    [
        (good, set()),
        (even, {"test_weights_are_slices_of_those_of_the_largest"}),
        (shrinking, {"test_weights_are_slices_of_those_of_the_largest"}),
        (skipping_by_choice, {"test_skips_do_not_depend_on_choices"}),
        (padding_outside, {"test_padding_is_inside_the_convolutions"}),
        (named_by_its_place, {"test_equal_signatures_mean_equal_blocks"}),
    ],
)
def test_the_rule_that_a_kind_breaks_is_named(
    build: Build, broken: set[str], register: Callable[[Build], SearchSpace]
) -> None:
    assert rules_broken(register(build)) == broken
