"""Whole runs of the gradient method, and of an evaluator that looks at no shared weights: to a verified winner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_data import TINY_MEASUREMENTS, TINY_TASK, write_tiny_data

from tinynas.pipeline import run_pipeline
from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.run import load_config

pytest.importorskip("torch")

pytestmark = pytest.mark.slow

CONFIG = f"""{TINY_TASK}[supernet]
steps = 10
batch_size = 16
[search]
SEARCH
evaluations = 5
rounds = 2
top_candidates = 1
[limits]
instructions = 2_000_000
[finetune]
steps = 4
batch_size = 16
[baselines]
train = ["random"]
[quantization]
method = "qat"
steps = 3
calibration_images = 32
{TINY_MEASUREMENTS}"""


GRADIENT = """
method = "gradient"
validation_images = 40
recalibration_images = 32
"""


class Killed(BaseException):
    """As a process that is killed: nothing catches it."""


class KilledAt(SilentProgress):
    """Kills the run when the work of that title has done so many units."""

    def __init__(self, title: str, completed: int) -> None:
        self._at, self._now = (title, completed), ""

    def begin(self, title: str, total: int) -> None:
        self._now = title

    def advance(self, completed: int, note: str = "") -> None:
        if (self._now, completed) == self._at:
            raise Killed


def run(folder: Path, search: str, out: str, progress: SilentProgress | None = None) -> dict[str, Any]:
    write_tiny_data(folder / "tiny.npz", side=16)
    config = folder / "tiny.toml"
    config.write_text(CONFIG.replace("SEARCH", search))
    return run_pipeline(load_config(config), folder / out, progress=progress)


def entries(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "search.json").read_text())["entries"]
    return found


def test_a_gradient_search_ends_with_a_verified_winner_and_killed_with_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tinynas.training._checkpoint import CheckpointClock

    monkeypatch.setattr(CheckpointClock, "due", lambda self: True)
    for title, completed in (("gradient", 6), ("search, round 1", 2)):
        with pytest.raises(Killed):
            run(tmp_path, GRADIENT, "killed", KilledAt(title, completed))
    results = [run(tmp_path, GRADIENT, out) for out in ("killed", "undisturbed")]
    for name in ("winner.tflite", "search.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()
    assert results[0]["winner"] == results[1]["winner"]
    winner = results[0]["winner"]
    assert winner["images_compared"] == 3
    assert winner["latency"] <= 2_000_000
    assert results[0]["evaluator"] == "supernet"
    assert not (tmp_path / "killed" / "supernet.pt").exists()  # the weights are the method's own
    search = json.loads((tmp_path / "killed" / "search.json").read_text())
    assert (search["method"], search["strategy"]) == ("gradient", "gradient")
    assert all(sum(values.values()) == pytest.approx(1) for values in search["learned"].values())
    found = entries(tmp_path / "killed")
    assert [sum(entry["origin"] == origin for entry in found) for origin in ("gradient", "random")] == [5, 5]
    assert len({(entry["origin"], tuple(entry["genotype"])) for entry in found}) == len(found)


def test_an_evaluator_that_looks_at_no_weights_ends_with_a_verified_winner_and_no_supernet(tmp_path: Path) -> None:
    result = run(tmp_path, 'evaluator = "macs"', "run")
    assert result["winner"]["images_compared"] == 3
    assert result["evaluator"] == "macs"
    assert result["evaluator_is_accuracy"] is False
    assert not (tmp_path / "run" / "supernet.pt").exists()
