"""Strategies by name, with options, from this package and from others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinynas import plugins
from tinynas.plugins import OWN, PluginError
from tinynas.search import (
    EvolutionarySearch,
    RandomSearch,
    SearchProblem,
    StrategyError,
    StrategySpec,
    build_strategy,
    list_strategies,
    register_strategy,
    strategy,
    strategy_names,
)
from tinynas.search import _registry as registry
from tinynas.spaces import parse_space
from tinynas.testing._strategy_landscape import STRATEGY_SPACE

PLUGIN = """
from tinynas.search import RandomSearch, StrategySpec

SPEC = StrategySpec("{name}", "a plugin", RandomSearch)
NUMBER = 7
STRANGE = StrategySpec("{name}", "options of another kind", RandomSearch, dict)
NONE = StrategySpec("{name}", "an object, no class", RandomSearch, None)
UNDESCRIBED = StrategySpec("{name}", "", RandomSearch)
NUMBERED = StrategySpec("{name}", 7, RandomSearch)
"""


def problem() -> SearchProblem:
    return SearchProblem(parse_space(STRATEGY_SPACE), lambda _: (), 10)


@pytest.fixture(autouse=True)
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry._STRATEGIES, "_members", dict(registry._STRATEGIES._members))
    monkeypatch.setattr(registry._STRATEGIES._plugins, "_loaded", {})
    plugins._entry_points.cache_clear()
    yield
    plugins._entry_points.cache_clear()


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, distribution: str, entry_points: str, code: str) -> None:
    """A distribution as an installer leaves it: metadata with entry points beside a module."""
    module = distribution.replace("-", "_")
    info = tmp_path / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tinynas.strategies]\n{entry_points}\n")
    (tmp_path / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, module, raising=False)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(StrategyError, match=r"^unknown strategy 'evolutoin'; did you mean 'evolution'\?$"):
        strategy("evolutoin")


def test_each_has_one_line_and_a_source() -> None:
    for name, description, source in list_strategies():
        assert source == OWN
        assert description
        assert "\n" not in description
        assert len(description) < 100
        assert strategy(name).description == description


def test_every_strategy_is_built_by_its_name_and_keeps_it_in_its_state() -> None:
    for name in set(strategy_names()) - {"grid"}:  # which refuses a space larger than its budget
        assert build_strategy(name, problem(), 0).state()["strategy"] == name


def test_a_strategy_without_options_takes_none() -> None:
    with pytest.raises(StrategyError, match=r"^strategy 'random' has no options, got 'population'$"):
        build_strategy("random", problem(), 0, {"population": 3})


def test_a_program_registers_its_own_but_takes_no_name() -> None:
    register_strategy(StrategySpec("mine", "my own", RandomSearch))
    assert isinstance(build_strategy("mine", problem(), 0), RandomSearch)
    with pytest.raises(StrategyError, match="the name 'mine' of a strategy is taken already"):
        register_strategy(StrategySpec("mine", "another", RandomSearch))


def test_a_plugin_runs_by_name_and_is_imported_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "good-plugin", "good = good_plugin:SPEC", PLUGIN.format(name="good"))
    assert "good" in strategy_names()
    assert "good_plugin" not in sys.modules
    assert isinstance(build_strategy("good", problem(), 0), RandomSearch)
    assert ("good", "a plugin", "good-plugin") in list_strategies()


def test_of_a_description_of_several_lines_the_first_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = PLUGIN.format(name="long").replace("a plugin", "\\n a plugin\\n\\nand its story")
    install(tmp_path, monkeypatch, "long-plugin", "long = long_plugin:SPEC", code)
    assert ("long", "a plugin", "long-plugin") in list_strategies()
    register_strategy(StrategySpec("mine", "my own\nin two lines", RandomSearch))
    assert ("mine", "my own", "this program") in list_strategies()


@pytest.mark.parametrize(
    ("target", "code", "problem_line"),
    [
        (
            "bad_plugin:SPEC",
            "import no_such_module_anywhere",
            "cannot be loaded: ModuleNotFoundError",
        ),
        ("bad_plugin:SPEC", "", "cannot be loaded: AttributeError"),
        ("bad_plugin:NUMBER", PLUGIN.format(name="bad"), "gives no StrategySpec"),
        ("bad_plugin:SPEC", PLUGIN.format(name="other"), "gives one of another name, 'other'"),
        ("bad_plugin:STRANGE", PLUGIN.format(name="bad"), "one that has options that are no class of StrategyOptions"),
        ("bad_plugin:NONE", PLUGIN.format(name="bad"), "one that has options that are no class of StrategyOptions"),
        ("bad_plugin:UNDESCRIBED", PLUGIN.format(name="bad"), "gives one that has no description"),
        ("bad_plugin:NUMBERED", PLUGIN.format(name="bad"), "gives one that has no description"),
    ],
)
def test_a_broken_plugin_is_one_line_and_only_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, code: str, problem_line: str
) -> None:
    install(tmp_path, monkeypatch, "bad-plugin", f"bad = {target}", code)
    build_strategy("random", problem(), 0)
    with pytest.raises(PluginError, match=r"package bad-plugin: entry point 'bad' of group 'tinynas\.strat") as caught:
        strategy("bad")
    assert problem_line in str(caught.value)
    assert "\n" not in str(caught.value)
    (listed,) = [entry for entry in list_strategies() if entry.source != OWN]
    assert (listed.name, listed.source) == ("bad", "bad-plugin")
    assert problem_line in listed.description


def test_names_that_are_taken_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = "evolution = clash:EVOLUTION\ntwice = clash:SPEC"
    install(tmp_path / "1", monkeypatch, "clash", entries, PLUGIN.format(name="twice"))
    install(tmp_path / "2", monkeypatch, "second", "twice = second:SPEC", PLUGIN.format(name="twice"))
    assert strategy("evolution").build is EvolutionarySearch
    with pytest.raises(PluginError, match=r"package clash: .*takes the name of what second has"):
        strategy("twice")
    lines = [entry.description for entry in list_strategies() if entry.source == "clash"]
    assert any("'evolution'" in line and "takes the name of what tinynas has" in line for line in lines)
