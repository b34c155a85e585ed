"""Networks that a person would scale by hand to the constraints of a run: baselines, and where a search may start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tinynas.pipeline.run.stages._context import ChosenSpace
from tinynas.spaces import HAND_MADE, Architecture, Genotype, nearest_member


def scaled_by_hand(
    name: str, chosen: ChosenSpace, fits: Callable[[Architecture], bool], resolutions: Sequence[int]
) -> Architecture | None:
    """The hand-made network of that name, scaled to what fits; None if none of its sizes does."""
    return HAND_MADE[name].scale(fits, resolutions, chosen.input_channels, chosen.classes)


def starting_networks(
    names: Iterable[str], chosen: ChosenSpace, fits: Callable[[Architecture], bool]
) -> tuple[Genotype, ...]:
    """For each hand-made network that fits at the resolution chosen, the member of the space that is most like it."""
    found: dict[Genotype, None] = {}
    for name in names:
        network = scaled_by_hand(name, chosen, fits, [chosen.resolution])
        if network is None:
            continue
        member = nearest_member(chosen.space, chosen.architecture, network, lambda g: fits(chosen.architecture(g)))
        if member is not None:
            found[member] = None
    return tuple(found)
