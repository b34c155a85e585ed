"""Shared weights as an evaluator: the accuracy that scoring one subnet gives, under a key that follows the weights."""

from __future__ import annotations

import pytest

from tinynas.testing._evaluator_textures import small_task

pytest.importorskip("torch")

from tinynas.evaluation import EvaluationTask, build_evaluator, draw_examples
from tinynas.training import Supernet, score_subnet

OPTIONS = {"validation_images": 40, "recalibration_images": 32}


def task_of(seed: int) -> tuple[EvaluationTask, Supernet]:
    task = small_task()
    supernet = Supernet([task.graph(task.space.largest())], seed=seed)
    return small_task(supernet=supernet), supernet


def test_it_scores_as_one_subnet_is_scored() -> None:
    task, supernet = task_of(seed=1)
    evaluator = build_evaluator("supernet", task, OPTIONS)
    genotypes = list(task.space.enumerate())[:5]
    estimates = evaluator.evaluate(genotypes)
    evaluator.close()
    calibration, held_out = draw_examples(task.train, 32, task.seed), draw_examples(task.validation, 40, task.seed)
    expected = [score_subnet(supernet, task.graph(g), calibration.images, held_out) for g in genotypes]
    assert [estimate.value for estimate in estimates] == expected


def test_the_key_follows_the_weights() -> None:
    keys = [build_evaluator("supernet", task_of(seed)[0], OPTIONS).key for seed in (1, 1, 2)]
    assert keys[0] == keys[1] != keys[2]


def test_images_are_drawn_in_their_order_and_none_twice() -> None:
    task = small_task()
    drawn = draw_examples(task.train, 30, seed=4)
    where = [next(i for i, image in enumerate(task.train.images) if (image == one).all()) for one in drawn.images]
    assert where == sorted(set(where))
    assert len(draw_examples(task.train, 10_000, seed=4)) == len(task.train)
