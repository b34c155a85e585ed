"""One feature for each variable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinynas.spaces._search_space import SearchSpace
from tinynas.spaces._variables import Genotype, Variable, activity

NOT_ACTIVE = -1.0


def ordinal(space: SearchSpace, genotypes: Sequence[Genotype]) -> npt.NDArray[np.float64]:
    """One feature for each variable, between 0 at its first and 1 at its last value; -1 where it is not active.

    An ordinal variable is scaled by value (3, 4, 6 are 0, 1/3, 1), a categorical one by the place of its value among
    its values. A variable of one value is 0. Different genotypes have different rows.

    Args:
        space: where the genotypes are from.
        genotypes: n members of the space.

    Returns:
        [n, d], d the number of variables.
    """
    scales = [_scale(variable) for variable in space.variables]
    encoded = np.full((len(genotypes), len(scales)), NOT_ACTIVE)
    for row, genotype in zip(encoded, genotypes, strict=True):
        for position, here in enumerate(activity(space.variables, genotype)):
            if here:
                row[position] = scales[position][genotype[position]]
    return encoded


def _scale(variable: Variable) -> dict[int, float]:
    """The feature of each value."""
    first, last = variable.values[0], variable.values[-1]
    if variable.ordinal:
        return {value: (value - first) / max(1, last - first) for value in variable.values}
    return {value: place / max(1, len(variable.values) - 1) for place, value in enumerate(variable.values)}
