"""Winner and baselines over several seeds: what of their difference is more than luck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tinynas.confidence import CONFIDENCE, difference_interval, mean_interval
from tinynas.pipeline.run.stages._contender import Contender


def compare_over_seeds(
    contenders: Sequence[Contender],
    tested: Mapping[str, Mapping[str, float]],
    seeds: int,
    left_out: Sequence[str] = (),
) -> dict[str, Any] | None:
    """Mean int8 test accuracy of each network with its interval, and of the winner's lead; None for a single seed.

    Args:
        contenders: the winner first, then the baselines; each was trained and tested at least once.
        tested: accuracies by the keys of contenders and of their repetitions; a training that diverged has none.
        seeds: how often each was trained.
        left_out: labels of baselines whose first training diverged, which were not trained again.
    """
    if seeds == 1:
        return None
    networks = [_network(contender, tested, seeds) for contender in contenders]
    winner, baselines = networks[0], networks[1:]
    best = max(baselines, key=lambda network: float(network["mean"]), default=None)
    lead = None
    if best is not None:
        difference = difference_interval(winner["int8_accuracies"], best["int8_accuracies"])
        lead = {"over": best["key"], "label": best["label"], **asdict(difference)}
    return {"seeds": seeds, "confidence": CONFIDENCE, "networks": networks, "left_out": list(left_out), "lead": lead}


def _network(contender: Contender, tested: Mapping[str, Mapping[str, float]], seeds: int) -> dict[str, Any]:
    trainings = [contender, *(contender.repeated(repeat) for repeat in range(1, seeds))]
    accuracies = [tested[training.key]["int8"] for training in trainings if training.key in tested]
    return {
        "key": contender.key,
        "label": contender.label,
        "int8_accuracies": accuracies,
        "diverged": seeds - len(accuracies),
        **asdict(mean_interval(accuracies)),
    }
