"""Winner and baselines over several seeds: a comparison beside the result, which stays what it is with one.

The search is the same for all runs and made once: the others go on from a copy of it.
"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from run_processes import comparable, finish, journal, run_until_record
from tiny_data import TINY_MEASUREMENTS, TINY_TASK, write_tiny_data

from tinynas.cli._run import render_result
from tinynas.confidence import Interval, difference_interval, mean_interval
from tinynas.pipeline import load_config

pytest.importorskip("torch")

CONFIG = f"""{TINY_TASK}[search]
strategy = "random"
evaluator = "training"
evaluator_options = {{ steps = 6, batch_size = 16 }}
evaluations = 3
rounds = 1
top_candidates = 1
[finetune]
FINETUNE
[baselines]
random_search = false
train = ["plain-cnn"]
seeds = SEEDS
[quantization]
method = "qat"
steps = 3
calibration_images = 32
{TINY_MEASUREMENTS}"""
RECIPES = {"finetuned": "steps = 4\nbatch_size = 16", "evaluated": 'weights = "evaluation"'}
TRAININGS = {key: [key, f"{key}-seed-2", f"{key}-seed-3"] for key in ("winner", "plain-cnn")}


def write_config(folder: Path, recipe: str, seeds: int) -> Path:
    path = folder / f"{recipe}-{seeds}.toml"
    path.write_text(CONFIG.replace("FINETUNE", RECIPES[recipe]).replace("SEEDS", str(seeds)))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("seeds")
    write_tiny_data(made / "tiny.npz", side=16)
    return made


@pytest.fixture(scope="module")
def searched(folder: Path) -> Path:
    """A run with one seed, from the beginning."""
    finish(write_config(folder, "finetuned", 1), folder / "searched")
    return folder / "searched"


def begin(config: Path, searched: Path, out: Path) -> Path:
    """A run directory as it is when the search is over, as if it had been started with `config`."""
    shutil.copytree(searched, out, ignore=shutil.ignore_patterns("winner*", "baselines", "result.json", "report.html"))
    started, *rest = journal(out)
    started["identity"]["config"] = load_config(config).model_dump(mode="json")
    rest = rest[: next(i for i, record in enumerate(rest) if record.get("work") == "train winner")]
    (out / "journal.jsonl").write_text("".join(json.dumps(record) + "\n" for record in (started, *rest)))
    return out


def works(out: Path) -> list[str]:
    return [record["work"] for record in journal(out) if record["kind"] == "finished"]


@pytest.mark.parametrize("recipe", ["finetuned", pytest.param("evaluated", marks=pytest.mark.slow)])
def test_more_seeds_are_a_comparison_beside_the_same_result(
    recipe: str, folder: Path, searched: Path, tmp_path: Path
) -> None:
    """Killed again and again, which repeats nothing."""
    single, several = (write_config(folder, recipe, seeds) for seeds in (1, 3))
    one, out = begin(single, searched, tmp_path / "one"), begin(several, searched, tmp_path / "several")
    alone = finish(single, one)
    assert alone["comparison"] is None
    assert not [work for work in works(one) if "seed" in work]
    for records in (2, 5, 5, 6):  # the first says that the process continued
        run_until_record(several, out, records)
    result = finish(several, out)
    assert len(works(out)) == len(set(works(out)))
    assert comparable(result) == {**comparable(alone), "comparison": result["comparison"]}
    for file in ("winner.tflite", "winner/c/model.c", "baselines/plain-cnn/model.tflite"):
        assert (out / file).read_bytes() == (one / file).read_bytes(), file
    assert not list((out / "checkpoints").glob("*"))
    check_comparison(result["comparison"], out)
    check_shown(result, out)


def check_comparison(comparison: dict[str, Any], out: Path) -> None:
    """The trainings differ, were tested last, and the figures are of what the journal says of them."""
    finished = {record["work"]: record["result"] for record in journal(out) if record["kind"] == "finished"}
    tests = [f"test {name}" for names in zip(*TRAININGS.values(), strict=True) for name in names]
    assert list(finished)[-7:] == [*tests, "result"]
    accuracies = {key: [finished[f"test {name}"]["int8"] for name in names] for key, names in TRAININGS.items()}
    assert (comparison["seeds"], comparison["confidence"]) == (3, 0.9)
    assert [network["key"] for network in comparison["networks"]] == list(TRAININGS)
    for network in comparison["networks"]:
        key, mine = network["key"], accuracies[network["key"]]
        assert (network["int8_accuracies"], network["diverged"]) == (mine, 0)
        assert Interval(network["mean"], network["half_width"]) == mean_interval(mine)
        first = out / ("winner.tflite" if key == "winner" else f"baselines/{key}/model.tflite")
        models = [first, *(out / "seeds" / name / "model.tflite" for name in TRAININGS[key][1:])]
        assert len({model.read_bytes() for model in models}) == 3
    lead = comparison["lead"]
    assert lead["over"] == "plain-cnn"
    assert Interval(lead["mean"], lead["half_width"]) == difference_interval(*accuracies.values())


def check_shown(result: dict[str, Any], out: Path) -> None:
    """On the last screen, and in the report."""
    console = Console(width=140, file=io.StringIO(), record=True)
    render_result(console, result)
    screen, page = console.export_text(), (out / "report.html").read_text()
    lead = result["comparison"]["lead"]
    points = f"{Interval(lead['mean'], lead['half_width']).in_percent('+')} points"
    for shown, title in ((screen, "int8 accuracy over 3 seeds"), (page, "<h2>Over 3 seeds")):
        assert title in shown
        assert points in shown
