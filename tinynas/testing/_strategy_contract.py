"""What every search strategy must do: inherit `BaseStrategyTestCase` and override `strategy`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from tinynas.search import (
    Constraint,
    InfeasibleError,
    Observation,
    SearchProblem,
    SearchStrategy,
    SpaceExhaustedError,
    StrategyError,
    Trial,
)
from tinynas.spaces import Genotype, SearchSpace, parse_space
from tinynas.testing._strategy_landscape import STRATEGY_SPACE, active_genes, trial_score


def _assert_same(first: Sequence[Trial], second: Sequence[Trial]) -> None:
    """Of two sequences, names the first trial that differs: all differences of long lists take minutes to tell."""
    for place, (a, b) in enumerate(zip(first, second, strict=True)):
        assert a == b, f"ask {place} differs"


class BaseStrategyTestCase:
    """The contract of `SearchStrategy`, for strategies in this project and in others.

    Override `strategy`; override `space` too if the strategy needs another one, `fidelities` if it uses several,
    and `seeded` if it does the same whatever the seed.
    """

    limit = 60
    fidelities: tuple[float, ...] = (1.0,)
    seeded = True

    def strategy(self, problem: SearchProblem, seed: int) -> SearchStrategy:
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

    @pytest.fixture
    def problem(self, space: SearchSpace, constraint: Constraint) -> SearchProblem:
        """The search that every test here begins."""
        return SearchProblem(
            space,
            constraint,
            evaluations=200,
            costs=lambda genotype: {"macs": float(active_genes(genotype))},
            objectives=("macs",),
            fidelities=self.fidelities,
        )

    def _tell(self, strategy: SearchStrategy, trial: Trial) -> None:
        strategy.tell(trial, trial_score(trial))

    def _run(self, strategy: SearchStrategy, steps: int) -> list[Trial]:
        asked = []
        for _ in range(steps):
            assert not strategy.awaits_scores, "nothing is under way"
            trial = strategy.ask()
            asked.append(trial)
            self._tell(strategy, trial)
        return asked

    def test_asks_only_new_members_that_meet_the_constraints(
        self, problem: SearchProblem, space: SearchSpace, constraint: Constraint
    ) -> None:
        asked = self._run(self.strategy(problem, seed=1), 120)
        for trial in asked:
            space.check(trial.genotype)
            assert constraint(trial.genotype) == ()
            assert trial.fidelity in problem.fidelities
        assert len(set(asked)) == len(asked)

    def test_same_seed_same_sequence(self, problem: SearchProblem) -> None:
        first, second, other = (self._run(self.strategy(problem, seed), 60) for seed in (5, 5, 6))
        _assert_same(first, second)
        assert (first != other) == self.seeded

    @pytest.mark.parametrize("steps", [0, 1, 13, 64])
    def test_resumes_from_json_exactly(self, problem: SearchProblem, steps: int) -> None:
        undisturbed = self._run(self.strategy(problem, seed=3), steps + 50)
        killed = self.strategy(problem, seed=3)
        self._run(killed, steps)
        state = json.loads(json.dumps(killed.state()))
        killed.ask()
        resumed = self.strategy(problem, seed=3)
        resumed.restore(state)
        _assert_same(self._run(resumed, 50), undisturbed[steps:])

    def test_what_was_under_way_is_asked_again_first(self, problem: SearchProblem) -> None:
        killed = self.strategy(problem, seed=4)
        self._run(killed, 20)
        under_way = [killed.ask(), killed.ask(), killed.ask()]
        self._tell(killed, under_way[1])
        state = json.loads(json.dumps(killed.state()))
        resumed = self.strategy(problem, seed=4)
        resumed.restore(state)
        again = [resumed.ask(), resumed.ask()]
        assert again == [under_way[0], under_way[2]]
        for strategy in (killed, resumed):
            for trial in again:
                self._tell(strategy, trial)
        _assert_same(self._run(resumed, 30), self._run(killed, 30))

    def test_asks_a_batch_without_being_told(self, problem: SearchProblem) -> None:
        strategy = self.strategy(problem, seed=8)
        batch = [strategy.ask() for _ in range(40)]
        assert len(set(batch)) == 40
        for trial in reversed(batch):
            self._tell(strategy, trial)
        assert strategy.ask() not in batch

    def test_asks_what_is_known_to_be_worth_a_look_first(self, problem: SearchProblem, space: SearchSpace) -> None:
        """The largest network does not meet the constraints, the smallest does."""
        known = replace(problem, initial=(space.largest(), space.smallest()))
        asked = [trial.genotype for trial in self._run(self.strategy(known, seed=2), 20)]
        assert asked[0] == space.smallest()
        assert space.largest() not in asked

    def test_rejects_what_was_not_asked_and_scores_that_are_no_numbers(
        self, problem: SearchProblem, space: SearchSpace
    ) -> None:
        strategy = self.strategy(problem, seed=9)
        with pytest.raises(StrategyError, match="without being asked"):
            strategy.tell(Trial(space.largest()), 0.5)
        trial = strategy.ask()
        with pytest.raises(StrategyError, match="finite"):
            strategy.tell(trial, float("nan"))
        with pytest.raises(StrategyError, match="deviation"):
            strategy.tell(trial, 0.5, -1.0)
        strategy.tell(trial, 0.5, 0.1)
        with pytest.raises(StrategyError, match="told twice"):
            strategy.tell(trial, 0.5)

    def test_a_revision_replaces_scores_and_feasibility(self, problem: SearchProblem, constraint: Constraint) -> None:
        """What follows a revision rests on what was told in it: a state, which has that alone, gives the same."""
        limit = 10**9

        def tightening(genotype: Genotype) -> tuple[str, ...]:
            return constraint(genotype) or (() if active_genes(genotype) <= limit else ("too large",))

        def costs(genotype: Genotype) -> dict[str, float]:
            """The first variable counts for more once there is a limit."""
            return {"macs": float(active_genes(genotype) + (0 if limit == 10**9 else 100 * genotype[0]))}

        tight = replace(problem, constraint=tightening, costs=costs)
        strategy = self.strategy(tight, seed=6)
        told = [Observation(trial, trial_score(trial)) for trial in self._run(strategy, 40)]
        limit = sorted(active_genes(observation.genotype) for observation in told)[20]
        revised = [Observation(o.trial, 1000.0 - 3 * o.score, 0.5) for o in told]
        strategy.revise(revised)
        resumed = self.strategy(tight, seed=6)
        resumed.restore(json.loads(json.dumps(strategy.state())))
        asked: list[list[Trial]] = [[], []]
        for one, trials in zip((strategy, resumed), asked, strict=True):
            with suppress(SpaceExhaustedError):  # a small space may have no more
                for _ in range(30):
                    trials.append(one.ask())
                    one.tell(trials[-1], 1000.0 - 3 * trial_score(trials[-1]))
        _assert_same(*asked)
        assert all(tightening(trial.genotype) == () for trial in asked[0])
        assert not {observation.trial for observation in told} & set(asked[0])

    def test_goes_on_where_nothing_told_meets_the_constraints_any_more(
        self, problem: SearchProblem, constraint: Constraint
    ) -> None:
        ruled_out: set[Genotype] = set()
        tight = replace(problem, constraint=lambda g: ("ruled out",) if g in ruled_out else constraint(g))
        strategy = self.strategy(tight, seed=7)
        told = [Observation(trial, trial_score(trial)) for trial in self._run(strategy, 40)]
        ruled_out.update(observation.genotype for observation in told)
        strategy.revise(told)
        asked = self._run(strategy, 20)
        assert not ruled_out & {trial.genotype for trial in asked}

    def test_a_revision_is_of_all_that_was_told(self, problem: SearchProblem) -> None:
        strategy = self.strategy(problem, seed=8)
        told = [Observation(trial, trial_score(trial)) for trial in self._run(strategy, 5)]
        for wrong in (told[:-1], told[::-1], []):
            with pytest.raises(StrategyError, match="needs the 5 trials that were told"):
                strategy.revise(wrong)

    def test_refuses_the_state_of_another_search(self, problem: SearchProblem) -> None:
        state = self.strategy(problem, seed=1).state()
        with pytest.raises(StrategyError, match="cannot resume"):
            self.strategy(problem, seed=2).restore(state)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda state: state.pop("told"),
            lambda state: state.update(rng={"bit_generator": "PCG64"}),
            lambda state: state["told"].append([[1, 2, 3], 1.0, 0.5, None, True]),
            lambda state: state["pending"].append(7),
        ],
    )
    def test_refuses_a_damaged_state(self, problem: SearchProblem, damage: Callable[[dict[str, Any]], Any]) -> None:
        strategy = self.strategy(problem, seed=1)
        self._run(strategy, 3)
        state = json.loads(json.dumps(strategy.state()))
        damage(state)
        with pytest.raises(StrategyError, match="damaged"):
            self.strategy(problem, seed=1).restore(state)

    def test_says_by_how_much_nothing_fits(self, problem: SearchProblem, space: SearchSpace) -> None:
        nothing_fits = replace(problem, constraint=lambda g: (f"size {active_genes(g)} of 3",))
        strategy = self.strategy(nothing_fits, seed=1)
        with pytest.raises(InfeasibleError, match=f"size {active_genes(space.smallest())} of 3") as caught:
            strategy.ask()
        assert caught.value.genotype == space.smallest()

    def test_finds_the_needle(self, problem: SearchProblem, space: SearchSpace) -> None:
        """Of 10^8 networks only the smallest is feasible: rejection alone would never find it."""
        smallest = space.smallest()
        needle = replace(problem, constraint=lambda g: () if g == smallest else ("too large",))
        strategy = self.strategy(needle, seed=1)
        asked = self._run(strategy, 1)
        while len(asked) < len(problem.fidelities):  # at other fidelities, if it wants that
            try:
                asked += self._run(strategy, 1)
            except SpaceExhaustedError:
                break
        assert {trial.genotype for trial in asked} == {smallest}
        with pytest.raises(SpaceExhaustedError):
            strategy.ask()
