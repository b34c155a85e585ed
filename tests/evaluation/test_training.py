"""Stand-alone training as an evaluator: what a fidelity is, stand-ins, several seeds, resuming."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinynas.testing._evaluator_textures import small_task

pytest.importorskip("torch")

from tinynas import training
from tinynas.evaluation import EvaluationTask, Evaluator, build_evaluator
from tinynas.training import Augmentation, Split

SHORT = {"steps": 12, "batch_size": 16}


def trained(task: EvaluationTask, steps: int, train: Split, held_out: Split, **network: Any) -> float:
    """What `tinynas.training` alone says of the largest network."""
    graph = task.graph(task.space.largest(), **network)
    subnet = training.Supernet([graph], seed=task.seed)
    settings = training.TrainingSettings(steps=steps, batch_size=16, learning_rate=0.2, label_smoothing=0.0, shards=1)
    training.train_subnet(subnet, graph, data=train, settings=settings, seed=task.seed)
    return training.score_subnet(subnet, graph, train.images, held_out)


def value(evaluator: Evaluator, task: EvaluationTask, fidelity: float = 1.0) -> float:
    estimate = evaluator.evaluate([task.space.largest()], fidelity)[0].value
    evaluator.close()
    return estimate


def test_each_fidelity_is_a_training_of_its_own_length() -> None:
    task = small_task()
    evaluator = build_evaluator("training", task, {**SHORT, "fidelities": [0.25, 0.5, 1.0]})
    for fidelity, steps in ((0.25, 3), (0.5, 6), (1.0, 12)):
        assert value(evaluator, task, fidelity) == trained(task, steps, task.train, task.validation)


def test_fidelities_do_not_change_the_key() -> None:
    task = small_task()
    assert (
        build_evaluator("training", task, {**SHORT, "fidelities": [0.5, 1.0]}).key
        == build_evaluator("training", task, SHORT).key
    )


def test_the_key_follows_seed_and_augmentation() -> None:
    tasks = [small_task(), small_task(seed=4), small_task(augmentation=Augmentation(shift=1))]
    assert len({build_evaluator("training", task, SHORT).key for task in tasks}) == 3


def test_stand_ins_train_smaller_networks_on_smaller_images() -> None:
    task = small_task(resolution=8)
    evaluator = build_evaluator("training", task, {**SHORT, "resolution_scale": 0.5, "width_scale": 0.5})
    train, held_out = task.train.resized(4), task.validation.resized(4)
    assert value(evaluator, task) == trained(task, 12, train, held_out, width=0.5, resolution=4)


def test_a_share_of_the_data_is_drawn_once() -> None:
    task = small_task()
    evaluator: Any = build_evaluator("training", task, {**SHORT, "data_share": 0.25})
    train, _ = evaluator._examples
    assert len(train) == 24
    rows = {image.tobytes() for image in task.train.images}
    assert all(image.tobytes() in rows for image in train.images)


def test_several_seeds_have_a_standard_error() -> None:
    task = small_task()
    evaluator = build_evaluator("training", task, {**SHORT, "seeds": 3})
    (estimate,) = evaluator.evaluate([task.space.largest()])
    evaluator.close()
    accuracies = estimate.details["accuracies"]
    assert len(set(accuracies)) > 1
    assert estimate.value == pytest.approx(np.mean(accuracies))
    assert estimate.deviation == pytest.approx(np.std(accuracies, ddof=1) / np.sqrt(3))
    assert accuracies[0] == value(build_evaluator("training", task, SHORT), task)


def test_a_training_that_diverges_is_worth_nothing() -> None:
    task = small_task()
    evaluator = build_evaluator("training", task, {**SHORT, "learning_rate": 1e30})
    (estimate,) = evaluator.evaluate([task.space.largest()])
    assert estimate.value == 0.0
    assert estimate.details["diverged"] == 1


def test_a_killed_training_continues_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinynas.training import _descent

    task = small_task(folder=tmp_path)
    undisturbed = value(build_evaluator("training", replace(task, folder=None), SHORT), task)
    steps: list[int] = []
    # A checkpoint after each step; the process dies at the eighth.
    monkeypatch.setattr(_descent.CheckpointClock, "due", lambda self: True)
    save = _descent.save_checkpoint

    def dying(path: Path, state: dict[str, Any]) -> None:
        save(path, state)
        steps.append(state["step"])
        if steps == list(range(1, 8)):
            raise KeyboardInterrupt

    monkeypatch.setattr(_descent, "save_checkpoint", dying)
    with pytest.raises(KeyboardInterrupt):
        value(build_evaluator("training", task, SHORT), task)
    assert len(list(tmp_path.glob("training-*.pt"))) == 1
    assert value(build_evaluator("training", task, SHORT), task) == undisturbed
    assert steps == list(range(1, 13)), "nothing was trained twice"
    assert list(tmp_path.iterdir()) == []
