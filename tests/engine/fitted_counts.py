"""Fits features to instructions on some layers, and says how far they are off on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt


def worst_error(features: Sequence[Mapping[str, float]], counts: Sequence[int]) -> float:
    """Largest relative error on every other layer of a fit to the rest, where the fit determines them."""
    names = list(features[0])
    rows: npt.NDArray[np.float64] = np.array([[f[name] for name in names] for f in features])
    instructions = np.array(counts, np.float64)
    fit, held_out = slice(0, None, 2), slice(1, None, 2)
    weights = 1 / instructions[fit, np.newaxis]
    coefficients, *_ = np.linalg.lstsq(rows[fit] * weights, instructions[fit] * weights[:, 0], rcond=None)
    # A held-out row outside the span of the fitted ones (a feature that never varied) cannot be predicted.
    _, _, basis = np.linalg.svd(rows[fit] * weights)
    rank = np.linalg.matrix_rank(rows[fit] * weights)
    outside = rows[held_out] @ basis[rank:].T
    determined = np.all(np.abs(outside) <= 1e-6 * np.abs(rows[held_out]).max(axis=1, keepdims=True), axis=1)
    assert determined.any()
    errors = np.abs(rows[held_out] @ coefficients / instructions[held_out] - 1)
    return float(errors[determined].max())
