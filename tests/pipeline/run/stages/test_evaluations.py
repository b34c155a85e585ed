"""What an evaluator answered is in the journal, and is never asked again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from tinynas.evaluation import (
    Estimate,
    EvaluationProgress,
    EvaluationTask,
    Evaluator,
    EvaluatorError,
    build_evaluator,
)
from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.run import RunConfig
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._evaluations import JournalledEvaluator, evaluation_task
from tinynas.pipeline.run.storage import Journal, RunDirectory
from tinynas.spaces import Genotype, load_space
from tinynas.targets import load_board
from tinynas.testing import BaseEvaluatorTestCase
from tinynas.training import Dataset, Split


class TestJournalledCounts(BaseEvaluatorTestCase):
    """What is journalled is an evaluator."""

    reads_data = reads_held_out = starts_processes = False

    @pytest.fixture(autouse=True)
    def _journal(self, tmp_path: Path) -> None:
        self.journal = Journal(tmp_path / "journal.jsonl")

    def evaluator(self, task: EvaluationTask) -> Evaluator:
        return JournalledEvaluator(self.journal, build_evaluator("macs", task))


class Asked:
    """Says how often it was asked about what; dies at an answer if told to."""

    name = "asked"
    fidelities = (0.5, 1.0)

    def __init__(self, key: str = "asked-1", dies_at: int | None = None) -> None:
        self.key = key
        self.dies_at = dies_at
        self.asked: list[Genotype] = []

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        estimates = []
        for position, genotype in enumerate(genotypes):
            if len(self.asked) == self.dies_at:
                raise KeyboardInterrupt
            self.asked.append(genotype)
            estimates.append(Estimate(sum(genotype) * fidelity, 0.25, 1.23456, {"n": 1}))
            if progress is not None:
                progress(position, estimates[-1])
        return estimates

    def close(self) -> None:
        pass


GENOTYPES = [(1, 2), (3, 4), (1, 2), (5, 6)]


def values(evaluator: Evaluator, fidelity: float = 1.0) -> list[float]:
    return [estimate.value for estimate in evaluator.evaluate(GENOTYPES, fidelity)]


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    asked = Asked()
    evaluator = JournalledEvaluator(Journal(tmp_path / "j"), asked)
    assert values(evaluator) == values(evaluator) == [3, 7, 3, 11]
    assert asked.asked == [(1, 2), (3, 4), (5, 6)]
    assert values(evaluator, 0.5) == [1.5, 3.5, 1.5, 5.5]
    assert len(asked.asked) == 6


def test_every_answer_is_on_the_disk_when_the_next_is_asked(tmp_path: Path) -> None:
    dying, rest = Asked(dies_at=2), Asked()
    with pytest.raises(KeyboardInterrupt):
        values(JournalledEvaluator(Journal(tmp_path / "j"), dying))
    evaluator = JournalledEvaluator(Journal(tmp_path / "j"), rest)
    assert values(evaluator) == [3, 7, 3, 11]
    assert dying.asked + rest.asked == [(1, 2), (3, 4), (5, 6)]
    (first, *_) = [json.loads(line) for line in (tmp_path / "j").read_text().splitlines()]
    assert {name: first[name] for name in first if name != "time"} == {
        "kind": "evaluation",
        "evaluator": "asked",
        "key": "asked-1",
        "genotype": [1, 2],
        "fidelity": 1.0,
        "value": 3.0,
        "deviation": 0.25,
        "seconds": 1.235,
        "details": {"n": 1},
    }


def test_another_key_is_another_evaluator(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    values(JournalledEvaluator(journal, Asked()))
    other = Asked(key="asked-2")
    values(JournalledEvaluator(journal, other))
    assert len(other.asked) == 3


def test_every_position_is_told_once(tmp_path: Path) -> None:
    evaluator = JournalledEvaluator(Journal(tmp_path / "j"), Asked())
    for _ in range(2):
        told: list[int] = []
        evaluator.evaluate(GENOTYPES, progress=lambda position, _, told=told: told.append(position))
        assert sorted(told) == [0, 1, 2, 3]


class AskedInTurn(Asked):
    """The same, one by one; notes the order of submissions and answers."""

    def __init__(self, dies_at: int | None = None) -> None:
        super().__init__(dies_at=dies_at)
        self.turns: list[str] = []

    def submit(self, genotype: Genotype, fidelity: float = 1.0) -> None:
        self.turns.append(f"submit {genotype[0]}")
        self.asked.append(genotype)

    def collect(self, keep: Callable[[Estimate], None] | None = None) -> Estimate:
        genotype = self.asked.pop(0)
        self.turns.append(f"collect {genotype[0]}")
        estimate = Estimate(sum(genotype))
        if len(self.turns) == self.dies_at:
            raise KeyboardInterrupt
        if keep is not None:
            keep(estimate)
        return estimate


@pytest.mark.parametrize("inner", [Asked, AskedInTurn])
def test_answers_are_collected_in_the_order_of_the_questions(inner: type[Asked], tmp_path: Path) -> None:
    asked = inner()
    evaluator = JournalledEvaluator(Journal(tmp_path / "j"), asked)
    for genotype in GENOTYPES:
        evaluator.submit(genotype)
    told: list[float] = []
    assert [evaluator.collect(lambda e: told.append(e.value)).value for _ in GENOTYPES] == [3, 7, 3, 11]
    assert told == [3, 7, 3, 11]
    assert len((tmp_path / "j").read_text().splitlines()) == 3
    if isinstance(asked, AskedInTurn):
        assert asked.turns == [*(f"submit {n}" for n in (1, 3, 5)), *(f"collect {n}" for n in (1, 3, 5))]
    else:  # all at once: work for all of its processes
        assert asked.asked == [(1, 2), (3, 4), (5, 6)]
    with pytest.raises(EvaluatorError, match="submitted"):
        evaluator.collect()


def test_what_was_collected_is_not_asked_again_after_a_death(tmp_path: Path) -> None:
    dying, rest = AskedInTurn(dies_at=5), AskedInTurn()
    for asked in (dying, rest):
        evaluator = JournalledEvaluator(Journal(tmp_path / "j"), asked)
        for genotype in GENOTYPES:
            evaluator.submit(genotype)
        if asked is dying:
            evaluator.collect()
            with pytest.raises(KeyboardInterrupt):
                evaluator.collect()
    assert [evaluator.collect().value for _ in GENOTYPES] == [3, 7, 3, 11]
    assert rest.turns == ["submit 3", "submit 5", "collect 3", "collect 5"]


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    config = RunConfig.model_validate({"board": "nucleo-f303k8", "data": {"dataset": "own"}})
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (12, 16, 16, 1)).astype(np.uint8), np.arange(12) % 2)
    data = Dataset("own", split, split, split, ("a", "b"))
    with RunDirectory(tmp_path, {}) as run:
        yield RunContext(config, load_board("nucleo-f303k8"), load_space("mobile-tiny"), data, run, SilentProgress(), 1)


def test_what_a_predictor_asks_is_journalled_as_well(context: RunContext) -> None:
    chosen = ChosenSpace(context.space, 0.5, 16, 1, 2)
    options: dict[str, Any] = {"over": "macs", "samples": 5, "features": ["parameters"]}
    task = evaluation_task(context, chosen)
    evaluator = task.remember(build_evaluator("predictor", task, options))
    (estimate,) = evaluator.evaluate([chosen.space.smallest()])
    records = list(context.run.journal.records("evaluation"))
    assert [record["evaluator"] for record in records] == ["macs"] * 5 + ["parameters"] * 6 + ["predictor"]
    again = task.remember(build_evaluator("predictor", task, options))
    assert again.evaluate([chosen.space.smallest()]) == [
        Estimate(estimate.value, estimate.deviation, round(estimate.seconds, 3))
    ]
    assert len(list(context.run.journal.records("evaluation"))) == len(records)


def test_a_run_draws_only_what_meets_its_constraints(context: RunContext) -> None:
    chosen = ChosenSpace(context.space, 0.5, 16, 1, 2)
    rng = np.random.default_rng(1)
    allowed = [chosen.space.sample(rng) for _ in range(6)]
    task = evaluation_task(context, chosen, sample=lambda rng: allowed[int(rng.integers(6))])
    evaluator = build_evaluator("predictor", task, {"over": "macs", "samples": 6})
    evaluator.evaluate([chosen.space.smallest()])
    asked = [tuple(r["genotype"]) for r in context.run.journal.records("evaluation", evaluator="macs")]
    assert set(asked) == set(allowed)
