"""Ridge regression (Hoerl and Kennard 1970), which is Bayesian linear regression with a normal prior."""

from __future__ import annotations

import numpy as np

from tinynas.evaluation.regressors._regressor import Array

_PENALTIES = tuple(float(penalty) for penalty in np.logspace(-3, 4, 29))


class Ridge:
    """Linear in standardized features, the penalty chosen by the error of each value left out in turn.

    With centred features X = U D V' and a = lambda, predictions are m(x) = mean(y) + x' (X'X + aI)^-1 X'y. Leaving
    out value i changes its residual from r_i to r_i / (1 - h_ii), h_ii = 1/n + sum_k U_ik^2 d_k^2 / (d_k^2 + a)
    (Golub, Heath and Wahba 1979): the penalty with the smallest sum of squares is taken. The variance of a new value
    is that of Bishop 2006, equation 3.59:

        s^2 (1 + 1/n + x' (X'X + aI)^-1 x),    s^2 = sum r_i^2 / (n - sum h_ii)

    Args:
        features: [n, d], n at least 3.
        values: [n].
    """

    def __init__(self, features: Array, values: Array) -> None:
        count = len(values)
        self._centre = features.mean(axis=0)
        spread = features.std(axis=0)
        self._scale = np.where(spread > 0, spread, 1.0)
        self._mean = float(values.mean())
        u, d, vt = np.linalg.svd((features - self._centre) / self._scale, full_matrices=False)
        projected = u.T @ (values - self._mean)

        def residuals(penalty: float) -> tuple[Array, Array]:
            shrunk = d**2 / (d**2 + penalty)
            return values - self._mean - u @ (shrunk * projected), 1 / count + u**2 @ shrunk

        def left_out(penalty: float) -> float:
            residual, leverage = residuals(penalty)
            return float(np.sum((residual / np.maximum(1 - leverage, 1e-9)) ** 2))

        self.penalty = min(_PENALTIES, key=left_out)
        residual, leverage = residuals(self.penalty)
        free = max(count - float(leverage.sum()), 1e-9)
        self._noise = float(np.sum(residual**2)) / free
        self._count = count
        self._weights = vt.T @ (d / (d**2 + self.penalty) * projected)
        # (X'X + aI)^-1 in the span of the rows, and 1/a across it.
        self._rotation, self._inverse = vt, 1 / (d**2 + self.penalty)

    def predict(self, features: Array) -> tuple[Array, Array]:
        """[m] predicted values and [m] standard deviations of new values."""
        x = (features - self._centre) / self._scale
        along = x @ self._rotation.T
        across = np.maximum(np.sum(x**2, axis=1) - np.sum(along**2, axis=1), 0.0)
        spread = np.sum(along**2 * self._inverse, axis=1) + across / self.penalty
        return self._mean + x @ self._weights, np.sqrt(self._noise * (1 + 1 / self._count + spread))
