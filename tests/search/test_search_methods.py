"""Search methods by their names: the contract, and what is refused before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tinynas import plugins
from tinynas.errors import UsageError
from tinynas.evaluation import EvaluationTask
from tinynas.plugins import OWN
from tinynas.search import (
    MethodError,
    MethodOptions,
    MethodSpec,
    MethodTask,
    SampledMethod,
    SearchMethod,
    SearchProblem,
    SearchStrategy,
    build_method,
    list_methods,
    method,
    method_names,
    read_method_options,
    register_method,
    strategy,
    strategy_names,
)
from tinynas.search import _method_registry as registry
from tinynas.spaces import parse_space
from tinynas.testing import BaseSearchMethodTestCase, BaseStrategyTestCase
from tinynas.testing._evaluator_textures import small_task

pytest.importorskip("torch")

from tinynas.search.methods.gradient import LearnedDistribution
from tinynas.training import Split, Supernet, TrainingSettings

CHOICE_OF_KINDS = """
family = "anynet"
name = "kinds"
description = "a stage of one of two kinds"
resolutions = [8]
[stem]
width = [4]
[[stages]]
block = ["depthwise_separable", "conv"]
width = [4, 8]
choices = { kernel = [3] }
"""


NO_SHARED_WEIGHTS = "the networks of space 'kinds' share no weights"


class TestSampledWithoutSharedWeights(BaseSearchMethodTestCase):
    """An evaluator that only counts: no supernet is asked for."""

    def method(self, task: MethodTask) -> SearchMethod:
        return build_method("sampled", task, {"strategy": "tpe", "evaluator": "macs"})


class TestSampledWithASupernet(BaseSearchMethodTestCase):
    """The weights are given; how they were trained is not the concern of the method."""

    def method(self, task: MethodTask) -> SearchMethod:
        def supernet() -> Supernet:
            return Supernet([task.evaluation.graph(task.evaluation.space.largest())], seed=1)

        images = {"validation_images": 16, "recalibration_images": 16}
        return build_method("sampled", replace(task, supernet=supernet), {"evaluator_options": images})


class TestGradient(BaseSearchMethodTestCase):
    """Few steps, with a warm-up: both trainings have begun when it is killed."""

    def method(self, task: MethodTask) -> SearchMethod:
        settings = TrainingSettings(6, batch_size=16)
        options = {"warmup": 0.2, "validation_images": 16, "recalibration_images": 16}
        return build_method("gradient", replace(task, training=settings), options)


class TestDraws(BaseStrategyTestCase):
    """What is learned is a strategy like any other; here, from probabilities that were drawn."""

    def strategy(self, problem: SearchProblem, seed: int) -> SearchStrategy:
        rng = np.random.default_rng(7)
        probabilities = [rng.dirichlet(np.ones(len(variable.values))) for variable in problem.space.variables]
        return LearnedDistribution(problem, seed, probabilities)


@pytest.fixture(autouse=True)
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry._METHODS, "_members", dict(registry._METHODS._members))
    monkeypatch.setattr(registry._METHODS._plugins, "_loaded", {})
    plugins._entry_points.cache_clear()
    yield
    plugins._entry_points.cache_clear()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "evolutoin"}, "unknown strategy 'evolutoin'; did you mean 'evolution'"),
        ({"evaluator": "macz"}, "unknown evaluator 'macz'"),
        ({"strategy": "tpe", "strategy_options": {"x": 1}}, "options of strategy 'tpe': unknown key 'x'"),
        ({"evaluator_options": {"x": 1}}, "options of evaluator 'supernet': unknown key 'x'"),
        ({"stratgy": "tpe"}, "options of search method 'sampled': unknown key 'stratgy'; did you mean 'strategy'"),
    ],
)
def test_options_are_checked_before_there_is_a_task(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_method_options("sampled", options)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sampled", {}, NO_SHARED_WEIGHTS),
        ("sampled", {"evaluator": "predictor", "evaluator_options": {"over": "supernet"}}, NO_SHARED_WEIGHTS),
        ("gradient", {}, "search method 'gradient' cannot search 'kinds'"),
    ],
)
def test_a_space_without_shared_weights_is_refused_before_any_are_trained(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as error:
        build_method(name, task_of_kinds(), options)
    assert "\n" not in str(error.value)


def test_a_space_without_shared_weights_is_searched_by_what_needs_none() -> None:
    task = task_of_kinds()
    evaluator = build_method("sampled", task, {"evaluator": "macs"}).evaluator()
    assert evaluator.evaluate([task.problem.space.largest()])[0].value > 0


def task_of_kinds() -> MethodTask:
    def supernet() -> Supernet:
        raise AssertionError("shared weights are trained")

    space = parse_space(CHOICE_OF_KINDS)
    return MethodTask(SearchProblem(space, lambda genotype: (), 6), small_task(space=space), supernet=supernet)


@pytest.mark.parametrize(
    ("options", "accuracy"),
    [({}, True), ({"evaluator": "macs"}, False), ({"evaluator": "training"}, True)],
)
def test_says_whether_scores_are_accuracies(options: dict[str, Any], accuracy: bool) -> None:
    assert read_method_options("sampled", options).accuracy is accuracy


@pytest.mark.parametrize("name", strategy_names())
def test_a_strategy_that_chooses_fidelities_says_so_and_warns_where_there_is_one(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    space = parse_space(CHOICE_OF_KINDS)
    data = Split(np.zeros((4, 8, 8, 1), np.uint8), np.arange(4) % 2)
    evaluation = EvaluationTask(space, 1.0, 8, data, data, classes=2)
    problem = SearchProblem(space, lambda _: (), 8, costs=lambda _: {"size": 1.0}, objectives=("size",))
    built = build_method("sampled", MethodTask(problem, evaluation), {"strategy": name, "evaluator": "macs"})
    chooses = built.strategy((0.5, 1.0)).ask().fidelity == 0.5
    assert strategy(name).chooses_fidelities is chooses
    built.evaluator().close()
    warned = [f"strategy {name} chooses fidelities, and evaluator macs has one"] if chooses else []
    assert caplog.messages == warned


def test_each_has_one_line_and_a_source() -> None:
    assert [listed.name for listed in list_methods()] == method_names()
    for name, description, source in list_methods():
        assert source == OWN
        assert description == method(name).description
        assert "\n" not in description


def test_a_registered_method_is_built_by_its_name() -> None:
    spec = MethodSpec("mine", "a method of a program", SampledMethod, method("sampled").options)
    register_method(spec)
    assert method("mine") is spec
    assert "mine" in method_names()
    with pytest.raises(MethodError, match="already"):
        register_method(replace(spec, description="another of the same name"))
    with pytest.raises(MethodError, match="unknown search method 'mime'; did you mean 'mine'"):
        method("mime")


def test_a_method_without_options_takes_none() -> None:
    register_method(MethodSpec("plain", "takes nothing", SampledMethod, MethodOptions))
    with pytest.raises(MethodError, match="search method 'plain' has no options, got 'x'"):
        read_method_options("plain", {"x": 1})
