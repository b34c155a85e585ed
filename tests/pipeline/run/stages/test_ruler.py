"""An evaluator that ranks no better than counting is not used; one that does, is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinynas.evaluation import Estimate, EvaluationProgress, EvaluationTask, TrainingOptions
from tinynas.graph import DType, count_macs, count_params
from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.run import RunConfig
from tinynas.pipeline.run.storage import Journal, RunDirectory
from tinynas.spaces import Genotype, load_space
from tinynas.targets import load_board
from tinynas.training import Dataset, Split

pytest.importorskip("torch")

from tinynas.pipeline.report._sections import ruler_section
from tinynas.pipeline.run.stages import _ruler
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._evaluations import JournalledEvaluator
from tinynas.pipeline.run.stages._ruler import RULER, trusted_evaluator

SPACE = load_space("tiny")
CHOSEN = ChosenSpace(SPACE, 1.0, 28, 1, 10)
Worth = Callable[[Genotype], float]


def skill(genotype: Genotype) -> float:
    """What a network is worth beyond its size."""
    return float(np.random.default_rng(genotype).normal())


def macs(genotype: Genotype) -> float:
    return float(count_macs(CHOSEN.graph(genotype, DType.INT8)))


def params(genotype: Genotype) -> float:
    return float(count_params(CHOSEN.graph(genotype, DType.INT8)))


class Says:
    """An evaluator of two fidelities; what it says is a function of the network."""

    fidelities = (0.25, 1.0)

    def __init__(self, worth: Worth, name: str = "training") -> None:
        self._worth = worth
        self.name = self.key = name
        self.asked: list[tuple[Genotype, float]] = []

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        self.asked += [(genotype, fidelity) for genotype in genotypes]
        return [Estimate(self._worth(genotype)) for genotype in genotypes]

    def close(self) -> None:
        pass


@pytest.fixture
def tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Tests an evaluator against what networks are worth; returns what is searched by instead, and `ruler.json`."""
    split = Split(np.zeros((4, 28, 28, 1), np.uint8), np.arange(4))
    data = Dataset("own", split, split, split, tuple("abcdefghij"))
    monkeypatch.setattr(_ruler, "_POOL", 5)
    runs: list[RunDirectory] = []

    def test(
        evaluator: Says,
        worth: Worth,
        name: str = "run",
        finetune: dict[str, Any] | None = None,
        evaluator_options: dict[str, Any] | None = None,
        **ruler: Any,
    ) -> tuple[str | None, Any]:
        def truth(task: EvaluationTask, options: TrainingOptions) -> Says:
            test.truth = task, options  # type: ignore[attr-defined]
            return Says(worth, "longer")

        monkeypatch.setattr(_ruler, "TrainingEvaluator", truth)
        config = RunConfig.model_validate(
            {
                "board": "nucleo-f303k8",
                "data": {"dataset": "own"},
                "search": {"evaluator": "training", "evaluator_options": evaluator_options or {}},
                "finetune": finetune or {},
                "ruler": {"networks": 16, **ruler},
            }
        )
        runs.append(RunDirectory(tmp_path / name, {}).__enter__())
        context = RunContext(config, load_board("nucleo-f303k8"), SPACE, data, runs[-1], SilentProgress(), 1)
        journalled = JournalledEvaluator(Journal(tmp_path / name / f"{len(runs)}.jsonl"), evaluator)
        instead = trusted_evaluator(context, CHOSEN, journalled, SPACE.sample)
        document = runs[-1].read_json(RULER) if config.ruler.networks else None
        runs.pop().__exit__(None, None, None)
        return instead, document

    yield test
    for run in runs:
        run.__exit__(None, None, None)


def test_an_evaluator_that_knows_skill_is_used(tested: Callable[..., Any]) -> None:
    evaluator = Says(lambda g: skill(g) + 0.1 * skill((*g, 1)))
    instead, document = tested(evaluator, skill)
    assert instead is None
    assert document["used"] == "training"
    assert document["agreement"]["training"]["overall"][0] > 0.8
    assert document["agreement"]["training"]["within"][0] > 0.7
    assert {fidelity for _, fidelity in evaluator.asked} == {0.25}
    assert document["values"]["macs"] == [macs(tuple(g)) for g in document["genotypes"]]


@pytest.mark.parametrize(("worth", "counted"), [(macs, "macs"), (params, "parameters")])
def test_one_that_knows_nothing_is_not(worth: Worth, counted: str, tested: Callable[..., Any]) -> None:
    instead, document = tested(Says(skill), worth)
    assert instead == counted == document["used"]
    assert document["agreement"][counted]["overall"][0] == 1
    section = ruler_section(document)
    assert section is not None
    assert f"no better than counting by the mean of the two, so the search is by {counted}" in section["summary"]
    assert [row["name"] for row in section["rows"]] == ["training", "macs", "parameters"]


def test_one_that_only_knows_size_is_not(tested: Callable[..., Any]) -> None:
    """No better than counting is not better."""
    assert tested(Says(macs), macs)[0] == "macs"


def test_groups_are_of_about_equal_macs(tested: Callable[..., Any]) -> None:
    _, document = tested(Says(skill), skill)
    counted = np.array(document["values"]["macs"])
    groups = [counted[group] for group in document["groups"]]
    assert [len(group) for group in groups] == [4, 4, 4, 4]
    assert len({tuple(g) for g in document["genotypes"]}) == 16
    for smaller, larger in itertools.pairwise(groups):
        assert smaller.max() < larger.min()
    within = max(group.max() / group.min() for group in groups)
    assert within < groups[-1].mean() / groups[0].mean()


def test_it_is_tested_once(tested: Callable[..., Any]) -> None:
    first = tested(Says(skill), macs)
    again = Says(skill)
    assert tested(again, macs) == first
    assert again.asked == []


def test_few_networks_are_fewer_groups(tested: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    few = [SPACE.sample(np.random.default_rng(i)) for i in range(5)]
    turns = itertools.cycle(few)
    monkeypatch.setattr(type(SPACE), "sample", lambda self, rng: next(turns))
    _, document = tested(Says(skill), skill)
    assert [len(group) for group in document["groups"]] == [3, 2]


def test_the_truth_is_trained_like_the_winner_on_other_seeds(
    tested: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tested(Says(skill), skill)
    task, options = tested.truth  # type: ignore[attr-defined]
    assert task.seed != 0
    assert not task.keeps_trained
    assert (options.steps, options.seeds, options.batch_size, options.learning_rate) == (1500, 2, 128, None)
    kept = {"weights": "evaluation"}
    own = {"batch_size": 32, "label_smoothing": 0.1, "steps": 90, "fidelities": [0.5, 1.0]}
    tested(Says(skill), skill, "kept", finetune=kept, evaluator_options=own)
    _, options = tested.truth  # type: ignore[attr-defined]
    assert (options.steps, options.batch_size, options.label_smoothing) == (1500, 32, 0.1)
    assert options.fidelities == (1.0,)


def test_without_networks_nothing_is_asked(tested: Callable[..., Any]) -> None:
    evaluator = Says(skill)
    assert tested(evaluator, skill, networks=0) == (None, None)
    assert evaluator.asked == []
