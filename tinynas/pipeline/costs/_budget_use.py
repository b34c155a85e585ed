"""How much of a board the largest networks of a space take: a space can be too small for a board, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinynas.pipeline.costs._cost_model import CostModel
from tinynas.spaces import Genotype, SearchSpace, list_spaces, load_space

_LITTLE = 0.5
"""A space whose largest network takes less than half of both memories leaves accuracy behind."""

_OWN = "tinynas"


@dataclass(frozen=True)
class BudgetUse:
    """The shares of the arena's region and of the code's that the largest network takes; above 1 it does not fit."""

    sram: float
    flash: float

    @property
    def share(self) -> float:
        """Of that of which it takes more."""
        return max(self.sram, self.flash)

    @property
    def little(self) -> bool:
        """Whether it takes little of both."""
        return self.share < _LITTLE


def budget_use(
    space: SearchSpace,
    configurations: Sequence[tuple[float, int]],
    costs: CostModel,
    input_channels: int,
    classes: int,
) -> BudgetUse:
    """What the largest network takes, at the largest width and resolution of `configurations`.

    `SearchSpace.largest` has every variable at its last value, which need not be the one that takes most where values
    have no order: from there on it is the best neighbour that is looked for, until none takes more, or it takes enough.
    """
    layout = costs.board.layout
    width, resolution = max(configurations)[0], max(resolution for _, resolution in configurations)

    def use(genotype: Genotype) -> BudgetUse:
        usage = costs.of(space.decode(genotype, width, resolution, input_channels, classes)).regions
        shares = {region.name: region.used_bytes / max(1, region.available_bytes) for region in usage}
        return BudgetUse(shares[layout.arena], shares[layout.code])

    found, centre = use(space.largest()), space.largest()
    while found.little:
        near = ((use(other), other) for other in space.neighbours(centre))
        better = max(near, key=lambda pair: pair[0].share, default=(found, centre))
        if better[0].share <= found.share:
            break
        found, centre = better
    return found


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
