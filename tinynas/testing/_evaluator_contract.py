"""What every evaluator must do: inherit `BaseEvaluatorTestCase` and override `evaluator`."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinynas.evaluation import Estimate, EvaluationTask, Evaluator, EvaluatorError, QueuedEvaluator
from tinynas.spaces import Genotype, SearchSpace, parse_space
from tinynas.testing._evaluator_textures import EVALUATOR_SPACE, small_task
from tinynas.training import Split


def _negative(split: Split) -> Split:
    return Split(255 - split.images, split.labels)


def _answers(estimates: Sequence[Estimate]) -> list[tuple[float, float | None]]:
    """What must not depend on how and when it was asked: everything but seconds and details."""
    return [(estimate.value, estimate.deviation) for estimate in estimates]


class BaseEvaluatorTestCase:
    """The contract of `Evaluator`, for evaluators in this project and in others.

    Override `evaluator`; override `task` too if the evaluator needs more of it, and `reads_data` or `reads_held_out`
    if it does not look at training or held-out examples. Starting processes takes seconds: of evaluators that share
    the code which does, one is enough to check it (`starts_processes`).
    """

    reads_data = True
    reads_held_out = True
    starts_processes = True

    def evaluator(self, task: EvaluationTask) -> Evaluator:
        """A new evaluator."""
        raise NotImplementedError

    def other_settings(self, task: EvaluationTask) -> Evaluator | None:
        """One with a setting that changes its answers; None: it has none."""
        return None

    @pytest.fixture
    def space(self) -> SearchSpace:
        """The space whose networks are evaluated."""
        return parse_space(EVALUATOR_SPACE)

    @pytest.fixture
    def task(self, space: SearchSpace, tmp_path: Path) -> EvaluationTask:
        """Networks and examples; small, because every test evaluates some."""
        return small_task(space=space, folder=tmp_path)

    @pytest.fixture
    def genotypes(self, space: SearchSpace) -> list[Genotype]:
        """Some different members of the space."""
        rng = np.random.default_rng(5)
        found = dict.fromkeys([space.smallest(), space.largest()])
        while len(found) < 4:
            found[space.sample(rng)] = None
        return list(found)

    def _ask(
        self, evaluator: Evaluator, genotypes: Sequence[Genotype], fidelity: float = 1.0
    ) -> list[tuple[float, float | None]]:
        try:
            return _answers(evaluator.evaluate(genotypes, fidelity))
        finally:
            evaluator.close()

    def test_is_an_evaluator_with_ascending_fidelities(self, task: EvaluationTask) -> None:
        evaluator = self.evaluator(task)
        assert isinstance(evaluator, Evaluator)
        assert evaluator.name
        assert evaluator.key
        shares = evaluator.fidelities
        assert shares
        assert shares[-1] == 1
        assert shares[0] > 0
        assert all(low < high for low, high in itertools.pairwise(shares))

    def test_answers_in_order_with_finite_values(self, task: EvaluationTask, genotypes: list[Genotype]) -> None:
        evaluator = self.evaluator(task)
        for fidelity in evaluator.fidelities:
            seen: dict[int, Estimate] = {}
            estimates = evaluator.evaluate(genotypes, fidelity, seen.__setitem__)
            assert [seen[position] for position in range(len(genotypes))] == estimates
            for estimate in estimates:
                assert math.isfinite(estimate.value)
                assert estimate.deviation is None or estimate.deviation >= 0
                assert estimate.seconds >= 0
                json.dumps(dict(estimate.details), allow_nan=False)
        evaluator.close()

    def test_nothing_asked_nothing_answered(self, task: EvaluationTask) -> None:
        assert self._ask(self.evaluator(task), []) == []

    def test_same_key_same_answers(self, task: EvaluationTask, genotypes: list[Genotype], tmp_path: Path) -> None:
        first = self.evaluator(task)
        second = self.evaluator(replace(task, folder=tmp_path / "elsewhere"))
        assert first.key == second.key
        for fidelity in first.fidelities:
            assert self._ask(first, genotypes, fidelity) == self._ask(second, genotypes, fidelity)

    def test_the_order_of_questions_changes_nothing(self, task: EvaluationTask, genotypes: list[Genotype]) -> None:
        evaluator = self.evaluator(task)
        together = self._ask(evaluator, genotypes)
        another = self.evaluator(task)
        one_by_one = [another.evaluate([genotype])[0] for genotype in reversed(genotypes)]
        another.close()
        assert _answers(one_by_one)[::-1] == together
        assert self._ask(evaluator, [*genotypes[:1], *genotypes[:1]]) == [together[0], together[0]]

    def test_processes_change_nothing(self, task: EvaluationTask, genotypes: list[Genotype]) -> None:
        if not self.starts_processes:
            pytest.skip("starts no processes")
        alone, shared = self.evaluator(task), self.evaluator(replace(task, processes=2))
        assert alone.key == shared.key
        assert self._ask(alone, genotypes[:3]) == self._ask(shared, genotypes[:3])

    def test_answers_are_the_same_one_by_one(self, task: EvaluationTask, genotypes: list[Genotype]) -> None:
        evaluator = self.evaluator(task)
        if not isinstance(evaluator, QueuedEvaluator):
            pytest.skip("is not asked one by one")
        together = evaluator.evaluate(genotypes[:3])
        evaluator.close()
        evaluator = self.evaluator(task)
        assert isinstance(evaluator, QueuedEvaluator)
        for genotype in genotypes[:3]:
            evaluator.submit(genotype)
        with pytest.raises(EvaluatorError, match="collect"):
            evaluator.evaluate(genotypes[:1])
        kept: list[Estimate] = []
        collected = [evaluator.collect(kept.append) for _ in range(3)]
        assert _answers(collected) == _answers(kept) == _answers(together)
        with pytest.raises(EvaluatorError):
            evaluator.collect()
        with pytest.raises(EvaluatorError, match="fidelity"):
            evaluator.submit(genotypes[0], 0.123456)
        evaluator.submit(genotypes[3])
        evaluator.close()  # what nobody wants to know any more
        assert self._ask(evaluator, genotypes[:1]) == _answers(together[:1])

    def test_refuses_a_fidelity_that_it_does_not_have(self, task: EvaluationTask, genotypes: list[Genotype]) -> None:
        evaluator = self.evaluator(task)
        with pytest.raises(EvaluatorError, match="fidelity"):
            evaluator.evaluate(genotypes, 0.123456)

    def test_the_key_changes_with_the_settings(self, task: EvaluationTask) -> None:
        other = self.other_settings(task)
        if other is None:
            pytest.skip("has no settings that change its answers")
        assert other.key != self.evaluator(task).key

    @pytest.mark.parametrize("split", ["train", "validation"])
    def test_the_key_changes_with_the_data(self, task: EvaluationTask, split: str) -> None:
        if split == "train":
            reads, changed = self.reads_data, replace(task, train=_negative(task.train))
        else:
            reads, changed = self.reads_held_out, replace(task, validation=_negative(task.validation))
        assert (self.evaluator(changed).key != self.evaluator(task).key) is reads

    def test_work_that_was_done_leaves_no_files(self, task: EvaluationTask, genotypes: list[Genotype]) -> None:
        evaluator = self.evaluator(task)
        self._ask(evaluator, genotypes[:2])
        assert task.folder is not None
        assert not list(task.folder.rglob("*.pt"))
