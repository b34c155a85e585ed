"""The protocol of regressors."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Regressor(Protocol):
    """A function of feature vectors that was fitted to values when it was made."""

    def predict(self, features: Array) -> tuple[Array, Array]:
        """[m] the predicted values of [m, d] features, and [m] their standard deviations."""
        ...
