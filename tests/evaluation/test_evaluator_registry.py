"""Evaluators by name: what there is, what is wrong, and plugins of other packages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tinynas import plugins
from tinynas.evaluation import (
    Estimate,
    EvaluatorError,
    EvaluatorSpec,
    build_evaluator,
    check_evaluator_options,
    check_fidelities,
    evaluator,
    evaluator_names,
    list_evaluators,
    needs_supernet,
    register_evaluator,
)
from tinynas.evaluation import _registry as registry
from tinynas.testing._evaluator_textures import small_task

OWN = [
    "supernet",
    "training",
    "predictor",
    "table",
    "macs",
    "parameters",
    "grad-norm",
    "snip",
    "grasp",
    "synflow",
    "naswot",
    "zen",
    "zico",
]

PLUGIN = """
from tinynas.evaluation import EvaluatorSpec, build_evaluator

COUNTED = EvaluatorSpec("counted", "counts as another does", lambda task, options: build_evaluator("macs", task))
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "of_an_evaluator.py").write_text(PLUGIN)
    info = tmp_path / "more_evaluators-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more-evaluators\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tinynas.evaluators]\ncounted = of_an_evaluator:COUNTED\n")
    monkeypatch.syspath_prepend(tmp_path)

    def forget() -> None:
        plugins._entry_points.cache_clear()
        registry._EVALUATORS._plugins._loaded.clear()
        sys.modules.pop("of_an_evaluator", None)

    forget()
    yield
    monkeypatch.undo()
    forget()


def test_what_there_is() -> None:
    listed = [entry for entry in list_evaluators() if entry.source == "tinynas"]
    assert [entry.name for entry in listed] == OWN
    assert all(entry.description and "\n" not in entry.description for entry in listed)
    assert set(OWN) <= set(evaluator_names())


def test_listing_needs_no_torch() -> None:
    program = (
        "import sys; from tinynas.evaluation import list_evaluators; list_evaluators(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_plugins_are_had_by_name(plugin: None) -> None:
    task = small_task()
    assert ("counted", "counts as another does", "more-evaluators") in list_evaluators()
    smallest = task.space.smallest()
    assert (
        build_evaluator("counted", task).evaluate([smallest])[0].value
        == build_evaluator("macs", task).evaluate([smallest])[0].value
    )


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("trainin", {}, "unknown evaluator 'trainin'; did you mean 'training'"),
        ("training", {"step": 5}, "options of evaluator 'training': unknown key 'step'; did you mean 'steps'"),
        ("training", {"fidelities": [0.5, 0.25, 1.0]}, "fidelities are shares of full effort"),
        ("training", {"width_scale": 1.5}, "width_scale: Input should be less than or equal to 1"),
        ("macs", {"images": 3}, "evaluator 'macs' has no options, got 'images'"),
        ("supernet", {}, "evaluator 'supernet' needs trained shared weights"),
        ("table", {"file": "nowhere.json"}, "cannot read table nowhere.json"),
        ("predictor", {"over": "macs", "fidelity": 0.5}, "evaluator 'macs' has no fidelity 0.5; one of 1"),
    ],
)
def test_what_cannot_be_built_is_one_line(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(EvaluatorError) as caught:
        build_evaluator(name, small_task(), options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"over": "trainin"}, "unknown evaluator 'trainin'; did you mean 'training'"),
        ({"over_options": {"stpes": 1}}, "options of evaluator 'training': unknown key 'stpes'; did you mean 'steps'"),
        ({"over": "predictor", "over_options": {"over_options": {"stpes": 1}}}, "unknown key 'stpes'"),
        ({"features": ["mac"]}, "unknown evaluator 'mac'; did you mean 'macs'"),
    ],
)
def test_what_a_predictor_asks_is_checked_before_there_is_a_task(options: dict[str, object], message: str) -> None:
    with pytest.raises(EvaluatorError, match=message):
        check_evaluator_options("predictor", options)


def test_a_name_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry._EVALUATORS, "_members", dict(registry._EVALUATORS._members))
    spec = EvaluatorSpec("mine", "of this program", evaluator("macs").build)
    register_evaluator(spec)
    assert evaluator("mine") is spec
    with pytest.raises(EvaluatorError, match="already"):
        register_evaluator(EvaluatorSpec("mine", "another", spec.build))
    with pytest.raises(EvaluatorError, match="evaluator 'strange' has options that are no class of EvaluatorOptions"):
        register_evaluator(EvaluatorSpec("strange", "of this program", spec.build, dict))


@pytest.mark.parametrize("shares", [[], [0.5], [0.0, 1.0], [0.5, 0.5, 1.0], [1.0, 0.5], [0.5, 2.0]])
def test_fidelities_are_ascending_shares(shares: list[float]) -> None:
    with pytest.raises(EvaluatorError, match="ascending"):
        check_fidelities(shares)


@pytest.mark.parametrize(
    ("value", "deviation"), [(float("nan"), None), (float("inf"), 0.1), (0.5, -0.1), (0.5, float("nan"))]
)
def test_an_estimate_is_a_finite_number(value: float, deviation: float | None) -> None:
    with pytest.raises(EvaluatorError, match="finite"):
        Estimate(value, deviation)


@pytest.mark.parametrize(
    ("name", "options", "needed"),
    [
        ("supernet", {}, True),
        ("macs", {}, False),
        ("synflow", {}, False),
        ("training", {}, False),
        ("predictor", {}, False),
        ("predictor", {"over": "supernet"}, True),
        ("predictor", {"features": ["macs", "supernet"]}, True),
        ("predictor", {"over": "predictor", "over_options": {"over": "supernet"}}, True),
    ],
)
def test_says_whether_shared_weights_are_looked_at(name: str, options: dict[str, Any], needed: bool) -> None:
    assert needs_supernet(name, options) is needed
