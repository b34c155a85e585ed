"""A space that is too small for a board is named, and those that are not."""

from __future__ import annotations

from importlib import resources

import pytest

from tinynas.memory import NativeMemoryModel
from tinynas.pipeline.costs import CostModel, too_small_a_space
from tinynas.spaces import load_space, parse_space
from tinynas.targets import Reserve, load_board


def resource_text(name: str) -> str:
    """The file of a space that ships."""
    return (resources.files("tinynas.spaces") / f"data/{name}.toml").read_text()


@pytest.fixture(scope="module")
def costs() -> CostModel:
    board = load_board("stm32f746g-disco")
    return CostModel(board, NativeMemoryModel.for_board(board), Reserve())


def said(costs: CostModel, name: str, side: int | None = None) -> str | None:
    space = load_space(name)
    configurations = [(w, r) for w, r in space.configurations() if side is None or r <= side]
    return too_small_a_space(space, configurations, costs, 3, 10, side)


def test_the_largest_network_decides(costs: CostModel) -> None:
    line = said(costs, "mobile-tiny")
    assert line is not None
    assert line.startswith("the largest network of space 'mobile-tiny' takes ")
    space = load_space("mobile-tiny")
    largest = costs.of(space.decode(space.largest(), space.width_multipliers[-1], space.resolutions[-1], 3, 10))
    arena = next(region for region in largest.regions if region.name == costs.board.layout.arena)
    assert f"takes {100 * arena.used_bytes / arena.available_bytes:.0f} % of SRAM" in line
    assert said(costs, "mcu") is None


def test_larger_spaces_are_named_that_can_use_the_images(costs: CostModel) -> None:
    everywhere, small_images = said(costs, "mobile-tiny"), said(costs, "mobile-tiny", side=32)
    assert everywhere is not None
    assert everywhere.endswith(": take a larger one, mcu, mobile, tiny")
    assert small_images is not None
    assert small_images.endswith(": take a larger one, tiny")
    assert said(costs, "tiny", side=32) is None


def test_the_order_of_names_in_a_space_file_changes_nothing(costs: CostModel) -> None:
    """The kind of block that a file names last need not be that of the largest networks."""
    text = resource_text("tiny")
    kinds = '"depthwise_separable", "inverted_bottleneck", "conv", "fused_inverted_bottleneck", "residual"'
    assert kinds in text
    small_last = '"inverted_bottleneck", "conv", "fused_inverted_bottleneck", "residual", "depthwise_separable"'
    reordered = parse_space(text.replace(kinds, small_last))
    last = costs.of(reordered.decode(reordered.largest(), 1.0, 32, 3, 10))
    assert all(region.used_bytes < 0.5 * region.available_bytes for region in last.regions)
    assert too_small_a_space(reordered, [(1.0, 32)], costs, 3, 10, 32) is None


def test_flash_alone_can_be_used_up(costs: CostModel) -> None:
    """A board with a little less flash than the network takes: what is left of its SRAM is no reason to go on."""
    board = costs.board
    code = next(region for region in board.regions if region.name == board.layout.code)
    smaller = CostModel(board, costs.memory, Reserve(flash_bytes=code.size_bytes - 300_000))
    assert said(smaller, "mobile-tiny") is None
