"""Genotypes as places among the values of their variables: what kernels and densities over variables are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinynas.spaces import Genotype, Variable, activity

Places = npt.NDArray[np.int64]


def places_of(variables: Sequence[Variable], genotypes: Sequence[Genotype]) -> Places:
    """[n, d] place of each value among those of its variable, -1 where the variable is not active."""
    tables = [{value: place for place, value in enumerate(variable.values)} for variable in variables]
    result = np.full((len(genotypes), len(variables)), -1, dtype=np.int64)
    for row, genotype in zip(result, genotypes, strict=True):
        for i, here in enumerate(activity(variables, genotype)):
            if here:
                row[i] = tables[i][genotype[i]]
    return result
