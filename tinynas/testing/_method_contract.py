"""What every search method must do: inherit `BaseSearchMethodTestCase` and override `method`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tinynas.evaluation import Evaluator
from tinynas.search import (
    Constraint,
    InfeasibleError,
    MethodTask,
    Observation,
    SearchMethod,
    SearchProblem,
    SearchStrategy,
    SpaceExhaustedError,
    build_strategy,
)
from tinynas.spaces import Genotype, SearchSpace, parse_space
from tinynas.testing._evaluator_textures import EVALUATOR_SPACE, small_task


class _Killed(BaseException):
    """As a process that is killed: nothing catches it."""


class BaseSearchMethodTestCase:
    """The contract of `SearchMethod`, for methods in this project and in others.

    Override `method`; override `task` too if the method needs more of it.
    """

    evaluations = 6

    def method(self, task: MethodTask) -> SearchMethod:
        """A new method; small settings, because every test here searches."""
        raise NotImplementedError

    @pytest.fixture
    def space(self) -> SearchSpace:
        """The space that is searched."""
        return parse_space(EVALUATOR_SPACE)

    @pytest.fixture
    def constraint(self) -> Constraint:
        """No more than one block, which half of the values of the first variable mean."""

        def violations(genotype: Genotype) -> tuple[str, ...]:
            return () if genotype[0] == 1 else (f"{genotype[0]} blocks of 1",)

        return violations

    @pytest.fixture
    def task(self, space: SearchSpace, constraint: Constraint, tmp_path: Path) -> MethodTask:
        """A search over networks that take milliseconds."""
        return MethodTask(SearchProblem(space, constraint, self.evaluations), small_task(space=space, folder=tmp_path))

    def _searched(
        self, method: SearchMethod, checkpoint: Path | None = None, progress: Any = None
    ) -> list[Observation]:
        method.train(checkpoint, progress)
        evaluator = method.evaluator()
        try:
            return _scored(method.strategy(evaluator.fidelities), evaluator, self.evaluations)
        finally:
            evaluator.close()

    def test_is_a_method_with_a_name_and_an_origin(self, task: MethodTask) -> None:
        method = self.method(task)
        assert isinstance(method, SearchMethod)
        assert method.name
        assert method.origin
        assert method.training_steps >= 0

    def test_scores_only_new_networks_that_meet_the_constraints(
        self, task: MethodTask, space: SearchSpace, constraint: Constraint
    ) -> None:
        found = self._searched(self.method(task))
        for observation in found:
            space.check(observation.genotype)
            assert constraint(observation.genotype) == ()
        assert len({observation.trial for observation in found}) == len(found) == self.evaluations

    def test_scores_random_search_with_the_same_evaluator(self, task: MethodTask) -> None:
        method = self.method(task)
        method.train()
        evaluator = method.evaluator()
        found = _scored(build_strategy("random", task.problem, 0), evaluator, 3)
        evaluator.close()
        assert len(found) == 3

    def test_looks_first_at_what_is_known_to_be_worth_a_look(self, task: MethodTask, space: SearchSpace) -> None:
        """The largest network does not meet the constraints, the smallest does."""
        known = replace(task.problem, initial=(space.largest(), space.smallest()))
        found = self._searched(self.method(replace(task, problem=known)))
        assert found[0].genotype == space.smallest()
        assert space.largest() not in {observation.genotype for observation in found}

    def test_same_task_same_search(self, task: MethodTask) -> None:
        assert self._searched(self.method(task)) == self._searched(self.method(task))

    def test_what_it_learned_is_json_and_the_same_again(self, task: MethodTask) -> None:
        learned = []
        for _ in range(2):
            method = self.method(task)
            method.train()
            learned.append(json.dumps(dict(method.learned()), allow_nan=False))
        assert learned[0] == learned[1]

    def test_its_weights_hold_those_of_every_network(self, task: MethodTask, space: SearchSpace) -> None:
        method = self.method(task)
        self._searched(method)
        if method.supernet is None:
            pytest.skip("has no shared weights")
        for genotype in (space.smallest(), space.largest()):
            assert method.supernet.extract(task.evaluation.graph(genotype)).parameters.flat.isfinite().all()

    def test_a_training_that_was_killed_ends_in_the_same_bits(
        self, task: MethodTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        undisturbed = self.method(task)
        if undisturbed.training_steps == 0:
            pytest.skip("owns no training")
        from tinynas.training._checkpoint import CheckpointClock

        monkeypatch.setattr(CheckpointClock, "due", lambda self: True)
        expected = self._searched(undisturbed)
        for killed_at in (1, undisturbed.training_steps // 2):

            def kill(done: int, total: int, loss: float, killed_at: int = killed_at) -> None:
                assert total == undisturbed.training_steps
                if done == killed_at:
                    raise _Killed

            with pytest.raises(_Killed):
                self.method(task).train(tmp_path / "killed.pt", kill)
        steps: list[int] = []
        resumed = self.method(task)
        found = self._searched(resumed, tmp_path / "killed.pt", lambda done, total, loss: steps.append(done))
        assert steps == list(range(undisturbed.training_steps // 2 + 1, undisturbed.training_steps + 1))
        assert found == expected
        if undisturbed.supernet is not None and resumed.supernet is not None:
            assert resumed.supernet.parameters.flat.equal(undisturbed.supernet.parameters.flat)
        again: list[int] = []
        finished = self.method(task)
        assert (
            self._searched(finished, tmp_path / "killed.pt", lambda done, total, loss: again.append(done)) == expected
        )
        assert again == []

    def test_says_by_how_much_nothing_fits(self, task: MethodTask) -> None:
        nothing = replace(task.problem, constraint=lambda genotype: (f"{genotype[0]} blocks of 0",))
        with pytest.raises(InfeasibleError, match="1 blocks of 0"):
            self._searched(self.method(replace(task, problem=nothing)))

    def test_finds_the_only_network_there_is(self, task: MethodTask, space: SearchSpace) -> None:
        smallest = space.smallest()
        only = replace(task.problem, constraint=lambda genotype: () if genotype == smallest else ("too large",))
        method = self.method(replace(task, problem=only))
        method.train()
        strategy = method.strategy(method.evaluator().fidelities)
        trials = [strategy.ask()]
        with pytest.raises(SpaceExhaustedError):
            trials.append(strategy.ask())
        assert [trial.genotype for trial in trials] == [smallest]


def _scored(strategy: SearchStrategy, evaluator: Evaluator, count: int) -> list[Observation]:
    found = []
    for _ in range(count):
        trial = strategy.ask()
        (estimate,) = evaluator.evaluate([trial.genotype], trial.fidelity)
        strategy.tell(trial, estimate.value, estimate.deviation)
        found.append(Observation(trial, estimate.value, estimate.deviation))
    return found
