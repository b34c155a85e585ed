"""Every strategy by its name under the contract of strategies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest

from tinynas.search import SearchProblem, SearchStrategy, build_strategy, list_strategies
from tinynas.spaces import SearchSpace, parse_space
from tinynas.testing import BaseStrategyTestCase

GRID_SPACE = """
name = "grid"
description = "few enough networks to visit: 18 + 324"
width_multipliers = [1.0]
resolutions = [8]
[stem]
width = 8
[[stages]]
width = 8
depth = [1, 2]
choices = { kernel = [3, 5, 7], expansion = [1, 2, 3, 4, 5, 6] }
"""


class Named(BaseStrategyTestCase):
    """A strategy by its name; small sizes, so that every phase of it falls into the steps of the contract."""

    __test__ = False
    name = ""
    options: ClassVar[dict[str, Any]] = {}

    def strategy(self, problem: SearchProblem, seed: int) -> SearchStrategy:
        return build_strategy(self.name, problem, seed, self.options)


class TestGrid(Named):
    __test__ = True
    name = "grid"
    seeded = False
    limit = 18

    @pytest.fixture
    def space(self) -> SearchSpace:
        return parse_space(GRID_SPACE)

    def strategy(self, problem: SearchProblem, seed: int) -> SearchStrategy:
        return super().strategy(replace(problem, evaluations=342), seed)


class TestRandom(Named):
    __test__ = True
    name = "random"


class TestEvolution(Named):
    __test__ = True
    name = "evolution"


class TestAgingEvolution(Named):
    __test__ = True
    name = "aging-evolution"
    options: ClassVar[dict[str, Any]] = {"population": 12}


class TestNsga2(Named):
    __test__ = True
    name = "nsga2"
    options: ClassVar[dict[str, Any]] = {"population": 12}


class TestLocalSearch(Named):
    __test__ = True
    name = "local-search"
    options: ClassVar[dict[str, Any]] = {"initial": 5}


class TestGaussianProcess(Named):
    __test__ = True
    name = "gaussian-process"
    options: ClassVar[dict[str, Any]] = {"random_candidates": 20, "best_candidates": 1, "most_observations": 50}


class TestTpe(Named):
    __test__ = True
    name = "tpe"


class TestPredictor(Named):
    __test__ = True
    name = "predictor"
    options: ClassVar[dict[str, Any]] = {"random_candidates": 20, "best_candidates": 1, "batch": 10, "hidden": 8}


class TestPredictorByExpectedImprovement(Named):
    __test__ = True
    name = "predictor"
    options: ClassVar[dict[str, Any]] = {
        "acquisition": "ei",
        "encoding": "ordinal",
        "random_candidates": 20,
        "best_candidates": 1,
        "batch": 10,
        "hidden": 8,
    }


class TestTrainAndRank(Named):
    __test__ = True
    name = "train-and-rank"
    options: ClassVar[dict[str, Any]] = {"train": 20, "rank": 300, "hidden": 8}


class TestReinforce(Named):
    __test__ = True
    name = "reinforce"
    options: ClassVar[dict[str, Any]] = {"hidden": 8}


class TestSuccessiveHalving(Named):
    __test__ = True
    name = "successive-halving"
    fidelities = (1 / 9, 1 / 3, 1.0)
    options: ClassVar[dict[str, Any]] = {"bracket_evaluations": 5}


class TestHyperband(Named):
    __test__ = True
    name = "hyperband"
    fidelities = (1 / 9, 1 / 3, 1.0)


class TestBohb(Named):
    __test__ = True
    name = "bohb"
    fidelities = (1 / 9, 1 / 3, 1.0)


class TestBohbOfOneFidelity(Named):
    __test__ = True
    name = "bohb"


class TestPredictorHalving(Named):
    __test__ = True
    name = "predictor-halving"
    fidelities = (1 / 9, 1 / 3, 1.0)
    options: ClassVar[dict[str, Any]] = {"finalists": 1, "initial_share": 0.5, "random_candidates": 50}


class TestPredictorHalvingThatClimbs(Named):
    __test__ = True
    name = "predictor-halving"
    options: ClassVar[dict[str, Any]] = {
        "initial_share": 0.5,
        "initial_left_out": 0.5,
        "random_candidates": 50,
        "best_candidates": 1,
        "near_initial": 0.5,
        "climbs": 3,
    }


class TestPredictorHalvingOfOneFidelity(Named):
    __test__ = True
    name = "predictor-halving"
    options: ClassVar[dict[str, Any]] = {"initial_share": 0.5, "random_candidates": 50}


def test_every_strategy_is_here() -> None:
    covered = {case.name for case in Named.__subclasses__()}
    assert covered == {entry.name for entry in list_strategies() if entry.source == "tinynas"}
