"""The example of a plugin, installed as a user would: what it adds is listed, keeps its contracts, and runs by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

_PLUGIN = Path(__file__).parents[2] / "examples" / "plugin"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables of a process in which the plugin is installed."""
    folder = tmp_path_factory.mktemp("plugin")
    source, installed = folder / "source", folder / "installed"
    shutil.copytree(_PLUGIN, source, ignore=shutil.ignore_patterns("__pycache__"))
    words = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(installed)]
    subprocess.run([sys.executable, "-m", *words, str(source)], check=True)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *sys.path])}


# Budgets too small for a good network; the three names are the plugin's.
_CONFIG = """
board = "nucleo-f303k8"
[data]
dataset = "./noise.npz"
holdout = 20
[space]
name = "pooled-tiny"
widths = [0.5]
resolutions = [16]
samples = 5
[supernet]
steps = 2
batch_size = 16
[search]
strategy = "annealing"
options = { temperature = 0.1 }
evaluator = "entropy"
evaluator_options = { depthwise = false }
evaluations = 6
rounds = 1
top_candidates = 1
[finetune]
steps = 2
batch_size = 16
[baselines]
train = []
[quantization]
calibration_images = 16
[measure]
calibration_networks = 2
images = 2
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration of a run, and images of noise beside it."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (100, 16, 16)).astype(np.uint8), np.arange(100) % 2
    np.savez(tmp_path / "noise.npz", x_train=images[:80], y_train=labels[:80], x_test=images[80:], y_test=labels[80:])
    path = tmp_path / "run.toml"
    path.write_text(_CONFIG)
    return path


def _process(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from tinynas.cli import main; main()", *words]
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True)


def _tinynas(environment: dict[str, str], *words: str) -> str:
    done = _process(environment, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_it_adds_is_listed_with_its_source(environment: dict[str, str]) -> None:
    listed = json.loads(_tinynas(environment, "list", "--json"))
    mine = [
        (family, part["name"], part["kind"])
        for family, parts in listed.items()
        for part in parts
        if part["source"] == "tinynas-example-plugin"
    ]
    assert mine == [
        ("strategies", "annealing", "strategy"),
        ("evaluators", "entropy", "evaluator"),
        ("spaces", "pooled-tiny", "space"),
        ("block-kinds", "pooled", "block kind"),
        ("operators", "EXP", "operator"),
    ]
    assert "max pooling, then a convolution" in _tinynas(environment, "list", "block-kinds")


def test_it_keeps_the_contracts(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(_PLUGIN / "tests")]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stdout
    assert " failed" not in done.stdout


def test_its_strategy_searches_its_space(environment: dict[str, str]) -> None:
    program = """
from tinynas.search import SearchProblem, build_strategy
from tinynas.spaces import load_space

space = load_space("pooled-tiny")
strategy = build_strategy("annealing", SearchProblem(space, lambda g: (), 12), 0, {"temperature": 0.1})
for _ in range(12):
    trial = strategy.ask()
    strategy.tell(trial, float(sum(trial.genotype)))
print(len(strategy.scored))
"""
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "12"


def test_its_evaluator_is_asked_by_name(environment: dict[str, str]) -> None:
    program = """
import numpy as np
from tinynas.evaluation import EvaluationTask, build_evaluator
from tinynas.spaces import load_space
from tinynas.training import Split

space, images = load_space("pooled-tiny"), Split(np.zeros((2, 16, 16, 1), np.uint8), np.zeros(2, np.int64))
task = EvaluationTask(space, width=1.0, resolution=16, train=images, validation=images, classes=2)
small, large = build_evaluator("entropy", task).evaluate([space.smallest(), space.largest()])
print(small.value < large.value)
"""
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "True"


def test_its_operator_is_read_executed_and_measured(environment: dict[str, str], tmp_path: Path) -> None:
    program = f"""
from dataclasses import replace
import numpy as np
from tinynas.formats import read_tflite, write_tflite
from tinynas.graph import DType, GraphBuilder, OpKind, Quantization, execute
from tinynas.graph.passes import simplified

builder = GraphBuilder("exp", DType.INT8)
(y,) = builder.operator(OpKind.EXP, [builder.input((1, 2, 2, 1))], OpKind.EXP.spec.attributes(), name="exp")
graph = builder.build([y])
scales = (Quantization((0.5,), (0,)), Quantization((0.125,), (-128,)))
tensors = tuple(replace(t, quantization=q) for t, q in zip(graph.tensors, scales))
write_tflite(replace(graph, tensors=tensors), {str(tmp_path / "exp.tflite")!r})
network = simplified(read_tflite({str(tmp_path / "exp.tflite")!r}))
print(execute(network, [np.array([[[[-2], [0]], [[2], [4]]]], np.int8)])[1].reshape(-1).tolist())
"""
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
    # exp(-1), exp(0), exp(1) and exp(2) in steps of 1/8 above -128: 2.9, 8, 21.7 and 59.1.
    assert done.stdout.strip() == "[-125, -120, -106, -69]"
    measured = json.loads(
        _tinynas(environment, "measure", str(tmp_path / "exp.tflite"), "--board", "virt-m4", "--virtual", "--json")
    )
    assert (measured["matches_reference"], [layer["kind"] for layer in measured["layers"]]) == (True, ["EXP"])
    without_it = environment | {"PYTHONPATH": os.pathsep.join(sys.path)}
    unread = _process(without_it, "inspect", str(tmp_path / "exp.tflite"), "--board", "virt-m4")
    assert "not supported: EXP (1)" in unread.stderr


def test_a_wrong_option_of_its_evaluator_is_one_line(environment: dict[str, str], config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace("depthwise = false", "depth = false"))
    done = _process(environment, "run", str(config), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "search: options of evaluator 'entropy': unknown key 'depth'; did you mean 'depthwise'?" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_run_of_its_parts_ends_with_a_verified_winner(
    environment: dict[str, str], config: Path, tmp_path: Path
) -> None:
    result = json.loads(_tinynas(environment, "run", str(config), "--out", str(tmp_path / "out"), "--json"))
    winner = result["winner"]
    assert winner["label"] == "winner (annealing)"
    assert winner["images_compared"] == 2
    assert {block["kind"] for block in winner["blocks"]} >= {"pooled"}
    assert result["verdicts"]["networks"] == result["verdicts"]["agree"]
    assert (result["evaluator"], result["evaluator_is_accuracy"]) == ("entropy", False)
    search = json.loads((tmp_path / "out" / "search.json").read_text())
    asked = [entry["score"] for entry in search["entries"] if entry["origin"] == "annealing"]
    assert winner["shared_accuracy"] in asked
