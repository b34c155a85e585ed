"""Parzen estimators: densities over the variables of a space, from networks that were good or bad."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tinynas.search.surrogates._places import Places, places_of
from tinynas.spaces import INACTIVE, Genotype, Variable, active

Array = npt.NDArray[np.float64]


def smoothing(variable: Variable, bandwidth: float) -> Array:
    """K[v, w], the share of an observation of value v that a Parzen estimator gives to value w; rows sum to 1.

    A categorical variable of c values: the kernel of Aitchison and Aitken (1976), 1 - b at v and b / (c - 1) at each
    other. An ordinal one: that of Wang and van Ryzin (1981), proportional to b^|v - w| in places. Both are what
    Falkner et al. 2018 take.

    Args:
        variable: with c values.
        bandwidth: b, from 0 (counts) to 1 - 1 / c (uniform), for categorical variables; below 1 for ordinal ones.
    """
    count = len(variable.values)
    if count == 1:
        return np.ones((1, 1))
    if variable.ordinal and count > 2:
        apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
        kernel = np.asarray(np.float64(bandwidth) ** apart, dtype=np.float64)
        result: Array = kernel / kernel.sum(axis=1, keepdims=True)
        return result
    bandwidth = min(bandwidth, 1 - 1 / count)
    result = np.full((count, count), bandwidth / (count - 1))
    np.fill_diagonal(result, 1 - bandwidth)
    return result


class IndependentParzen:
    """One density per variable, over the observations in which it is active: Bergstra et al. 2011, section 4.2.

    A value has a probability proportional to N p_i + C_i: the prior p_i, uniform, counts as much as `prior_weight`
    observations of each value, and C_i are the observations, smoothed between neighbouring values of an ordinal
    variable. What depends on earlier values is drawn after them, as in the paper's tree.

    Args:
        variables: of the space.
        genotypes: the observations.
        prior_weight: observations of each value that the prior counts as.
        bandwidth: of the smoothing of ordinal variables; categorical ones are counted.
    """

    def __init__(
        self, variables: Sequence[Variable], genotypes: Sequence[Genotype], prior_weight: float, bandwidth: float
    ) -> None:
        self._variables = variables
        places = places_of(variables, genotypes)
        self.probabilities: list[Array] = []
        for i, variable in enumerate(variables):
            seen = places[places[:, i] >= 0, i]
            kernel = smoothing(variable, bandwidth if variable.ordinal else 0.0)
            weights = prior_weight + kernel[seen].sum(axis=0)
            self.probabilities.append(weights / weights.sum())

    def sample(self, rng: np.random.Generator) -> Genotype:
        """A draw, canonical as far as activity goes."""
        return _draw(self._variables, lambda i: self.probabilities[i], rng)

    def log_density(self, places: Places) -> Array:
        """[m] log density of [m, d] places; inactive variables count nothing."""
        total = np.zeros(len(places))
        for i, probabilities in enumerate(self.probabilities):
            here = places[:, i] >= 0
            total[here] += np.log(probabilities[places[here, i]])
        return total


class JointParzen:
    """One density over all variables, a product kernel at each observation: Falkner et al. 2018, section 3.2.

    p(x) = 1/n sum_j prod_i K_i(x_ji, x_i). Unlike `IndependentParzen` it knows which values go together.

    Args:
        variables: of the space.
        genotypes: the observations; at least one.
        bandwidths: of each variable's kernel.
    """

    def __init__(
        self, variables: Sequence[Variable], genotypes: Sequence[Genotype], bandwidths: Sequence[float]
    ) -> None:
        self._variables = variables
        self._places = places_of(variables, genotypes)
        self._kernels = [smoothing(v, b) for v, b in zip(variables, bandwidths, strict=True)]

    def sample(self, rng: np.random.Generator) -> Genotype:
        """A draw from the kernel at a random observation; variables that were not active there are uniform."""
        centre = self._places[int(rng.integers(len(self._places)))]

        def probabilities(i: int) -> Array:
            count = len(self._variables[i].values)
            return self._kernels[i][centre[i]] if centre[i] >= 0 else np.full(count, 1 / count)

        return _draw(self._variables, probabilities, rng)

    def log_density(self, places: Places) -> Array:
        """[m] log density of [m, d] places; a variable that one of two networks has and the other not is uniform."""
        logs = np.zeros((len(places), len(self._places)))
        for i, variable in enumerate(self._variables):
            there, here = self._places[None, :, i], places[:, i, None]
            both = (there >= 0) & (here >= 0)
            kernel = self._kernels[i][np.maximum(there, 0), np.maximum(here, 0)]
            logs += np.log(np.where(both, kernel, np.where((there < 0) & (here < 0), 1.0, 1 / len(variable.values))))
        highest = logs.max(axis=1, keepdims=True)
        result: Array = highest[:, 0] + np.log(np.mean(np.exp(logs - highest), axis=1))
        return result


def bandwidths_of(variables: Sequence[Variable], genotypes: Sequence[Genotype], least: float) -> list[float]:
    """Scott's rule for each variable, n^(-1 / (4 + d)) times the spread of its places (Falkner et al. 2018 take it).

    The spread is relative to that of a uniform variable, and bandwidths are at least `least`: an estimator of networks
    that agree in a variable would never leave their value.
    """
    places = places_of(variables, genotypes)
    factor = len(genotypes) ** (-1 / (4 + len(variables)))
    result = []
    for i, variable in enumerate(variables):
        seen = places[places[:, i] >= 0, i]
        uniform = np.std(np.arange(len(variable.values)))
        spread = float(np.std(seen) / uniform) if len(seen) and uniform > 0 else 0.0
        result.append(min(0.9, max(least, factor * spread)))
    return result


def _draw(variables: Sequence[Variable], probabilities: Callable[[int], Array], rng: np.random.Generator) -> Genotype:
    values = [INACTIVE] * len(variables)
    draws = rng.random(len(variables))
    for i, variable in enumerate(variables):
        if active(variables, values, i):  # which only looks at what was drawn before
            place = int(np.searchsorted(np.cumsum(probabilities(i)), draws[i]))
            values[i] = variable.values[min(place, len(variable.values) - 1)]
    return tuple(values)
