"""Soft constraints: a score that pays for costs, for every strategy; hard constraints stay what they are.

A strategy is told the transformed score in place of the plain one, so no strategy needs to know of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from tinynas.search._errors import StrategyError

SoftConstraint = Callable[[float, Mapping[str, float]], float]
"""From a score and the predicted costs of its network to the score that a strategy is told; larger is better."""


def mnasnet_product(cost: str, target: float, weight: float, weight_within: float | None = None) -> SoftConstraint:
    """ACC(m) * (LAT(m) / T)^w: MnasNet (Tan et al. 2019), equation 2.

    The paper's w is alpha where LAT(m) <= T and beta beyond (equation 3): -0.07 for both there is a soft constraint,
    0 and -1 a hard one. Here weights are positive and say how much a cost matters: 0.07.

    Args:
        cost: name of the cost.
        target: T, in the unit of the cost; positive.
        weight: -beta, beyond the target; 0 or more.
        weight_within: -alpha, up to the target; by default `weight`.

    Returns:
        The transform. It multiplies, so scores must not be negative: accuracies are not. At weight 0 it leaves
        scores as they are.

    Raises:
        StrategyError: an argument is out of range. The transform raises it for a negative score, and for a network
            without that cost, or with one that is not positive.
    """
    within = weight if weight_within is None else weight_within
    _check_weights(weight, within)
    if not (math.isfinite(target) and target > 0):
        raise StrategyError(f"the target of {cost!r} must be positive, got {target}")

    def product(score: float, costs: Mapping[str, float]) -> float:
        value = _cost_of(cost, costs)
        if weight == within == 0:
            return score
        if score < 0 or value <= 0:
            raise StrategyError(
                f"the product of score and {cost} needs a score of at least 0 and a positive cost, got {score}, {value}"
            )
        return float(score * (value / target) ** -(within if value <= target else weight))

    return product


def weighted_sum(weights: Mapping[str, float], targets: Mapping[str, float]) -> SoftConstraint:
    """score - sum_i w_i * cost_i / T_i: the linear scalarization of multi-objective optimization.

    Each cost is in units of its target, so a weight is in units of the score: at the target, 0.01 costs a point of
    accuracy.

    Args:
        weights: by name of a cost; 0 or more.
        targets: T_i, in the unit of each cost; positive.

    Returns:
        The transform. At weight 0 it leaves scores as they are.

    Raises:
        StrategyError: a weight or target is out of range or missing. The transform raises it for a network without
            one of the costs.
    """
    _check_weights(*weights.values())
    for name in weights:
        target = targets.get(name, math.nan)
        if not (math.isfinite(target) and target > 0):
            raise StrategyError(f"the weighted cost {name!r} needs a positive target, got {targets.get(name)}")

    def weighted(score: float, costs: Mapping[str, float]) -> float:
        return score - sum(weight * _cost_of(name, costs) / targets[name] for name, weight in weights.items())

    return weighted


def _check_weights(*weights: float) -> None:
    for weight in weights:
        if not (math.isfinite(weight) and weight >= 0):
            raise StrategyError(f"the weight of a soft constraint must be at least 0, got {weight}")


def _cost_of(name: str, costs: Mapping[str, float]) -> float:
    if name not in costs:
        raise StrategyError(
            f"a soft constraint weighs {name!r}, which is not known here: {', '.join(costs) or 'nothing'}"
        )
    return costs[name]
