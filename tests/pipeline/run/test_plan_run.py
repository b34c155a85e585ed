"""Runs within a budget of minutes: what they train is what was planned, and a plan that is made is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_processes import comparable, journal
from tiny_data import TINY_MEASUREMENTS, TINY_TASK, write_tiny_data

from tinynas.cli import main
from tinynas.pipeline import load_config, run_pipeline
from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.run import RunConfig, steps_of
from tinynas.pipeline.run.storage import RunDirectory

pytest.importorskip("torch")

from tinynas.pipeline.run.stages import _plan
from tinynas.pipeline.run.stages._work import works_of

CONFIG = f"""{TINY_TASK}[budget]
minutes = 30
[search]
strategy = "successive-halving"
evaluator = "training"
evaluator_options = {{ steps = 8, batch_size = 8, fidelities = [0.5, 1.0] }}
evaluations = 6
rounds = 1
top_candidates = 1
[ruler]
networks = 4
groups = 2
steps = 12
seeds = 2
[finetune]
steps = 6
batch_size = 16
[baselines]
train = ["random"]
[quantization]
steps = 4
calibration_images = 32
{TINY_MEASUREMENTS}"""


class Killed(BaseException):
    """As a process that is killed: nothing catches it."""


class Watcher(SilentProgress):
    """Notes how long each work is, and kills the run when one begins."""

    def __init__(self, kill_at: str | None = None) -> None:
        self.totals: dict[str, int] = {}
        self._kill_at = kill_at

    def begin(self, title: str, total: int) -> None:
        if title == self._kill_at:
            raise Killed
        self.totals[title] = total


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_tiny_data(tmp_path / "tiny.npz", side=16)
    (tmp_path / "tiny.toml").write_text(CONFIG)
    return tmp_path / "tiny.toml"


@pytest.fixture
def takes(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunConfig, float], None]:
    """Says how many seconds all trainings take, by one processor, whatever they take here."""

    def set_seconds(config: RunConfig, seconds: float) -> None:
        steps = steps_of(config)
        each = seconds / sum(steps[work.steps] * work.networks for work in works_of(config))
        monkeypatch.setattr(_plan, "seconds_per_step", lambda context, chosen, search: dict.fromkeys(steps, each))
        monkeypatch.setattr(RunDirectory, "spent_seconds", lambda self: 0.0)
        monkeypatch.setattr("tinynas.pipeline.run._run.available_processors", lambda: 1)

    return set_seconds


def trained(out: Path, watcher: Watcher) -> dict[str, int]:
    """The steps that a run took in all, by what they were steps of."""
    records = journal(out)
    ruler = next(i for i, record in enumerate(records) if record.get("work") == "ruler")
    by_key: dict[str, int] = {}
    for record in records:
        if record["kind"] == "evaluation":
            by_key[record["key"]] = by_key.get(record["key"], 0) + record["details"].get("steps", 0) * len(record["details"].get("accuracies", ()))
    truth = records[ruler - 1]["key"]
    return {
        "ruler": by_key.pop(truth),
        "evaluation": sum(by_key.values()),
        "finetune": sum(r["result"]["steps"] for r in records if str(r.get("work")).startswith("train ")),
        "quantization": sum(total for title, total in watcher.totals.items() if title.startswith("quantize ")),
    }


def test_x(path: Path, takes: Any, tmp_path: Path) -> None:
    config = load_config(path)
    takes(config, 1800*.75)
    watcher = Watcher()
    result = run_pipeline(config, tmp_path / "run", progress=watcher)
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    print(plan)
    print(trained(tmp_path / "run", watcher))
    for w in works_of(config): print(w, plan["steps"][w.steps]*w.networks)
    for r in journal(tmp_path / "run"):
        if r["kind"]=="evaluation": print(r["evaluator"], r["key"][:6], r["fidelity"], r["details"], r["genotype"])
    for e in json.loads((tmp_path / "run" / "search.json").read_text())["entries"]: print(e["origin"], e["fidelity"], e["genotype"])
    print({r["work"]:r["seconds"] for r in journal(tmp_path / "run") if "work" in r})
    assert 0
