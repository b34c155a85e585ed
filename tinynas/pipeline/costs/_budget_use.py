"""How much of a board the largest networks of a space take: a space can be too small for a board, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinynas.pipeline.costs._cost_model import CostModel
from tinynas.spaces import SearchSpace, list_spaces, load_space

_LITTLE = 0.5
"""A space whose largest network takes less than half of both memories leaves accuracy behind."""

_OWN = "tinynas"


@dataclass(frozen=True)
class BudgetUse:
    """The shares of the arena's region and of the code's that the largest network takes; above 1 it does not fit."""

    sram: float
    flash: float

    @property
    def little(self) -> bool:
        """Whether it takes little of both."""
        return max(self.sram, self.flash) < _LITTLE


def budget_use(
    space: SearchSpace,
    configurations: Sequence[tuple[float, int]],
    costs: CostModel,
    input_channels: int,
    classes: int,
) -> BudgetUse:
    """What the largest network of any of `configurations` takes."""
    layout = costs.board.layout
    shares = {layout.arena: 0.0, layout.code: 0.0}
    for width, resolution in configurations:
        architecture = space.decode(space.largest(), width, resolution, input_channels, classes)
        for region in costs.of(architecture).regions:
            if region.name in shares:
                shares[region.name] = max(shares[region.name], region.used_bytes / max(1, region.available_bytes))
    return BudgetUse(shares[layout.arena], shares[layout.code])


def too_small_a_space(
    space: SearchSpace,
    configurations: Sequence[tuple[float, int]],
    costs: CostModel,
    input_channels: int,
    classes: int,
    side: int | None = None,
) -> str | None:
    """One line that says so where even the largest network of a space takes little of the board; else None.

    Args:
        space: the space.
        configurations: its (width multiplier, resolution) pairs.
        costs: of the board.
        input_channels: channels of the input.
        classes: number of classes.
        side: of the images, in pixels, where that bounds the resolutions of other spaces too.
    """
    use = budget_use(space, configurations, costs, input_channels, classes)
    if not use.little:
        return None
    larger: list[str] = []
    for listed in list_spaces():
        if listed.source == _OWN and listed.name != space.name:
            other = load_space(listed.name)
            usable = [(w, r) for w, r in other.configurations() if side is None or r <= side]
            if usable and not budget_use(other, usable, costs, input_channels, classes).little:
                larger.append(listed.name)
    return (
        f"the largest network of space {space.name!r} takes {100 * use.sram:.0f} % of SRAM and {100 * use.flash:.0f} % "
        f"of flash of {costs.board.name}"
        + (f": take a larger one, {', '.join(larger)}" if larger else ": a smaller board would do")
    )
