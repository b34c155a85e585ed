"""Fitting a latency model, and refining one with measurements of the board at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinynas.kernels import CATALOGUE
from tinynas.kernels.streaming import SEGMENTS
from tinynas.latency._measurement import InferenceMeasurement, LatencyError, Measurement, Unit
from tinynas.latency._model import CALL, LatencyModel, Overhead, VariantModel

PRIOR_WEIGHT = 0.1
"""Weight of the earlier model in a refinement: ten of its layers count as one layer measured on this board."""

Array = npt.NDArray[np.float64]


def fit_latency(
    measurements: Sequence[Measurement],
    *,
    unit: Unit = "instructions",
    basis: str = "",
    inferences: Sequence[InferenceMeasurement] = (),
    provenance: Mapping[str, Any] | None = None,
) -> LatencyModel:
    """Fit a nonnegative linear model per kernel variant, minimising relative errors.

    Args:
        measurements: Layers, of any number of networks.
        unit: What their values count.
        basis: What that rests on (`Quantity.basis`).
        inferences: Whole inferences of the same networks; without them the overhead is taken to be zero.
        provenance: Kept in the model and in its JSON.

    Raises:
        LatencyError: There is nothing to fit.
    """
    if not measurements:
        raise LatencyError("no measurements to fit a latency model to: measure at least one network")
    variants = {name: _fit_variant(rows) for name, rows in _by_variant(measurements).items()}
    # A streamed segment is measured with its kernels, whose models are needed to tell what is its own; and some kernels
    # come in segments alone.
    for is_asked in (_is_segment, _is_never_alone):
        left = _left_over(measurements, variants, is_asked)
        variants |= {name: _fit_variant(rows, totals) for name, (rows, totals) in left.items()}
    return LatencyModel(unit, variants, _fit_overhead(inferences), dict(provenance or {}), basis)


def refine(
    model: LatencyModel,
    measurements: Sequence[Measurement],
    *,
    unit: Unit | None = None,
    basis: str | None = None,
    inferences: Sequence[InferenceMeasurement] = (),
    provenance: Mapping[str, Any] | None = None,
    prior_weight: float = PRIOR_WEIGHT,
) -> LatencyModel:
    """Update a model with measured layers.

    Bayesian linear regression per variant: the earlier coefficients are the prior mean, its information matrix times
    `prior_weight` the prior precision. The prior mean is first scaled by one factor per variant, fitted to the new
    layers, so that another compiler or unit moves also those coefficients that the new layers do not tell apart.

    Variants without new measurements stay as they are; where the unit or its basis changes they are dropped, since
    nothing is known of them in the new one: a model's cycles say little of how long a part waits for its flash.

    Args:
        model: What was known.
        measurements: Layers, of any number of networks.
        unit: What their values count; None for what the model's do.
        basis: What that rests on; None for what the model's does.
        inferences: Whole inferences of the same networks; without them the overhead stays.
        provenance: Added to the model's.
        prior_weight: Of the earlier model.
    """
    unit, basis = unit or model.unit, model.basis if basis is None else basis
    stays = (unit, basis) == (model.unit, model.basis)
    fresh = _by_variant(measurements)
    variants = dict(model.variants) if stays else {}
    for name, rows in fresh.items():
        earlier = model.variants.get(name)
        variants[name] = _fit_variant(rows) if earlier is None else _refine_variant(earlier, rows, prior_weight)
    for is_asked in (_is_segment, _is_never_alone):
        for name, (rows, totals) in _left_over(measurements, variants, is_asked).items():
            earlier = model.variants.get(name)
            variants[name] = (
                _fit_variant(rows, totals) if earlier is None else _refine_variant(earlier, rows, prior_weight, totals)
            )
    overhead = _fit_overhead(inferences) if inferences else (model.overhead if stays else Overhead())
    merged = {**model.provenance, **(provenance or {})}
    return LatencyModel(unit, variants, overhead, merged, basis)


def _by_variant(measurements: Sequence[Measurement]) -> dict[str, list[Measurement]]:
    """Those that were measured alone, by their kernel."""
    groups: dict[str, list[Measurement]] = {}
    for m in measurements:
        if not m.within:
            groups.setdefault(m.variant, []).append(m)
    return groups


def _is_segment(variant: str) -> bool:
    """Whether it calls kernels, which are measured with it."""
    return variant in SEGMENTS


def _is_never_alone(variant: str) -> bool:
    """Whether it comes in streamed segments alone."""
    return variant in CATALOGUE and CATALOGUE[variant].keeps_sums


def _left_over(
    measurements: Sequence[Measurement], variants: Mapping[str, VariantModel], is_asked: Callable[[str], bool]
) -> dict[str, tuple[list[Measurement], Array]]:
    """What one part of a segment takes, by the models of all its others, and what the segment takes in all.

    Segments with parts that are not known are left out, and those of which nothing is left.

    Args:
        measurements: Of anything.
        variants: What is known.
        is_asked: Which part that is; segments that have none, or several, are left out.
    """
    found: dict[str, tuple[list[Measurement], list[float]]] = {}
    for m in measurements:
        parts = [(m.variant, m.features), *m.within]
        asked = [part for part in parts if is_asked(part[0])]
        others = [_ticks(variants.get(name), features) for name, features in parts if not is_asked(name)]
        known = [ticks for ticks in others if ticks is not None]
        if not m.within or len(asked) != 1 or len(known) < len(others) or m.value <= sum(known):
            continue
        ((name, features),) = asked
        rows, totals = found.setdefault(name, ([], []))
        rows.append(Measurement(name, features, m.value - sum(known)))
        totals.append(m.value)
    return {name: (rows, np.array(totals)) for name, (rows, totals) in found.items()}


def _ticks(model: VariantModel | None, features: Mapping[str, float]) -> float | None:
    return None if model is None or not model.knows(features) else model.ticks(features)


def _feature_names(measurements: Sequence[Measurement]) -> tuple[str, ...]:
    """The loop counts that are not zero in some layer, and the call itself."""
    seen = {name for m in measurements for name, value in m.features.items() if value}
    return (CALL, *sorted(seen - {CALL}))


def _rows(names: tuple[str, ...], measurements: Sequence[Measurement], scale: Array) -> Array:
    """Features per unit of scale: the rows of the weighted problem. Shape [layers, features]."""
    features = np.array([[m.features.get(n, float(n == CALL)) for n in names] for m in measurements])
    return np.asarray(features / scale[:, np.newaxis])


def _values(measurements: Sequence[Measurement]) -> Array:
    return np.array([m.value for m in measurements])


def _fit_variant(measurements: Sequence[Measurement], totals: Array | None = None) -> VariantModel:
    """Fit one kernel.

    Args:
        measurements: What it took.
        totals: What was measured, where the kernel is a part of it: the rest is known as well as that was measured, and
            so errors count relative to this. None where all of it is the kernel's.
    """
    names, scale = _feature_names(measurements), _values(measurements) if totals is None else totals
    rows = _rows(names, measurements, scale)
    target = _values(measurements) / scale
    coefficients = _nonnegative_least_squares(rows, target)
    residual = rows @ coefficients - target
    return VariantModel(names, coefficients, rows.T @ rows, float(len(rows)), float(residual @ residual))


def _refine_variant(
    earlier: VariantModel, measurements: Sequence[Measurement], weight: float, totals: Array | None = None
) -> VariantModel:
    names = (*earlier.features, *sorted(set(_feature_names(measurements)) - set(earlier.features)))
    known = len(earlier.features)
    mean = np.zeros(len(names))
    mean[:known] = earlier.coefficients
    information = np.zeros((len(names), len(names)))
    information[:known, :known] = earlier.information
    scale = _values(measurements) if totals is None else totals
    rows, target = _rows(names, measurements, scale), _values(measurements) / scale
    predicted = rows @ mean
    mean = mean * (float((predicted @ target) / (predicted @ predicted)) if predicted.any() else 1.0)
    prior_rows = np.sqrt(weight) * _square_root(information)
    coefficients = _nonnegative_least_squares(
        np.vstack([rows, prior_rows]), np.concatenate([target, prior_rows @ mean])
    )
    residual = rows @ coefficients - target
    return VariantModel(
        names,
        coefficients,
        rows.T @ rows + weight * information,
        len(rows) + weight * earlier.observations,
        float(residual @ residual) + weight * earlier.residual_sum,
    )


def _square_root(matrix: Array) -> Array:
    """R with R^T R = matrix, for a positive semidefinite matrix of any rank, scaled columns for conditioning."""
    scale = np.sqrt(np.where(np.diag(matrix) > 0, np.diag(matrix), 1.0))
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))).T * scale)


def _nonnegative_least_squares(rows: Array, target: Array) -> Array:
    # Imported here: scipy.optimize takes a quarter of a second, which predicting does not need.
    from scipy.optimize import nnls

    scale = np.linalg.norm(rows, axis=0)
    scale[scale == 0] = 1.0
    solution, _ = nnls(rows / scale, target)
    return np.asarray(solution / scale, dtype=np.float64)


def _fit_overhead(inferences: Sequence[InferenceMeasurement]) -> Overhead:
    """Least squares of (whole - profiled steps) over (1, steps); per step only where all have as many steps."""
    if not inferences:
        return Overhead()
    difference = np.array([i.value - i.profiled for i in inferences])
    steps = np.array([float(i.steps) for i in inferences])
    if len(set(steps)) < 2:
        return Overhead(per_step=float(difference.mean() / max(steps[0], 1.0)))
    slope, intercept = np.polyfit(steps, difference, 1)
    return Overhead(per_inference=float(intercept), per_step=float(slope))
