"""The member of a space that is most like a given network."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from tinynas.spaces._block import Architecture, Block
from tinynas.spaces._search_space import SearchSpace
from tinynas.spaces._variables import Genotype

_SEED = 0x2EA2
_DRAWN = 500
_DESCENTS = 12
_MISSING = 2.0  # a block that one of the two networks does not have
_KIND = 1.0  # another kind of block
_SEEN_IN_SHAPES = ("out_channels", "stride", "classes")


def distance(one: Architecture, other: Architecture) -> float:
    """How unlike two networks are: the cost of the cheapest alignment of their blocks (Needleman and Wunsch 1970).

    Two blocks cost the sum of the differences of the binary logarithms of each side of their output, of its channels
    (or classes) and of each parameter that both have, and 1 where their kinds differ; a block without a partner costs
    2. A map never stands for class scores.
    """
    row = [_MISSING * j for j in range(len(other.blocks) + 1)]
    for i, left in enumerate(one.blocks, start=1):
        above, row = row, [_MISSING * i]
        for j, right in enumerate(other.blocks, start=1):
            row.append(min(above[j] + _MISSING, row[j - 1] + _MISSING, above[j - 1] + _unlike(left, right)))
    return row[-1]


def nearest_member(
    space: SearchSpace,
    decode: Callable[[Genotype], Architecture],
    target: Architecture,
    allowed: Callable[[Genotype], bool] = lambda genotype: True,
) -> Genotype | None:
    """The member that is most like `target`, as far as descents from random members find it.

    Args:
        space: where to look.
        decode: the network of a member, with the input and the classes of `target`.
        target: any network.
        allowed: whether a member may be returned.

    Returns:
        Of all allowed members that the descents looked at the nearest: the same for the same arguments, `target` itself
        where it is a member and a descent reaches it. None if none is allowed.
    """
    far: dict[Genotype, float] = {}

    def distance_of(genotype: Genotype) -> float:
        if genotype not in far:
            far[genotype] = distance(decode(genotype), target)
        return far[genotype]

    rng = np.random.default_rng(_SEED)
    drawn = dict.fromkeys(space.sample(rng) for _ in range(_DRAWN))
    for genotype in sorted(drawn, key=distance_of)[:_DESCENTS]:
        here = genotype
        while (best := min(space.neighbours(here), key=distance_of, default=here)) and far[best] < far[here]:
            here = best
    return next((genotype for genotype in sorted(far, key=lambda g: far[g]) if allowed(genotype)), None)


@lru_cache(maxsize=4096)
def _unlike(one: Block, other: Block) -> float:
    if len(one.output_shape) != len(other.output_shape):
        return 2 * _MISSING
    ends = zip(one.output_shape[1:], other.output_shape[1:], strict=True)
    theirs = dict(other.parameters)
    shared = ((value, theirs[key]) for key, value in one.parameters if key in theirs and key not in _SEEN_IN_SHAPES)
    return (one.kind != other.kind) * _KIND + sum(abs(math.log2(a / b)) for a, b in (*ends, *shared))
