"""The example of a plugin, installed as a user would: what it adds is listed, keeps its contracts, and runs by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

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


def _tinynas(environment: dict[str, str], *words: str) -> str:
    program = "from tinynas.cli import main; main()"
    command = [sys.executable, "-c", program, *words]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


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
        ("spaces", "pooled-tiny", "space"),
        ("block-kinds", "pooled", "block kind"),
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
