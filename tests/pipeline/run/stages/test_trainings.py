"""What the search trained in full is not trained again, and several networks train side by side in the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.run import RunConfig
from tinynas.pipeline.run.storage import RunDirectory
from tinynas.spaces import Genotype, parse_space
from tinynas.targets import load_board
from tinynas.testing._evaluator_textures import EVALUATOR_SPACE
from tinynas.training import Dataset, Split

pytest.importorskip("torch")

import torch

from tinynas.evaluation import TrainingEvaluator, TrainingOptions
from tinynas.formats import read_tflite
from tinynas.pipeline.run.stages._contender import Contender
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._evaluations import evaluation_task, forget_trainings
from tinynas.pipeline.run.stages._trainings import Recipe, as_evaluated, train, train_side_by_side
from tinynas.training import TrainingDiverged, _descent, accuracy

SPACE = parse_space(EVALUATOR_SPACE)
CHOSEN = ChosenSpace(SPACE, 1.0, 8, 1, 3)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., RunContext]]:
    """Opens run directories; with one thread, as in a run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    images = (rng.integers(0, 90, (60, 8, 8, 1)) + 80 * labels[:, None, None, None]).astype(np.uint8)
    train_, rest = Split(images[:40], labels[:40]), Split(images[40:], labels[40:])
    data = Dataset("own", train_, rest, rest, ("a", "b", "c"))
    config = RunConfig.model_validate(
        {
            "board": "nucleo-f303k8",
            "data": {"dataset": "own"},
            "search": {"evaluator": "training"},
            "finetune": {"weights": "evaluation"},
        }
    )
    runs: list[RunDirectory] = []

    def open_run(name: str, processes: int = 1) -> RunContext:
        runs.append(RunDirectory(tmp_path / name, {}).__enter__())
        return RunContext(config, load_board("nucleo-f303k8"), SPACE, data, runs[-1], SilentProgress(), processes)

    yield open_run
    for run in runs:
        run.__exit__(None, None, None)
    torch.set_num_threads(threads)


def evaluated(context: RunContext, *genotypes: Genotype) -> tuple[TrainingEvaluator, list[float]]:
    """Has the evaluator train networks in full."""
    options = TrainingOptions(steps=6, batch_size=8, fidelities=(0.5, 1.0), recalibration_images=40)
    evaluator = TrainingEvaluator(evaluation_task(context, CHOSEN), options)
    evaluator.evaluate(list(genotypes), 0.5)
    estimates = evaluator.evaluate(list(genotypes))
    evaluator.close()
    return evaluator, [estimate.value for estimate in estimates]


def contender(key: str, genotype: Genotype, inside: bool = True) -> Contender:
    return Contender(key, key, CHOSEN.architecture(genotype), genotype if inside else None)


def test_the_winner_has_the_weights_that_it_was_scored_with(
    opened: Callable[..., RunContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = opened("run")
    evaluator, values = evaluated(context, SPACE.smallest(), SPACE.largest())
    checkpoints = {evaluator.checkpoint(genotype) for genotype in (SPACE.smallest(), SPACE.largest())}
    assert set(context.run.file("checkpoints").iterdir()) == checkpoints, "only those of full trainings are kept"
    monkeypatch.delattr(_descent, "ProcessPool")  # there is nothing to train
    winner = contender("winner", SPACE.largest())
    train(context, as_evaluated(evaluator), winner)
    network = read_tflite(context.run.file(winner.float_file))
    assert accuracy(network, context.data.validation) == values[1]
    forget_trainings(context)
    assert list(context.run.file("checkpoints").iterdir()) == []
    train(context, as_evaluated(evaluator), winner)


def test_a_baseline_is_trained_as_the_winner_was(opened: Callable[..., RunContext]) -> None:
    """The same network from outside: the same bits."""
    context = opened("run")
    evaluator, _ = evaluated(context, SPACE.largest())
    winner, baseline = contender("winner", SPACE.largest()), contender("baseline", SPACE.largest(), inside=False)
    for one in (winner, baseline):
        train(context, as_evaluated(evaluator), one)
    assert context.run.file(winner.float_file).read_bytes() == context.run.file(baseline.float_file).read_bytes()


def files(context: RunContext, contenders: list[Contender]) -> list[bytes]:
    return [context.run.file(one.float_file).read_bytes() for one in contenders]


def test_side_by_side_gives_the_same_bits_as_one_after_the_other(opened: Callable[..., RunContext]) -> None:
    alone, together = opened("alone"), opened("together", processes=2)
    contenders = [contender(f"n{i}", SPACE.sample(np.random.default_rng(i)), inside=False) for i in range(3)]
    recipe = as_evaluated(evaluated(alone)[0])
    train_side_by_side(alone, recipe, contenders)
    assert not list(alone.run.journal.records("finished")), "one process has nothing to gain"
    for one in contenders:
        train(alone, recipe, one)
    train_side_by_side(together, recipe, contenders)
    assert files(together, contenders) == files(alone, contenders)
    records = [list(context.run.journal.records("finished")) for context in (alone, together)]
    assert [r["work"] for r in records[0]] == [r["work"] for r in records[1]] == ["train n0", "train n1", "train n2"]
    assert [r["result"] for r in records[0]] == [r["result"] for r in records[1]]
    assert not list(together.run.file("checkpoints").glob("*"))


def test_what_is_left_is_trained_after_an_interruption(
    opened: Callable[..., RunContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, killed = opened("undisturbed"), opened("killed", processes=2)
    contenders = [contender(f"n{i}", SPACE.sample(np.random.default_rng(i)), inside=False) for i in range(3)]
    recipe = as_evaluated(evaluated(undisturbed)[0])
    for one in contenders:
        train(undisturbed, recipe, one)
    finish = killed.run.finish

    def dying(work: str, *rest: Any) -> None:
        finish(work, *rest)
        raise KeyboardInterrupt

    monkeypatch.setattr(killed.run, "finish", dying)
    with pytest.raises(KeyboardInterrupt):
        train_side_by_side(killed, recipe, contenders)
    monkeypatch.undo()
    train_side_by_side(killed, recipe, contenders)
    assert files(killed, contenders) == files(undisturbed, contenders)
    assert [record["work"] for record in killed.run.journal.records("finished")] == [f"train n{i}" for i in range(3)]


def test_shards_are_trained_one_network_after_the_other(opened: Callable[..., RunContext]) -> None:
    context = opened("run", processes=2)
    evaluator, _ = evaluated(opened("other"))
    recipe: Recipe = as_evaluated(evaluator)
    sharded = replace(recipe, settings=replace(recipe.settings, shards=2))
    train_side_by_side(context, sharded, [contender(f"n{i}", SPACE.smallest(), inside=False) for i in range(2)])
    assert not list(context.run.journal.records("finished"))


def test_a_baseline_that_diverges_is_left_out_and_a_winner_that_does_ends_the_run(
    opened: Callable[..., RunContext],
) -> None:
    recipe = as_evaluated(evaluated(opened("other"))[0])
    wild = replace(recipe, settings=replace(recipe.settings, learning_rate=1e30), begun=lambda _: None)
    for processes in (1, 2):
        context = opened(f"run-{processes}", processes)
        baselines = [contender(f"n{i}", SPACE.largest(), inside=False) for i in range(2)]
        train_side_by_side(context, wild, baselines)
        assert [train(context, wild, one) for one in [*baselines, baselines[0]]] == [False, False, False]
        records = list(context.run.journal.records("finished"))
        assert [record["artefacts"] for record in records] == [{}, {}]
        assert all("diverged at step" in record["result"]["diverged"] for record in records)
        winner = contender("winner", SPACE.largest())
        with pytest.raises(TrainingDiverged, match="diverged at step"):
            train(context, wild, winner)
    with pytest.raises(TrainingDiverged, match="diverged at step"):
        train_side_by_side(context, wild, [winner, contender("n2", SPACE.largest(), inside=False)])


def test_two_contenders_of_one_network_leave_each_other_their_weights(opened: Callable[..., RunContext]) -> None:
    context = opened("run", processes=2)
    evaluator, _ = evaluated(context, SPACE.largest())
    recipe = as_evaluated(evaluator)
    same = [contender(key, SPACE.largest()) for key in ("winner", "macs")]
    train_side_by_side(context, recipe, same)
    assert files(context, same[:1]) == files(context, same[1:])
    assert evaluator.checkpoint(SPACE.largest()) in set(context.run.file("checkpoints").iterdir())


def test_repetitions_are_trained_with_other_seeds(opened: Callable[..., RunContext]) -> None:
    """Also where the search trained the network already, one after the other as side by side."""
    alone, together = opened("alone"), opened("together", processes=2)
    evaluator, _ = evaluated(alone, SPACE.largest())
    recipe, winner = as_evaluated(evaluator), contender("winner", SPACE.largest())
    repeated = [winner.repeated(number) for number in (1, 2)]
    assert [one.folder for one in repeated] == ["seeds/winner-seed-2", "seeds/winner-seed-3"]
    for one in [winner, *repeated]:
        train(alone, recipe, one)
    assert len(set(files(alone, [winner, *repeated]))) == 3
    assert list(alone.run.file("checkpoints").iterdir()) == [evaluator.checkpoint(SPACE.largest())]
    train_side_by_side(together, recipe, repeated)
    assert files(together, repeated) == files(alone, repeated)
