"""One feature for each value of each variable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinynas.spaces._search_space import SearchSpace
from tinynas.spaces._variables import Genotype, activity


def one_hot(space: SearchSpace, genotypes: Sequence[Genotype]) -> npt.NDArray[np.float64]:
    """One feature for each value of each variable: 1 where the variable has it, else 0; an inactive one has only zeros.

    Different genotypes have different rows. The squared distance of two rows is the number of values that one has and
    the other has not.

    Args:
        space: where the genotypes are from.
        genotypes: n members of the space.

    Returns:
        [n, d], d the number of values of all variables, in the order of the variables.
    """
    starts = np.cumsum([0, *(len(variable.values) for variable in space.variables)]).tolist()
    encoded = np.zeros((len(genotypes), starts[-1]))
    for row, genotype in zip(encoded, genotypes, strict=True):
        awake = activity(space.variables, genotype)
        for variable, value, here, start in zip(space.variables, genotype, awake, starts[:-1], strict=True):
            if here:
                row[start + variable.values.index(value)] = 1.0
    return encoded
