"""Spaces that ship pass their contract, and block kinds that break one of its rules do not."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import pytest
from toy_cell import ToyCellSpace

from tinynas.graph import Activation, GraphBuilder, Padding
from tinynas.spaces import (
    Architecture,
    Block,
    BlockKind,
    Cell,
    ChainSpace,
    Genotype,
    SearchSpace,
    SpaceError,
    VariableSpace,
    load_space,
    parse_space,
    register_block_kind,
)
from tinynas.spaces import _kinds as kinds
from tinynas.spaces._space_file import shipped_names
from tinynas.testing import BaseSharedWeightsTestCase, BaseSpaceTestCase
from tinynas.testing._shared_weights_contract import random_pairs
from tinynas.testing._space_contract import random_networks

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


SHIPPED = [load_space(name) for name in shipped_names()]


class TestSpacesThatShip(BaseSpaceTestCase):
    @pytest.fixture(params=SHIPPED, ids=lambda space: space.name)
    def space(self, request: pytest.FixtureRequest) -> SearchSpace:
        return request.param


class TestChainsThatShip(BaseSharedWeightsTestCase):
    @pytest.fixture(params=[space for space in SHIPPED if isinstance(space, ChainSpace)], ids=lambda space: space.name)
    def space(self, request: pytest.FixtureRequest) -> SearchSpace:
        return request.param


class TestToyCell(BaseSpaceTestCase):
    @pytest.fixture
    def space(self) -> SearchSpace:
        return ToyCellSpace()


class NoWiring(ToyCellSpace):
    def structure(self, genotype: Genotype) -> tuple[Cell, ...]:
        return VariableSpace.structure(self, genotype)


class TestSpaceThatDoesNotSayItsWiring(BaseSpaceTestCase):
    @pytest.fixture
    def space(self) -> SearchSpace:
        return NoWiring()


@pytest.fixture
def register() -> Iterator[Callable[[Build], SearchSpace]]:
    """Registers a kind by its `build`; returns a space of it."""

    def registered(build: Build) -> SearchSpace:
        register_block_kind(BlockKind("of-a-test", build, {"kernel": lambda _: None}))
        return parse_space(SPACE)

    yield registered
    kinds._BLOCK_KINDS._members.pop("of-a-test", None)


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


def rules_broken(contract: object, **fixtures: object) -> set[str]:
    """The tests of a contract that fail, of those that need nothing but these fixtures."""
    broken = set()
    for name in (name for name in dir(contract) if name.startswith("test_")):
        test = getattr(contract, name)
        wanted = inspect.signature(test).parameters
        try:
            if set(wanted) <= set(fixtures):
                test(**{fixture: fixtures[fixture] for fixture in wanted})
        except (AssertionError, pytest.fail.Exception):
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
    space = register(build)
    of_blocks = rules_broken(BaseSpaceTestCase(), networks=random_networks(space, 40))
    of_weights = rules_broken(BaseSharedWeightsTestCase(), pairs=random_pairs(space, 40))
    assert of_blocks | of_weights == broken


class ForgetsInactive(ToyCellSpace):
    def canonical(self, values: Sequence[int]) -> Genotype:
        return tuple(values)


class CountsAssignments(ToyCellSpace):
    def size(self) -> int:
        return 27


class SkipsAValue(ToyCellSpace):
    def neighbours(self, genotype: Genotype) -> Iterator[Genotype]:
        return islice(super().neighbours(genotype), 1, None)


class DecodesOneNetwork(ToyCellSpace):
    def decode(
        self, genotype: Genotype, width: float, resolution: int, input_channels: int = 3, classes: int = 1000
    ) -> Architecture:
        return super().decode(self.smallest(), width, resolution, input_channels, classes)


class ShrinksInCircles(ToyCellSpace):
    def shrink(self, genotype: Genotype, rng: np.random.Generator) -> Genotype | None:
        return self.largest()


class WiresOneNetwork(ToyCellSpace):
    def structure(self, genotype: Genotype) -> tuple[Cell, ...]:
        return super().structure(self.smallest())


@pytest.mark.parametrize(
    ("space", "broken"),
    [
        (ToyCellSpace(), set()),
        (CountsAssignments(), {"test_size_counts_every_member_once"}),
        (SkipsAValue(), {"test_neighbours_differ_in_one_variable"}),
        (DecodesOneNetwork(), {"test_equal_networks_have_equal_genotypes"}),
        (ShrinksInCircles(), {"test_shrinking_ends_at_the_smallest"}),
        (WiresOneNetwork(), {"test_wiring_is_of_one_form_and_tells_networks_apart"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_promise_that_a_space_breaks_is_named(space: SearchSpace, broken: set[str]) -> None:
    rng = np.random.default_rng(1)
    genotypes = [space.smallest(), space.largest(), *(space.sample(rng) for _ in range(20))]
    assert rules_broken(BaseSpaceTestCase(), space=space, genotypes=genotypes) == broken


def test_a_space_that_forgets_what_is_inactive_breaks_its_contract() -> None:
    space = ForgetsInactive()
    rng = np.random.default_rng(1)
    genotypes = [space.smallest(), space.largest(), *(space.sample(rng) for _ in range(20))]
    with pytest.raises(SpaceError, match=r"first\.operator, is inactive and must be 0"):
        BaseSpaceTestCase().test_members_have_allowed_values_where_active_and_none_elsewhere(space, genotypes)
