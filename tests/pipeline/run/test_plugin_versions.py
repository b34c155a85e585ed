"""The versions of plugins belong to the identity of a run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tinynas import plugins
from tinynas.evaluation import _registry as evaluators
from tinynas.pipeline.run import RunConfig
from tinynas.pipeline.run._run import plugin_versions
from tinynas.pipeline.run.storage import RunDirectory, RunDirectoryError
from tinynas.search import _registry as strategies
from tinynas.spaces import _kinds as kinds
from tinynas.spaces import _load as spaces
from tinynas.spaces import load_space

MODULE = """
from tinynas.evaluation import EvaluatorSpec, build_evaluator
from tinynas.search import RandomSearch, StrategySpec
from tinynas.spaces import BlockKind, parse_space

STRATEGY = StrategySpec("dice", "a strategy", RandomSearch)
COUNTED = EvaluatorSpec("counted", "an evaluator", lambda task, options: build_evaluator("macs", task))

def build(builder, x, block):
    return builder.conv_2d(x, block.parameter("out_channels"), 1, stride=block.parameter("stride"), name=block.name)

KIND = BlockKind("pointwise", build, description="a block kind")

def space():
    return parse_space(TEXT.replace("of-a-file", "of-a-plugin"))

TEXT = '''
name = "of-a-file"
description = "a space"
width_multipliers = [1.0]
resolutions = [16]
[stem]
width = 8
[[stages]]
block = "pointwise"
width = 8
choices = {}
'''
"""

ENTRY_POINTS = {
    "a-strategy": "[tinynas.strategies]\ndice = of_all_kinds:STRATEGY\n",
    "an-evaluator": "[tinynas.evaluators]\ncounted = of_all_kinds:COUNTED\n",
    "a-kind": "[tinynas.block_kinds]\npointwise = of_all_kinds:KIND\n",
    "a-space": "[tinynas.spaces]\nof-a-plugin = of_all_kinds:space\n",
}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Installs a distribution for each kind of plugin, in one version."""
    (tmp_path / "of_all_kinds.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)

    def forget() -> None:
        plugins._entry_points.cache_clear()
        for of in (evaluators._EVALUATORS._plugins, strategies._STRATEGIES._plugins, kinds._BLOCK_KINDS._plugins):
            of._loaded.clear()
        spaces._PLUGINS._loaded.clear()
        sys.modules.pop("of_all_kinds", None)

    def installed(version: str) -> None:
        for name, entry_points in ENTRY_POINTS.items():
            info = tmp_path / f"{name.replace('-', '_')}.dist-info"
            info.mkdir(exist_ok=True)
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            (info / "entry_points.txt").write_text(entry_points)
        forget()

    yield installed
    monkeypatch.undo()
    forget()


def versions(space: str = "mobile-tiny", **search: object) -> dict[str, str]:
    config = RunConfig.model_validate(
        {"board": "virt-m4", "data": {"dataset": "own"}, "space": {"name": space}, "search": search}
    )
    return plugin_versions(config, load_space(space))


def test_only_plugins_that_a_run_uses_count(install: Callable[[str], None], tmp_path: Path) -> None:
    install("1.0")
    assert versions() == {}
    assert versions(strategy="dice") == {"a-strategy": "1.0"}
    assert versions(evaluator="counted") == {"an-evaluator": "1.0"}
    asking = {"over": "counted", "samples": 4}
    assert versions(evaluator="predictor", evaluator_options=asking) == {"an-evaluator": "1.0"}
    asking = {"over": "predictor", "over_options": {"over": "macs", "features": ["counted"]}}
    assert versions(evaluator="predictor", evaluator_options=asking) == {"an-evaluator": "1.0"}
    assert versions("of-a-plugin") == {"a-space": "1.0", "a-kind": "1.0"}
    text = sys.modules["of_all_kinds"].TEXT
    (tmp_path / "space.toml").write_text(text)
    assert versions(str(tmp_path / "space.toml")) == {"a-kind": "1.0"}


def test_a_run_does_not_continue_with_another_version(install: Callable[[str], None], tmp_path: Path) -> None:
    install("1.0")
    with RunDirectory(tmp_path / "run", {"plugins": versions(strategy="dice")}):
        pass
    install("1.1")
    with (
        pytest.raises(RunDirectoryError, match=r'plugins\.a-strategy = "1\.0", now it is "1\.1": undo'),
        RunDirectory(tmp_path / "run", {"plugins": versions(strategy="dice")}),
    ):
        pass
