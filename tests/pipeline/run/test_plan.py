"""A budget of minutes becomes numbers of steps, once; with these the same run is had again, wherever."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from run_processes import comparable, journal
from tiny_data import TINY_MEASUREMENTS, TINY_TASK, write_tiny_data

from tinynas.errors import UsageError
from tinynas.graph import DType
from tinynas.pipeline import load_config, run_pipeline
from tinynas.pipeline.run import RunConfig, steps_of, with_steps
from tinynas.spaces import build_graph, plain_cnn_architecture
from tinynas.training import load_dataset

pytest.importorskip("torch")

from tinynas.pipeline.run.stages import _plan, read_plan
from tinynas.pipeline.run.stages._plan import works_of

CONFIG = f"""{TINY_TASK}[budget]
minutes = 30
[search]
strategy = "random"
evaluator = "training"
evaluator_options = {{ steps = 10, batch_size = 8, fidelities = [0.5, 1.0] }}
evaluations = 3
rounds = 1
top_candidates = 1
[finetune]
steps = 20
batch_size = 16
[baselines]
random_search = false
train = []
[quantization]
steps = 5
calibration_images = 32
{TINY_MEASUREMENTS}"""


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    write_tiny_data(tmp_path / "tiny.npz", side=16)
    (tmp_path / "tiny.toml").write_text(CONFIG)
    return load_config(tmp_path / "tiny.toml")


@pytest.fixture
def takes(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Says what a step takes, in seconds of one process, whatever it takes here."""

    def set_seconds(seconds: float) -> None:
        monkeypatch.setattr(_plan, "seconds_per_step", lambda context, graphs, batch: seconds * batch)

    return set_seconds


def without_plan(result: dict[str, Any]) -> dict[str, Any]:
    """All but how the numbers of steps came about."""
    return {key: value for key, value in comparable(result).items() if key != "plan"}


def test_steps_fill_the_minutes_and_can_be_taken_elsewhere(
    config: RunConfig, takes: Callable[[float], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes(10.0)  # so slow that half an hour is a handful of steps
    result = run_pipeline(config, tmp_path / "planned")
    plan = json.loads((tmp_path / "planned" / "plan.json").read_text())
    assert result["plan"] == plan
    assert set(plan["steps"]) == {"evaluation", "finetune", "quantization"}
    needed = sum(
        plan["factor"] * steps_of(config)[w.steps] * w.networks * w.passes * 10.0 * w.batch_size
        for w in works_of(config)
    )
    assert 0.5 * needed < 30 * 60 * plan["processes"] < 2 * needed
    (record,) = [r for r in journal(tmp_path / "planned") if r.get("work") == "train winner"]
    assert record["result"]["steps"] == plan["steps"]["finetune"]
    monkeypatch.setattr(_plan, "seconds_per_step", None)  # nothing is measured again
    again = run_pipeline(config, tmp_path / "again", plan=tmp_path / "planned" / "plan.json")
    assert without_plan(again) == without_plan(result)
    assert (tmp_path / "again" / "winner.tflite").read_bytes() == (tmp_path / "planned" / "winner.tflite").read_bytes()


def test_a_budget_that_is_spent_before_training_begins_is_one_line(config: RunConfig, tmp_path: Path) -> None:
    short = config.model_copy(update={"budget": config.budget.model_copy(update={"minutes": 1e-3})})
    with pytest.raises(UsageError, match=r"\[budget\] minutes = 0.001: \d+ s went by before anything was trained"):
        run_pipeline(short, tmp_path / "run")


def test_a_measured_step_takes_time(config: RunConfig) -> None:
    """Without a stand-in: what is measured is positive and grows with the batch."""
    data = load_dataset(config.data.dataset, held_out=40, seed=0)
    graph = build_graph(plain_cnn_architecture(16, 16, data.train.images.shape[3], 4), DType.FLOAT32)
    context: Any = SimpleNamespace(config=config, data=data)
    small, large = (_plan.seconds_per_step(context, [graph], batch) for batch in (4, 64))
    assert 0 < small < large


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ("", {"supernet": 1500, "finetune": 1000, "quantization": 300}),
        ('[quantization]\nmethod = "ptq"\n', {"supernet": 1500, "finetune": 1000}),
        ('[search]\nevaluator = "macs"\n', {"finetune": 1000, "quantization": 300}),
        ('[search]\nmethod = "gradient"\n', {"supernet": 1500, "finetune": 1000, "quantization": 300}),
        (
            '[search]\nevaluator = "training"\n[finetune]\nweights = "evaluation"\n[ruler]\nnetworks = 8\n',
            {"evaluation": 300, "ruler": 1500, "quantization": 300},
        ),
        (
            '[search]\nevaluator = "macs"\n[finetune]\nweights = "supernet"\n',
            {"supernet": 1500, "finetune": 1000, "quantization": 300},
        ),
    ],
)
def test_what_a_run_trains_is_what_is_planned(changes: str, expected: dict[str, int], tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(f'board = "nucleo-f303k8"\n[data]\ndataset = "fashion-mnist"\n{changes}')
    config = load_config(path)
    assert steps_of(config) == expected
    assert {work.steps for work in works_of(config)} == set(expected)
    doubled = {name: 2 * number for name, number in expected.items()}
    assert steps_of(with_steps(config, doubled)) == doubled


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read plan"),
        ("no JSON", "cannot read plan"),
        ("[]", "is no plan: give the plan.json"),
        ('{"steps": {"finetune": 0}}', "is no plan: give the plan.json"),
        ('{"steps": {"finetune": 5}}', "plans finetune, and this run trains evaluation, finetune, quantization"),
    ],
)
def test_a_file_that_is_no_plan_of_this_run_is_refused(
    content: str | None, message: str, config: RunConfig, tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=message):
        read_plan(path, config)
