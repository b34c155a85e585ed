"""Winner and baselines over seeds: which baseline is the best, and what diverged."""

from __future__ import annotations

import pytest

from tinynas.confidence import difference_interval, mean_interval

pytest.importorskip("torch")

from tinynas.pipeline.run.stages._comparison import compare_over_seeds
from tinynas.pipeline.run.stages._contender import Contender
from tinynas.spaces import Architecture

ARCHITECTURE = Architecture((), (1, 8, 8, 1))
WINNER, STRONG, WEAK = (Contender(key, key.upper(), ARCHITECTURE) for key in ("winner", "strong", "weak"))
TESTED = {
    "winner": 0.93,
    "winner-seed-2": 0.91,
    "strong": 0.9,  # the mean decides, not the first
    "strong-seed-2": 0.92,
    "weak": 0.915,
}


def accuracies(*left_out: str) -> dict[str, dict[str, float]]:
    return {key: {"int8": value, "float": 0.0} for key, value in TESTED.items() if key not in left_out}


def test_one_seed_is_no_comparison() -> None:
    assert compare_over_seeds([WINNER, STRONG], accuracies(), 1) is None


def test_the_winner_is_held_against_the_baseline_of_the_highest_mean() -> None:
    weak = {"weak-seed-2": {"int8": 0.8, "float": 0.0}}
    found = compare_over_seeds([WINNER, WEAK, STRONG], accuracies() | weak, 2)
    assert found is not None
    lead = difference_interval([0.93, 0.91], [0.9, 0.92])
    assert found["lead"] == {
        "over": "strong",
        "label": "STRONG",
        "mean": lead.mean,
        "half_width": lead.half_width,
    }
    assert [network["key"] for network in found["networks"]] == ["winner", "weak", "strong"]


def test_what_diverged_is_left_out_and_counted() -> None:
    found = compare_over_seeds([WINNER, STRONG], accuracies("strong-seed-2"), 3)
    assert found is not None
    winner, strong = found["networks"]
    assert (winner["int8_accuracies"], winner["diverged"]) == ([0.93, 0.91], 1)
    assert winner["half_width"] == mean_interval([0.93, 0.91]).half_width
    assert (strong["int8_accuracies"], strong["half_width"], strong["diverged"]) == ([0.9], None, 2)
    assert found["lead"]["half_width"] is None


def test_without_baselines_there_is_no_lead() -> None:
    found = compare_over_seeds([WINNER], accuracies(), 2)
    assert found is not None
    assert found["lead"] is None


def test_a_baseline_whose_first_training_diverged_is_named() -> None:
    found = compare_over_seeds([WINNER], accuracies(), 2, ["STRONG"])
    assert found is not None
    assert ([network["key"] for network in found["networks"]], found["left_out"]) == (["winner"], ["STRONG"])
    assert found["lead"] is None
