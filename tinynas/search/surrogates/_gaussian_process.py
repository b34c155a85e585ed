"""A Gaussian process over the variables of a search space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import minimize
from scipy.special import ndtr

from tinynas.spaces import Variable

Array = npt.NDArray[np.float64]

_JITTER = 1e-8
_SMALLEST_NOISE, _LARGEST_NOISE = 1e-4, 1.0
# Log-normal priors, in units of the spread of scores. Lengths: wide around 1 (a change of one variable loses
# 1 - 1/e of the correlation), shared by additive weights; without priors the lengths of a dozen networks are arbitrary.
_LENGTH_PRIOR = (np.log(3.0), 1.0)
_NOISE_PRIOR = (np.log(1e-2), 1.5)


def distances(variables: Sequence[Variable], a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> Array:
    """How far the values of each variable are apart: 0 if equal, 1 at most.

    Of an ordinal variable, the difference of places among its values over the largest such; of a categorical one, 1 if
    the values differ (Hamming). An inactive variable is 1 from each active value.

    Args:
        variables: of the space.
        a: [n, d] places of values, -1 where a variable is not active.
        b: [m, d] likewise.

    Returns:
        [d, n, m].
    """
    result: Array = np.not_equal(a.T[:, :, None], b.T[:, None, :]).astype(np.float64)
    for i, variable in enumerate(variables):
        if variable.ordinal and len(variable.values) > 2:
            apart = np.abs(a[:, i, None] - b[None, :, i]) / (len(variable.values) - 1)
            both = (a[:, i, None] >= 0) & (b[None, :, i] >= 0)
            result[i] = np.where(both, apart, result[i])
    return result


@dataclass(frozen=True)
class Hyperparameters:
    """Of `GaussianProcess`, all in units of the spread of scores.

    Attributes:
        inverse_lengths: [d], 1 / l_i of each variable.
        noise: variance of the noise over the variance of the signal.
    """

    inverse_lengths: Array
    noise: float


class GaussianProcess:
    """A posterior over the score of every network: Rasmussen and Williams 2006, algorithm 2.1.

    The kernel is k(x, x') = s^2 exp(-sum_i d_i(x_i, x'_i) / l_i), with the distances of `distances`: over categorical
    variables a Hamming kernel with one length per variable (Ru et al. 2020, section 4; Hutter et al. 2011, equation 1),
    positive definite, as is the Laplace kernel that it is over ordinal ones. Lengths and noise maximize the marginal
    likelihood (Rasmussen and Williams 2006, equation 5.8, gradient 5.9) times log-normal priors; s^2 has its
    maximum in closed form, y^T K^-1 y / n.

    Args:
        variables: of the space.
        places: [n, d] places of values, -1 where a variable is not active.
        scores: [n].
        variances: [n] of the noise of each score, 0 where it is not known.
        hyperparameters: those of an earlier fit; None fits them.
    """

    def __init__(
        self,
        variables: Sequence[Variable],
        places: npt.NDArray[np.int64],
        scores: Array,
        variances: Array | None = None,
        hyperparameters: Hyperparameters | None = None,
    ) -> None:
        self._variables = variables
        self._places = places
        self._mean = float(np.mean(scores))
        self._spread = float(np.std(scores)) or 1.0
        targets = (scores - self._mean) / self._spread
        extra = np.zeros(len(scores)) if variances is None else variances / self._spread**2
        apart = distances(variables, places, places)
        self.hyperparameters = hyperparameters or _fit(apart, targets, extra)
        kernel = _kernel(apart, self.hyperparameters.inverse_lengths)
        kernel[np.diag_indices_from(kernel)] += self.hyperparameters.noise + extra + _JITTER
        self._factor = np.linalg.cholesky(kernel)
        self._weights = cho_solve((self._factor, True), targets)
        self._scale = float(targets @ self._weights) / len(targets)

    def predict(self, places: npt.NDArray[np.int64]) -> tuple[Array, Array]:
        """Posterior mean and standard deviation of the score, without noise, of [m, d] networks; [m] each."""
        cross = _kernel(distances(self._variables, self._places, places), self.hyperparameters.inverse_lengths)
        mean = cross.T @ self._weights
        whitened = solve_triangular(self._factor, cross, lower=True)
        variance = np.maximum(1.0 - np.einsum("nm,nm->m", whitened, whitened), 1e-12) * self._scale
        return self._mean + self._spread * mean, self._spread * np.sqrt(variance)


def expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """E[max(0, f - best)] = (m - best) Phi(z) + s phi(z), z = (m - best) / s (Jones et al. 1998, equation 15)."""
    z = (mean - best) / deviation
    result: Array = (mean - best) * ndtr(z) + deviation * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return result


def _kernel(apart: Array, inverse_lengths: Array) -> Array:
    kernel: Array = np.exp(-np.tensordot(inverse_lengths, apart, axes=1))
    return kernel


def _fit(apart: Array, targets: Array, extra: Array) -> Hyperparameters:
    """The hyperparameters of largest posterior density, from the priors' modes on."""
    count = len(apart)
    start = np.full(count + 1, -_LENGTH_PRIOR[0])
    start[-1] = _NOISE_PRIOR[0]
    bounds = [(-6.0, 3.0)] * count + [(np.log(_SMALLEST_NOISE), np.log(_LARGEST_NOISE))]
    found = minimize(
        negative_log_posterior,
        start,
        args=(apart, targets, extra),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 50},
    )
    values = np.exp(np.asarray(found.x, dtype=np.float64))
    return Hyperparameters(values[:-1], float(values[-1]))


def negative_log_posterior(log_values: Array, apart: Array, targets: Array, extra: Array) -> tuple[float, Array]:
    """Minus log of marginal likelihood times priors, constants left out, and its gradient.

    With s^2 at its maximum y^T K^-1 y / n, minus the log likelihood is n/2 log(y^T K^-1 y) + 1/2 log |K|.

    Args:
        log_values: [d + 1] log of 1 / l_i, then of the noise.
        apart: [d, n, n] distances of each variable.
        targets: [n] scores of mean 0.
        extra: [n] known variances of noise.
    """
    inverse_lengths, noise = np.exp(log_values[:-1]), float(np.exp(log_values[-1]))
    signal = _kernel(apart, inverse_lengths)
    kernel = signal.copy()
    kernel[np.diag_indices_from(kernel)] += noise + extra + _JITTER
    factor = np.linalg.cholesky(kernel)
    inverse = cho_solve((factor, True), np.eye(len(targets)))
    weights = inverse @ targets
    fit = max(float(targets @ weights), 1e-12)
    n = len(targets)
    value = 0.5 * n * np.log(fit) + float(np.sum(np.log(np.diag(factor))))
    # d value / d K = -n/2 w w^T / (y^T w) + 1/2 K^-1, and d K / d log(1 / l_i) = -(1 / l_i) D_i * signal.
    outer = 0.5 * (inverse - (n / fit) * np.outer(weights, weights))
    gradient = np.empty_like(log_values)
    gradient[:-1] = -inverse_lengths * np.einsum("dnm,nm->d", apart, outer * signal)
    gradient[-1] = noise * np.trace(outer)
    centres = np.append(np.full(len(apart), -_LENGTH_PRIOR[0]), _NOISE_PRIOR[0])
    widths = np.append(np.full(len(apart), _LENGTH_PRIOR[1]), _NOISE_PRIOR[1])
    away = (log_values - centres) / widths
    return value + 0.5 * float(away @ away), gradient + away / widths
