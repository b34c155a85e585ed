"""Rank correlations with intervals, and evaluators of the networks of a table, asked once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from little_tables import TinySpace, tiny_rows
from tabular.answers import answers
from tabular.candidates import NAMES, Candidates
from tabular.trainings import training_columns, truth_of

from tinynas.errors import UsageError
from tinynas.evaluation import EvaluationTask, agreement, groups_of_equal_macs, kendall, stratified
from tinynas.pipeline.run.storage import Journal
from tinynas.training import Split


def split(count: int, seed: int) -> Split:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    images = rng.integers(0, 100, (count, 8, 8, 1)) + 50 * labels[:, None, None, None]
    return Split(np.minimum(images, 255).astype(np.uint8), labels)


@pytest.fixture
def candidates(tmp_path: Path) -> Candidates:
    rows = tiny_rows()
    task = EvaluationTask(TinySpace(), 1.0, 8, split(64, 1), split(32, 2), classes=4, seed=3)
    return Candidates(
        task, rows, frozenset(row.genotype for row in rows[::3]), samples=8, supernet_steps=3, folder=tmp_path
    )


def test_kendall_with_ties() -> None:
    a = np.array([1.0, 2, 3, 4])
    assert kendall(a, a**3) == 1
    assert kendall(a, -a) == -1
    # Six pairs: one tied on the left, five agree: 5 / sqrt(5 * 6).
    assert kendall(np.array([1.0, 1, 3, 4]), a) == pytest.approx(5 / 30**0.5)
    assert kendall(np.ones(4), a) == 0


def test_groups_are_of_neighbours_in_macs() -> None:
    macs = [5, 1, 4, 2, 3, 6]
    assert [group.tolist() for group in groups_of_equal_macs(macs, 3)] == [[1, 3], [4, 2], [0, 5]]


@pytest.mark.parametrize(("count", "sizes"), [(40, [10] * 4), (42, [11, 11, 10, 10]), (1000, [25] * 4)])
def test_a_sample_has_networks_of_all_sizes(count: int, sizes: list[int]) -> None:
    macs = np.random.default_rng(0).permutation(100)
    groups = stratified(macs.tolist(), count, 4, seed=1)
    assert [len(group) for group in groups] == sizes
    for i, group in enumerate(groups):
        assert ((25 * i <= macs[group]) & (macs[group] < 25 * (i + 1))).all()
        assert len(set(group.tolist())) == len(group)
    assert [g.tolist() for g in groups] == [g.tolist() for g in stratified(macs.tolist(), count, 4, seed=1)]


def test_agreement_tells_size_from_skill() -> None:
    """A value that knows the group alone ranks overall and not within; intervals hold the estimate."""
    rng = np.random.default_rng(2)
    size = np.repeat(np.arange(5.0), 20)
    truth = 10 * size + rng.standard_normal(100)
    groups = np.split(np.arange(100), 5)
    by_size = agreement(size, truth, groups, 20)
    assert by_size.overall.value > 0.85
    assert by_size.within.value == 0
    by_skill = agreement(truth + 0.5 * rng.standard_normal(100), truth, groups, 20)
    assert by_skill.within.value > 0.5
    for interval in (by_size.overall, by_skill.overall, by_skill.within):
        assert interval.low < interval.value < interval.high
    assert agreement(truth, truth, groups, 20).within.low == 1


def test_the_longest_training_is_held_against_the_other_seeds_alone() -> None:
    rows = tiny_rows()
    short, long = training_columns(rows)
    assert (short.name, long.name) == ("training, 10 steps", "training, 40 steps")
    both = [(row.trained[0, 40].test + row.trained[1, 40].test) / 2 for row in rows]
    assert short.truth.tolist() == truth_of(rows).tolist() == both
    assert long.truth.tolist() == [row.trained[1, 40].test for row in rows]
    assert short.values.tolist() == [row.trained[0, 10].held_out for row in rows]
    assert (short.seconds, long.seconds) == (pytest.approx(0.1), pytest.approx(0.4))


@pytest.mark.parametrize("name", NAMES)
def test_every_evaluator_answers_once(candidates: Candidates, name: str, tmp_path: Path) -> None:
    genotypes = sorted(candidates.asked)
    journal = tmp_path / "answers.jsonl"
    candidate = candidates.build(name)
    assert candidate.name == name
    first, _ = answers(candidate, genotypes[:3], Journal(journal))
    values, seconds = answers(candidates.build(name), genotypes, Journal(journal))
    assert values[:3].tolist() == first.tolist()
    assert np.isfinite(values).all()
    assert seconds >= 0
    records = list(Journal(journal).records("answer"))
    assert [tuple(record["genotype"]) for record in records] == genotypes
    assert len({record["key"] for record in records}) == 1
    if name.startswith("predictor") or name == "supernet":
        assert candidate.seconds_once > 0


def test_predictors_learn_from_networks_that_nobody_asks_about(candidates: Candidates) -> None:
    def key(of_the_asked: bool) -> str:
        """Of the predictor, where the trainings of the networks that are asked about have failed, or of the others."""
        rows = [
            replace(row, trained={place: replace(training, held_out=0) for place, training in row.trained.items()})
            if (row.genotype in candidates.asked) is of_the_asked
            else row
            for row in tiny_rows()
        ]
        return replace(candidates, rows=rows).build("predictor-ridge").evaluator.key

    unchanged = candidates.build("predictor-ridge").evaluator.key
    assert key(of_the_asked=True) == unchanged
    assert key(of_the_asked=False) != unchanged


def test_what_cannot_be_compared_is_one_line(candidates: Candidates) -> None:
    assert candidates.checked(None) == NAMES
    with pytest.raises(UsageError, match="unknown evaluator 'flops'; one of macs"):
        candidates.checked(["flops"])
    few = Candidates(candidates.task, candidates.rows, candidates.asked, 13, 3, candidates.folder)
    assert few.checked(["macs", "synflow"]) == ("macs", "synflow")
    with pytest.raises(
        UsageError, match="predictors learn from 13 networks that nobody is asked about, and there are 12"
    ):
        few.checked(None)
