"""Networks that a person would scale by hand to the constraints of a run: baselines, and where a search may start."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.spaces import HAND_MADE, Architecture, Genotype, nearest_member

logger = logging.getLogger(__name__)


def scaled_by_hand(
    name: str, chosen: ChosenSpace, fits: Callable[[Architecture], bool], resolutions: Sequence[int]
) -> Architecture | None:
    """The hand-made network of that name, scaled to what fits; None if none of its sizes does."""
    return HAND_MADE[name].scale(fits, resolutions, chosen.input_channels, chosen.classes)


def starting_networks(
    context: RunContext, chosen: ChosenSpace, fits: Callable[[Architecture], bool]
) -> dict[str, Genotype]:
    """Of each hand-made network that the search is to start at, scaled to what fits, the member that is most like it.

    One that does not fit at the resolution chosen, nor any member for it, is left out, with a warning.
    """
    names = context.config.search.start
    if not names:
        return {}

    def project() -> dict[str, Any]:
        context.progress.begin("where the search starts", len(names))
        members: dict[str, Genotype | None] = {}
        for done, name in enumerate(names, start=1):
            network = scaled_by_hand(name, chosen, fits, [chosen.resolution])
            members[name] = None
            if network is not None:
                members[name] = nearest_member(
                    chosen.space, chosen.architecture, network, lambda genotype: fits(chosen.architecture(genotype))
                )
            context.progress.advance(done)
        context.progress.end(", ".join(f"{name} {'left out' if m is None else 'found'}" for name, m in members.items()))
        return {"members": members}

    members = context.run.once("start", project)["members"]
    for name in names:
        if members[name] is None:
            logger.warning(
                "no size of %s fits at %d pixels: the search starts without it",
                HAND_MADE[name].label,
                chosen.resolution,
            )
    return {name: tuple(members[name]) for name in names if members[name] is not None}
