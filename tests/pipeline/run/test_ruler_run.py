"""A run that tests its evaluator: killed in the middle of the test, and left to counting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from run_processes import comparable, finish, journal, run_until_record
from tiny_data import TINY_MEASUREMENTS, TINY_TASK, write_tiny_data

from tinynas.pipeline import load_config, run_pipeline, write_report

pytest.importorskip("torch")

from tinynas.pipeline.run.stages import _ruler

CONFIG = f"""{TINY_TASK}[search]
strategy = "evolution"
evaluator = "EVALUATOR"
evaluations = 4
population = 2
rounds = 1
top_candidates = 1
[ruler]
networks = 4
groups = 2
steps = 6
seeds = 1
[finetune]
steps = 4
batch_size = 16
[baselines]
random_search = false
train = []
[quantization]
method = "ptq"
calibration_images = 32
{TINY_MEASUREMENTS}"""


def write_config(folder: Path, evaluator: str) -> Path:
    write_tiny_data(folder / "tiny.npz", side=16)
    path = folder / "tiny.toml"
    path.write_text(CONFIG.replace("EVALUATOR", evaluator))
    return path


@pytest.mark.slow
def test_killed_in_the_middle_of_the_test_it_ends_the_same(tmp_path: Path) -> None:
    config = write_config(tmp_path, "synflow")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    result = finish(config, whole)
    records = journal(whole)
    tested = next(i for i, record in enumerate(records) if record.get("work") == "ruler")
    run_until_record(config, killed, tested - 1)
    assert journal(killed)[-1]["kind"] == "evaluation"
    assert comparable(finish(config, killed)) == comparable(result)
    assert (killed / "ruler.json").read_bytes() == (whole / "ruler.json").read_bytes()
    ruler = result["ruler"]
    assert ruler == json.loads((whole / "ruler.json").read_text())
    assert set(ruler["agreement"]) == {"synflow", "macs", "parameters"}
    assert result["evaluator"] == ruler["used"]
    assert result["evaluator_is_accuracy"] is False
    page = write_report(whole, tmp_path / "report.html").read_text()
    assert "How well the evaluator ranks" in page
    assert "the search is by" in page


def test_an_evaluator_that_does_not_beat_counting_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the trainings say here: nothing is better than counting."""
    config = write_config(tmp_path, "synflow")
    monkeypatch.setattr(_ruler, "_decisive", lambda found: 0.0)
    out = tmp_path / "run"
    result = run_pipeline(load_config(config), out)
    assert result["ruler"]["used"] == result["evaluator"] == "macs"
    records = journal(out)
    tested = next(i for i, record in enumerate(records) if record.get("work") == "ruler")
    assert {r["evaluator"] for r in records[tested:] if r["kind"] == "evaluation"} == {"macs"}
    entries = json.loads((out / "search.json").read_text())["entries"]
    assert entries[0]["score"] == max(entry["score"] for entry in entries), (
        "what counting would choose is looked at first"
    )
    assert result["winner"]["genotype"] == entries[0]["genotype"]
    assert result["evaluator_is_accuracy"] is False
