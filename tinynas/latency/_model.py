"""The latency model: per kernel variant a nonnegative linear function of its loop counts, with what is not known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import mul
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from tinynas.latency._measurement import Unit
from tinynas.latency._quantity import Quantity
from tinynas.lowering import Schedule, Step

CALL = "calls"
"""The feature that is 1 for a kernel call, and the number of calls of a streamed layer; its coefficient is the cost of
prologue, set-up and epilogue."""

SIGMA_PRIOR = 0.02
"""Relative error assumed of a variant before any residual is seen; counts as one observation. It keeps the interval
of a variant fitted on fewer layers than it has features from collapsing to a point."""


@dataclass(frozen=True)
class VariantModel:
    """What is known of one kernel variant.

    A layer's ticks are `coefficients` . features. The fit minimises relative errors: its rows are features / ticks.

    Attributes:
        features: Names, in the order of the arrays.
        coefficients: Ticks per unit of each feature, never negative.
        information: Sum of outer products of the rows [features, features]; its inverse times the residual
            variance is the covariance of the coefficients.
        observations: Measured layers behind it; a fraction where an earlier model counts with less than full weight.
        residual_sum: Sum of squared relative errors of these layers under the fit.
    """

    features: tuple[str, ...]
    coefficients: npt.NDArray[np.float64]
    information: npt.NDArray[np.float64]
    observations: float
    residual_sum: float

    def row(self, features: Mapping[str, float]) -> npt.NDArray[np.float64]:
        """The feature vector of a layer, in the order of `features`."""
        trips = map(features.get, self.features, self._unless_counted)
        return np.fromiter(trips, np.float64, len(self.features))

    @cached_property
    def _ticks_each(self) -> list[float]:
        """The coefficients, one by one: numpy takes longer for so few."""
        return list(map(float, self.coefficients))

    @cached_property
    def _unless_counted(self) -> tuple[float, ...]:
        """The value of each feature of a layer that does not have it."""
        return tuple(float(name == CALL) for name in self.features)

    @cached_property
    def _known(self) -> frozenset[str]:
        """Loop counts that were seen in some measurement; calls are in all."""
        return frozenset((*self.features, CALL))

    def knows(self, features: Mapping[str, float]) -> bool:
        """Whether every loop count that is not zero was seen in some measurement."""
        return features.keys() <= self._known or not any(features[name] for name in features.keys() - self._known)

    def ticks(self, features: Mapping[str, float]) -> float:
        """Ticks of a layer with these loop counts."""
        trips = map(features.get, self.features, self._unless_counted)
        return math.fsum(map(mul, self._ticks_each, trips))

    @property
    def degrees_of_freedom(self) -> float:
        used = int(np.count_nonzero(self.coefficients))
        return max(self.observations - used, 0.0) + 1.0

    @property
    def sigma(self) -> float:
        """Relative error of one layer: residuals and the prior observation, pooled."""
        return math.sqrt((self.residual_sum + SIGMA_PRIOR**2) / self.degrees_of_freedom)

    def standard_error(self, row: npt.NDArray[np.float64]) -> float:
        """Ticks of uncertainty that the coefficients contribute to a sum of layers with this summed feature vector."""
        scale = np.sqrt(np.maximum(np.diag(self.information), 1e-300))
        # A ridge of 1e-6 observations per direction: directions that no layer spanned get a wide interval, not none.
        normalised = self.information / np.outer(scale, scale) + 1e-6 * np.eye(len(scale))
        z = row / scale
        return self.sigma * math.sqrt(max(float(z @ np.linalg.solve(normalised, z)), 0.0))


@dataclass(frozen=True)
class Overhead:
    """What an inference takes beside the profiled steps; negative where profiling costs more than it leaves out."""

    per_inference: float = 0.0
    per_step: float = 0.0


@dataclass(frozen=True)
class StepPrediction:
    """Predicted ticks of one step; `value` is None where one of its kernels was never measured."""

    index: int
    name: str
    variant: str
    value: float | None


@dataclass(frozen=True)
class LatencyPrediction:
    """Predicted ticks of one inference, with a 90 % interval.

    `total`, `low` and `high` are None where a variant or a loop count of it was never measured: `unknown` names them.
    """

    unit: Unit
    total: float | None
    low: float | None
    high: float | None
    steps: tuple[StepPrediction, ...]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class LatencyModel:
    """Ticks of a schedule as a sum over its steps.

    Attributes:
        unit: What a tick is: cycles or instructions.
        variants: Variant name -> its model.
        overhead: What is added for the calls around the steps.
        provenance: Where the measurements come from: board, toolchain, versions, networks.
        basis: What ticks rest on (`Quantity.basis`); empty where an earlier version did not say.
        instructions: The same kernels in instructions, counted in the same inferences; None where ticks are
            instructions already, or a real board counted its cycles alone.
    """

    unit: Unit
    variants: Mapping[str, VariantModel]
    overhead: Overhead = field(default_factory=Overhead)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    basis: str = ""
    instructions: LatencyModel | None = None

    def counting(self, quantity: Quantity) -> LatencyModel | None:
        """The model of this quantity, else that of instructions; None where there is neither.

        Cycles of another basis are another quantity: those of a part with a slower multiplier, or of silicon.
        """
        return self if self.unit == "instructions" or self.has_cycles_of(quantity) else self.instructions

    def has_cycles_of(self, quantity: Quantity) -> bool:
        """Whether ticks are cycles, and the same as these."""
        return (self.unit, quantity.unit, self.basis) == ("cycles", "cycles", quantity.basis)

    def predict(self, schedule: Schedule) -> LatencyPrediction:
        """Predict one inference.

        The interval is Student's t over the residuals. Within a variant all layers are taken to err in the same
        direction, since the misfit of a kernel's loops repeats from layer to layer; variants err independently.
        """
        steps = []
        unknown: dict[str, None] = {}
        rows: dict[str, npt.NDArray[np.float64]] = {}
        for step in schedule.steps:
            ticks = 0.0
            missing = False
            for part in step.parts:
                model = self.variants.get(part.variant)
                if model is None or not model.knows(part.features):
                    unknown[part.variant] = None
                    missing = True
                    continue
                row = model.row(part.features)
                ticks += float(model.coefficients @ row)
                rows[part.variant] = rows.get(part.variant, np.zeros(len(row))) + row
            steps.append(StepPrediction(step.index, step.name, step.variant, None if missing else ticks))
        if unknown:
            return LatencyPrediction(self.unit, None, None, None, tuple(steps), tuple(unknown))
        total = sum(s.value for s in steps if s.value is not None)
        total += self.overhead.per_inference + self.overhead.per_step * len(steps)
        half = math.sqrt(sum(self._half_width(name, row) ** 2 for name, row in rows.items()))
        return LatencyPrediction(
            self.unit, total, max(math.floor(total - half), 0.0), float(math.ceil(total + half)), tuple(steps)
        )

    def kernel_ticks(self, variant: str, features: Mapping[str, float]) -> float | None:
        """Predicted ticks of a kernel with some loop counts; None where it or a loop of it was never measured."""
        model = self.variants.get(variant)
        return model.ticks(features) if model is not None and model.knows(features) else None

    def ticks_of(self, step: Step) -> tuple[float, float] | None:
        """Predicted ticks of one kernel and their standard error; None where it or a loop of it was never measured.

        Of a streamed segment, those of the loops around its kernels' calls alone: see `Step.parts`.
        """
        model = self.variants.get(step.variant)
        if model is None or not model.knows(step.features):
            return None
        row = model.row(step.features)
        ticks = float(model.coefficients @ row)
        return ticks, math.hypot(model.sigma * ticks, model.standard_error(row))

    def _half_width(self, variant: str, row: npt.NDArray[np.float64]) -> float:
        """Half of the 90 % interval of all layers of one variant, whose feature vectors sum to `row`."""
        model = self.variants[variant]
        misfit = model.sigma * float(model.coefficients @ row)
        quantile = float(stdtrit(model.degrees_of_freedom, 0.95))
        return quantile * math.hypot(misfit, model.standard_error(row))
