"""How good predictions are, on networks that the fit has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinynas.latency._measurement import LatencyError
from tinynas.latency._model import LatencyPrediction


@dataclass(frozen=True)
class LatencyMetrics:
    """Fractions, not percent.

    Attributes:
        networks: How many were compared.
        mape: Mean absolute relative error.
        within_10pct: Share predicted within 10 %.
        spearman: Rank correlation; None where there are fewer than two networks or all are equal.
        coverage_90: Share whose measured value lies in the 90 % interval.
        half_width: Half of the 90 % interval over the predicted total, the mean of all networks.
        largest_half_width: The same, of the network where it is largest.
    """

    networks: int
    mape: float
    within_10pct: float
    spearman: float | None
    coverage_90: float
    half_width: float
    largest_half_width: float


def latency_metrics(predictions: Sequence[LatencyPrediction], measured: Sequence[float]) -> LatencyMetrics:
    """Compare predictions with measured totals of the same networks, in order.

    Raises:
        LatencyError: Nothing to compare, or a prediction has no total.
    """
    if not predictions or len(predictions) != len(measured):
        raise LatencyError(f"{len(predictions)} predictions cannot be compared with {len(measured)} measurements")
    totals = []
    inside = []
    half_widths = []
    for prediction, value in zip(predictions, measured, strict=True):
        if prediction.total is None or prediction.low is None or prediction.high is None:
            raise LatencyError(f"no prediction to compare: {', '.join(prediction.unknown)} was never measured")
        totals.append(prediction.total)
        inside.append(prediction.low <= value <= prediction.high)
        # Above the total: the lower end stops at zero.
        half_widths.append((prediction.high - prediction.total) / prediction.total)
    actual = np.asarray(measured, dtype=np.float64)
    error = np.abs(np.array(totals) - actual) / actual
    return LatencyMetrics(
        networks=len(totals),
        mape=float(error.mean()),
        within_10pct=float((error <= 0.10).mean()),
        spearman=spearman(np.array(totals), actual),
        coverage_90=float(np.mean(inside)),
        half_width=float(np.mean(half_widths)),
        largest_half_width=max(half_widths),
    )


def spearman(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; None where it is not defined."""
    ranks_a, ranks_b = _ranks(a), _ranks(b)
    if len(a) < 2 or ranks_a.std() == 0 or ranks_b.std() == 0:
        return None
    return float(np.corrcoef(ranks_a, ranks_b)[0, 1])


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    less = (values[:, None] > values[None, :]).sum(axis=1)
    equal = (values[:, None] == values[None, :]).sum(axis=1)
    return np.asarray(less + (equal - 1) / 2.0, dtype=np.float64)
