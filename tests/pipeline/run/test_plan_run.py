"""Runs within a budget of minutes: what they train is what was planned, and a plan that is made is kept."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from run_processes import comparable, journal
from tiny_data import TINY_MEASUREMENTS, TINY_TASK, write_tiny_data

from tinynas.cli import main
from tinynas.errors import UsageError
from tinynas.pipeline import load_config, run_pipeline
from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.run import steps_of
from tinynas.pipeline.run.storage import RunDirectory

pytest.importorskip("torch")

from tinynas.pipeline.run.stages import _execute, _plan, _ruler
from tinynas.pipeline.run.stages._work import works_of

CONFIG = f"""{TINY_TASK}[budget]
minutes = 4
[search]
strategy = "successive-halving"
evaluator = "training"
evaluator_options = {{ steps = 80, batch_size = 8, fidelities = [0.5, 1.0] }}
evaluations = 4
rounds = 1
top_candidates = 1
[ruler]
networks = 4
groups = 2
steps = 120
seeds = 2
[finetune]
steps = 60
batch_size = 16
[baselines]
train = ["plain-cnn"]
[quantization]
method = "qat"
steps = 40
calibration_images = 32
{TINY_MEASUREMENTS}"""
SECONDS = 1800  # of all trainings, at so many steps: ten times what is left of four minutes
PLANNED = {"evaluation": 8, "ruler": 12, "finetune": 6, "quantization": 4}


class Killed(BaseException):
    """As a process that is killed: nothing catches it."""


class Watcher(SilentProgress):
    """Notes how long each work is, and kills the run where one begins."""

    def __init__(self, kill_at: str = "") -> None:
        self.totals: dict[str, int] = {}
        self._kill_at = kill_at

    def begin(self, title: str, total: int) -> None:
        if title == self._kill_at:
            raise Killed
        self.totals[title] = total


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("config")
    write_tiny_data(folder / "tiny.npz", side=16)
    (folder / "tiny.toml").write_text(CONFIG)
    return folder / "tiny.toml"


@pytest.fixture(scope="module")
def finished(config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Watcher]:
    """A run that was killed after its plan, and continued; steps take so long, whatever they take here."""
    settings, out, watcher = load_config(config), tmp_path_factory.mktemp("finished") / "run", Watcher()
    steps = steps_of(settings)
    each = SECONDS / sum(steps[work.steps] * work.networks for work in works_of(settings))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinynas.pipeline.run._run.available_processors", lambda: 1)
        patch.setattr(_plan, "seconds_per_step", lambda context, chosen, search: dict.fromkeys(steps, each))
        patch.setattr(RunDirectory, "spent_seconds", lambda self: 0.0)
        with pytest.raises(Killed):
            run_pipeline(settings, out, progress=Watcher("ruler"))
        patch.setattr(_plan, "seconds_per_step", None)  # nothing is measured again
        # Whatever the test of the evaluator says, the search is by it.
        test = _ruler.trusted_evaluator
        patch.setattr(_execute, "trusted_evaluator", lambda *given: test(*given) and None)
        run_pipeline(settings, out, progress=watcher)
    return out, watcher


def trained(records: list[dict[str, Any]]) -> int:
    """The steps of evaluations."""
    return sum(record["details"]["steps"] * len(record["details"]["accuracies"]) for record in records)


def test_the_plan_fills_the_minutes(config: Path, finished: tuple[Path, Watcher]) -> None:
    plan = json.loads((finished[0] / "plan.json").read_text())
    assert plan["steps"] == PLANNED
    assert plan["factor"] == pytest.approx(0.1)
    assert json.loads((finished[0] / "result.json").read_text())["plan"] == plan
    assert sum(record.get("work") == "plan" for record in journal(finished[0])) == 1


def test_a_run_trains_what_was_planned(config: Path, finished: tuple[Path, Watcher]) -> None:
    """Networks that two searches ask for are trained once: they are counted as often as they were asked for."""
    out, watcher = finished
    planned: Counter[str] = Counter()
    for work in works_of(load_config(config)):
        planned[work.steps] += round(PLANNED[work.steps] * work.networks)
    records = journal(out)
    evaluations = [record for record in records if record["kind"] == "evaluation"]
    longer = evaluations[7]["key"]  # four networks are scored by the evaluator, then these four are trained longer
    own = [record for record in evaluations if record["key"] != longer]
    assert trained([record for record in evaluations if record["key"] == longer]) == planned["ruler"]
    entries = json.loads((out / "search.json").read_text())["entries"]
    assert {entry["origin"] for entry in entries} == {"successive-halving", "random"}
    asked = Counter((tuple(entry["genotype"]), entry["fidelity"]) for entry in entries)
    tested = [(tuple(record["genotype"]), record["fidelity"]) for record in own[:4]]
    assert {(tuple(record["genotype"]), record["fidelity"]) for record in own} == {*asked, *tested}
    assert trained(own) == sum(round(8 * fidelity) for _, fidelity in {*asked, *tested})
    steps = trained(own[:4]) + sum(round(8 * fidelity) * count for (_, fidelity), count in asked.items())
    assert planned["evaluation"] <= steps <= planned["evaluation"] + 4  # the last halving may begin within the budget
    finetuned = [r["result"]["steps"] for r in records if str(r.get("work")).startswith("train ")]
    assert sum(finetuned) == planned["finetune"]
    quantized = [total for title, total in watcher.totals.items() if title.startswith("quantize ")]
    assert sum(quantized) == planned["quantization"]


def test_the_report_says_how_to_repeat_it(finished: tuple[Path, Watcher]) -> None:
    page = (finished[0] / "report.html").read_text()
    assert "tinynas run CONFIG.toml --seed 0 --plan plan.json" in page
    assert "evaluation 8, ruler 12, finetune 6, quantization 4" in page


def exit_code(*words: str) -> int:
    with pytest.raises(SystemExit) as done:
        main([*words, "--json"])
    return int(done.value.code or 0)


def test_the_command_takes_the_same_steps_elsewhere(
    config: Path,
    finished: tuple[Path, Watcher],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without minutes in the configuration, and in another folder."""
    monkeypatch.setattr("tinynas.pipeline.run._run.available_processors", lambda: 1)
    monkeypatch.setattr(_plan, "seconds_per_step", None)
    test = _ruler.trusted_evaluator
    monkeypatch.setattr(_execute, "trusted_evaluator", lambda *given: test(*given) and None)
    write_tiny_data(tmp_path / "tiny.npz", side=16)
    (tmp_path / "other.toml").write_text(CONFIG.replace("minutes = 4", ""))
    out, plan = tmp_path / "run", finished[0] / "plan.json"
    words = ("run", str(tmp_path / "other.toml"), "--out", str(out), "--plan", str(plan))
    assert exit_code(*words) == 0
    result = json.loads(capsys.readouterr().out)
    first = json.loads((finished[0] / "result.json").read_text())
    assert result["plan"] == {"steps": PLANNED, "configuration": first["plan"]["configuration"]}
    elsewhere = {"plan": None, "dataset": None}
    assert {**comparable(result), **elsewhere} == {**comparable(first), **elsewhere}
    assert (out / "winner.tflite").read_bytes() == (finished[0] / "winner.tflite").read_bytes()
    assert exit_code(*words[:-2], "--plan", str(out / "plan.json")) == 0  # the same plan, by another name
    capsys.readouterr()
    assert exit_code(*words[:-2]) == 2
    assert 'was started with --plan = "evaluation 8, ruler 12' in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize("plan", ["absent.json", "tiny.toml"])
def test_what_is_no_plan_ends_the_command_with_2_and_one_line(
    plan: str, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config.parent / plan
    assert exit_code("run", str(config), "--out", str(tmp_path / "run"), "--plan", str(path)) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"].count(str(path)) == 1
    assert not (tmp_path / "run").exists()


def test_the_plan_of_another_configuration_begins_no_run(
    config: Path, finished: tuple[Path, Watcher], tmp_path: Path
) -> None:
    other = config.with_name("other.toml")
    other.write_text(CONFIG.replace("evaluations = 4", "evaluations = 5"))
    with pytest.raises(UsageError, match="a plan of another configuration"):
        run_pipeline(load_config(other), tmp_path / "run", plan=finished[0] / "plan.json")
    assert not (tmp_path / "run").exists()
