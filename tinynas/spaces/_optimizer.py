"""The search-space optimizer: which width multiplier and resolution to search in, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from tinynas.spaces._block import Architecture
from tinynas.spaces._errors import SpaceError
from tinynas.spaces._ranking import ArchitectureCost, NearestMiss, SpaceRanking, rank, summarize
from tinynas.spaces._search_space import SearchSpace

T = TypeVar("T")


def optimize_space(
    space: SearchSpace,
    configurations: Sequence[tuple[float, int]],
    samples: int,
    cost: Callable[[Architecture], ArchitectureCost],
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    input_channels: int = 3,
    classes: int = 1000,
) -> SpaceRanking:
    """Compare configurations of `space` by the MACs that fit the budget (see `tinynas.spaces._ranking` for why).

    Every configuration is judged on the same genotypes, so that the comparison is not blurred by the draw.

    Args:
        space: the search space.
        configurations: (width multiplier, resolution) pairs; `space.configurations()` gives all of its grid.
        samples: genotypes per configuration; MCUNet takes 1000.
        cost: MACs of a network, and whether it fits. It is called len(configurations) * samples times: combine the
            costs of blocks, cached with `cached_by_signature`.
        seed: the same seed gives the same ranking.
        progress: called with (configurations done, of how many) after each.
        input_channels: channels of the input image.
        classes: number of logits.

    Raises:
        SpaceError: there is nothing to compare.
    """
    if not configurations:
        raise SpaceError("no configuration to compare: give at least one width multiplier and resolution")
    if samples < 1:
        raise SpaceError(f"samples must be at least 1, got {samples}")
    rng = np.random.default_rng(seed)
    genotypes = [space.sample(rng) for _ in range(samples)]
    results = []
    nearest: NearestMiss | None = None
    for done, (width, resolution) in enumerate(configurations, start=1):
        costs = [cost(space.decode(g, width, resolution, input_channels, classes)) for g in genotypes]
        results.append(summarize(width, resolution, costs))
        closest = min(range(samples), key=lambda i: costs[i].excess)
        if not costs[closest].fits and (nearest is None or costs[closest].excess < nearest.cost.excess):
            nearest = NearestMiss(width, resolution, genotypes[closest], costs[closest])
        if progress is not None:
            progress(done, len(configurations))
    return rank(results, nearest)
