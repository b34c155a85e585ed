"""Every strategy by its name, from a configuration to a verified winner; killed on the way, to the same one.

Calibration and supernet are the same for all of them and made once: each strategy goes on from a copy. That a copy goes
on as a run from the beginning does is checked for one of them; the others' own beginning is in `test_resume.py`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_processes import comparable, finish, journal, run_until_record

from tinynas.pipeline.run import load_config
from tinynas.search import strategy, strategy_names

pytestmark = pytest.mark.slow

# 42 networks: few enough for grid search, more than the others ask for.
SPACE = """
name = "handful"
description = "networks that take milliseconds"
channel_divisor = 4
width_multipliers = [1.0]
resolutions = [16]
[stem]
width = 8
stride = 2
parameters = { kernel = 3 }
[[stages]]
width = 8
stride = 2
depth = [1, 2]
choices = { kernel = [3, 5], expansion = [1, 2, 3] }
[head]
block = "classifier"
"""
NETWORKS = 42

CONFIG = """
board = "nucleo-f303k8"
[data]
dataset = "./noisy.npz"
holdout = 40
[space]
name = "./handful.toml"
samples = 5
[supernet]
steps = 8
batch_size = 16
[search]
strategy = "STRATEGY"
options = OPTIONS
evaluator = "EVALUATOR"
evaluator_options = EVALUATOR_OPTIONS
evaluations = EVALUATIONS
rounds = 2
top_candidates = 1
validation_images = 40
recalibration_images = 32
[finetune]
FINETUNE
[baselines]
train = BASELINES
[quantization]
calibration_images = 32
[measure]
calibration_networks = 2
images = 3
"""

# So that a strategy is past its first random networks within the budget; one that is not named here has its defaults.
OPTIONS = {
    **dict.fromkeys(("evolution", "aging-evolution", "nsga2"), "{ population = 4 }"),
    "local-search": "{ initial = 3 }",
    "gaussian-process": "{ initial = 4 }",
    "tpe": "{ initial = 4 }",
    "predictor": "{ initial = 4, batch = 2 }",
    "train-and-rank": "{ train = 6 }",
    "reinforce": "{ hidden = 8, batch = 3 }",
}

SHORT_TRAININGS = "{ steps = 6, batch_size = 16, fidelities = [0.34, 1.0] }"
KEPT = "training, whose weights are kept"
OVER_FIDELITIES = [name for name in strategy_names() if strategy(name).chooses_fidelities]
CASES = [
    *((name, "supernet") for name in strategy_names()),
    *((name, "training") for name in OVER_FIDELITIES),
    ("predictor-halving", KEPT),
]


def write_config(folder: Path, name: str, evaluator: str) -> Path:
    """The configuration with a strategy and an evaluator."""
    values = {
        "EVALUATOR_OPTIONS": "{}" if evaluator == "supernet" else SHORT_TRAININGS,
        "EVALUATOR": evaluator.split(",")[0],
        "FINETUNE": 'weights = "evaluation"' if evaluator == KEPT else "steps = 4",
        "BASELINES": '["plain-cnn"]' if evaluator == KEPT else "[]",
        "EVALUATIONS": str(NETWORKS if name == "grid" else 12),
        "OPTIONS": OPTIONS.get(name, "{}"),
        "STRATEGY": name,
    }
    text = CONFIG
    for word, value in values.items():
        text = text.replace(word, value)
    path = folder / f"{name}-{CASES.index((name, evaluator))}.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Space and data of all configurations: three classes whose brightness differs by less than the noise."""
    pytest.importorskip("torch")
    made = tmp_path_factory.mktemp("strategies")
    (made / "handful.toml").write_text(SPACE)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    images = (rng.integers(0, 200, (200, 16, 16)) + 12 * labels[:, None, None]).astype(np.uint8)
    np.savez(made / "noisy.npz", x_train=images[:160], y_train=labels[:160], x_test=images[160:], y_test=labels[160:])
    return made


@pytest.fixture(scope="module")
def searchless(folder: Path) -> Path:
    """A run directory as it is when the supernet is trained and nothing was searched: no strategy has a part in it."""
    out = folder / "searchless"
    config = write_config(folder, "random", "supernet")
    whole = folder / "whole"
    result = finish(config, whole)
    works = [record.get("work") for record in journal(whole)]
    run_until_record(config, out, works.index("supernet") + 1)
    assert journal(out)[-1]["work"] == "supernet"
    assert comparable(result) == comparable(finish(config, begin(config, out, folder / "continued")))
    return out


def begin(config: Path, searchless: Path, out: Path) -> Path:
    """A run directory of `config` that has everything but the search, as if it had been started with `config`."""
    shutil.copytree(searchless, out)
    started, *rest = (out / "journal.jsonl").read_text().splitlines()
    record = json.loads(started)
    assert record["kind"] == "started"
    given = load_config(config).model_dump(mode="json")
    record["identity"]["config"] |= {part: given[part] for part in ("search", "finetune", "baselines")}
    (out / "journal.jsonl").write_text("\n".join([json.dumps(record), *rest]) + "\n")
    return out


@pytest.mark.parametrize(("name", "evaluator"), CASES)
def test_killed_or_not_a_run_ends_with_the_same_verified_winner(
    name: str, evaluator: str, folder: Path, searchless: Path, tmp_path: Path
) -> None:
    """Killed three times, as soon as drawn records were written."""
    config = write_config(folder, name, evaluator)
    whole = begin(config, searchless, tmp_path / "whole")
    result = finish(config, whole)
    check_verified(name, result, whole)
    before, after = len(journal(searchless)), len(journal(whole))
    killed = begin(config, searchless, tmp_path / "killed")
    rng = np.random.default_rng(list(f"{name} {evaluator}".encode()))
    left = after - before
    for part in (3, 2, 1):  # of what is left of the run, one in each third
        records = int(rng.integers(2, max(3, left // part)))
        run_until_record(config, killed, records)
        left -= records - 1  # each process notes that it continued
    assert comparable(finish(config, killed)) == comparable(result)
    for file in ("search.json", "winner.tflite", "winner/c/model.c", "latency/model-2.json"):
        assert (killed / file).read_bytes() == (whole / file).read_bytes(), file
    finished = [record["work"] for record in journal(killed) if record["kind"] == "finished"]
    assert finished == [record["work"] for record in journal(whole) if record["kind"] == "finished"]
    asked = [(*record["genotype"], record["fidelity"]) for record in journal(killed) if record["kind"] == "evaluation"]
    assert len(asked) == len(set(asked)), "a network was scored twice"


def check_verified(name: str, result: dict[str, Any], out: Path) -> None:
    """The winner was found by the strategy, built, run, and equal to the reference."""
    assert result["winner"]["label"] == f"winner ({name})"
    assert result["winner"]["images_compared"] == 3
    assert result["verdicts"]["networks"] == result["verdicts"]["agree"]
    search = json.loads((out / "search.json").read_text())
    mine = [entry for entry in search["entries"] if entry["origin"] == name]
    assert result["winner"]["genotype"] in [entry["genotype"] for entry in mine if entry["fidelity"] == 1]
    if search["evaluator"] == "training":
        assert {entry["fidelity"] for entry in mine} == {0.34, 1.0}
    if name == "grid":
        assert len({tuple(entry["genotype"]) for entry in mine}) == len(mine) == NETWORKS
