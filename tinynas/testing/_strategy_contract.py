"""What every search strategy must do: inherit `BaseStrategyTestCase` and override `strategy`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from tinynas.search import Constraint, InfeasibleError, SearchStrategy, SpaceExhaustedError, StrategyError
from tinynas.spaces import Genotype, SearchSpace, parse_space

STRATEGY_SPACE = """
name = "strategy-contract"
description = "three elastic stages: 10^8 networks"
width_multipliers = [1.0]
resolutions = [28]
[stem]
width = 8
[[stages]]
width = 16
depth = [1, 2, 3]
choices = { kernel = [3, 5, 7], expansion = [3, 4, 6] }
[[stages]]
width = 24
stride = 2
depth = [1, 2, 3]
choices = { kernel = [3, 5, 7], expansion = [3, 4, 6] }
[[stages]]
width = 40
stride = 2
depth = [1, 2, 3]
choices = { kernel = [3, 5], expansion = [3, 4, 6] }
"""


def active_genes(genotype: Genotype) -> int:
    """A stand-in for a cost: grows with every gene."""
    return sum(genotype)


def landscape(genotype: Genotype) -> float:
    """A stand-in for accuracy with diminishing returns per gene, so that a balanced network is best."""
    return sum(math.sqrt(value) * (1 + 0.1 * (i % 7)) for i, value in enumerate(genotype))


class BaseStrategyTestCase:
    """The contract of `SearchStrategy`, for strategies in this project and in others.

    Override `strategy`; override `space` too if the strategy needs another one.
    """

    limit = 60

    def strategy(self, space: SearchSpace, constraint: Constraint, seed: int) -> SearchStrategy:
        """A new strategy."""
        raise NotImplementedError

    @pytest.fixture
    def space(self) -> SearchSpace:
        """The space to search: large enough that random draws rarely repeat."""
        return parse_space(STRATEGY_SPACE)

    @pytest.fixture
    def constraint(self) -> Constraint:
        """A budget that roughly half of all random networks meet."""

        def violations(genotype: Genotype) -> tuple[str, ...]:
            size = active_genes(genotype)
            return () if size <= self.limit else (f"size {size} of {self.limit}",)

        return violations

    def _run(self, strategy: SearchStrategy, steps: int) -> list[Genotype]:
        asked = []
        for _ in range(steps):
            genotype = strategy.ask()
            asked.append(genotype)
            strategy.tell(genotype, landscape(genotype))
        return asked

    def test_asks_only_new_members_that_meet_the_constraints(self, space: SearchSpace, constraint: Constraint) -> None:
        asked = self._run(self.strategy(space, constraint, seed=1), 120)
        for genotype in asked:
            space.check(genotype)
            assert constraint(genotype) == ()
        assert len(set(asked)) == len(asked)

    def test_same_seed_same_sequence(self, space: SearchSpace, constraint: Constraint) -> None:
        first, second, other = (self._run(self.strategy(space, constraint, seed), 60) for seed in (5, 5, 6))
        assert first == second
        assert first != other

    @pytest.mark.parametrize("steps", [0, 1, 13, 64])
    def test_resumes_from_json_exactly(self, space: SearchSpace, constraint: Constraint, steps: int) -> None:
        undisturbed = self._run(self.strategy(space, constraint, seed=3), steps + 50)
        killed = self.strategy(space, constraint, seed=3)
        self._run(killed, steps)
        state = json.loads(json.dumps(killed.state()))
        killed.ask()
        resumed = self.strategy(space, constraint, seed=3)
        resumed.restore(state)
        assert self._run(resumed, 50) == undisturbed[steps:]

    def test_what_was_under_way_is_asked_again_first(self, space: SearchSpace, constraint: Constraint) -> None:
        killed = self.strategy(space, constraint, seed=4)
        self._run(killed, 20)
        under_way = [killed.ask(), killed.ask(), killed.ask()]
        killed.tell(under_way[1], landscape(under_way[1]))
        state = json.loads(json.dumps(killed.state()))
        resumed = self.strategy(space, constraint, seed=4)
        resumed.restore(state)
        again = [resumed.ask(), resumed.ask()]
        assert again == [under_way[0], under_way[2]]
        for strategy in (killed, resumed):
            for genotype in again:
                strategy.tell(genotype, landscape(genotype))
        assert self._run(resumed, 30) == self._run(killed, 30)

    def test_asks_a_batch_without_being_told(self, space: SearchSpace, constraint: Constraint) -> None:
        strategy = self.strategy(space, constraint, seed=8)
        batch = [strategy.ask() for _ in range(40)]
        assert len(set(batch)) == 40
        for genotype in reversed(batch):
            strategy.tell(genotype, landscape(genotype))
        assert strategy.ask() not in batch

    def test_rejects_what_was_not_asked_and_scores_that_are_no_numbers(
        self, space: SearchSpace, constraint: Constraint
    ) -> None:
        strategy = self.strategy(space, constraint, seed=9)
        with pytest.raises(StrategyError, match="without being asked"):
            strategy.tell(space.smallest(), 0.5)
        genotype = strategy.ask()
        with pytest.raises(StrategyError, match="finite"):
            strategy.tell(genotype, float("nan"))
        strategy.tell(genotype, 0.5)
        with pytest.raises(StrategyError, match="told twice"):
            strategy.tell(genotype, 0.5)

    def test_refuses_the_state_of_another_search(self, space: SearchSpace, constraint: Constraint) -> None:
        state = self.strategy(space, constraint, seed=1).state()
        with pytest.raises(StrategyError, match="cannot resume"):
            self.strategy(space, constraint, seed=2).restore(state)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda state: state.pop("told"),
            lambda state: state.update(rng={"bit_generator": "PCG64"}),
            lambda state: state["told"].append([[1, 2, 3], 0.5]),
            lambda state: state["pending"].append(7),
        ],
    )
    def test_refuses_a_damaged_state(
        self, space: SearchSpace, constraint: Constraint, damage: Callable[[dict[str, Any]], Any]
    ) -> None:
        strategy = self.strategy(space, constraint, seed=1)
        self._run(strategy, 3)
        state = json.loads(json.dumps(strategy.state()))
        damage(state)
        with pytest.raises(StrategyError, match="damaged"):
            self.strategy(space, constraint, seed=1).restore(state)

    def test_says_by_how_much_nothing_fits(self, space: SearchSpace) -> None:
        strategy = self.strategy(space, lambda g: (f"size {active_genes(g)} of 3",), seed=1)
        with pytest.raises(InfeasibleError, match=f"size {active_genes(space.smallest())} of 3") as caught:
            strategy.ask()
        assert caught.value.genotype == space.smallest()

    def test_finds_the_needle(self, space: SearchSpace) -> None:
        """Of 10^8 networks only the smallest is feasible: rejection alone would never find it."""
        smallest = space.smallest()
        strategy = self.strategy(space, lambda g: () if g == smallest else ("too large",), seed=1)
        assert strategy.ask() == smallest
        strategy.tell(smallest, 1.0)
        with pytest.raises(SpaceExhaustedError):
            strategy.ask()
