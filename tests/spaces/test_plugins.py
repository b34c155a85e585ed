"""Block kinds and spaces of other packages: found by entry points, imported when asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tinynas import plugins
from tinynas.plugins import PluginError
from tinynas.spaces import (
    BlockKind,
    SearchSpace,
    SpaceError,
    block_kind,
    list_block_kinds,
    list_spaces,
    load_space,
    parse_space,
    register_block_kind,
    space_names,
)
from tinynas.spaces import _kinds as kinds
from tinynas.spaces import _load as load
from tinynas.spaces._kinds import block_kind_versions

MODULE = """
from tinynas.spaces import BlockKind, parse_space

def build(builder, x, block):
    return builder.conv_2d(x, block.parameter("out_channels"), 1, stride=block.parameter("stride"), name=block.name)

pointwise = BlockKind("pointwise", build, description="one 1x1 convolution")

def pointwise_space():
    return parse_space('''
name = "pointwise-only"
description = "nothing but 1x1 convolutions"
width_multipliers = [1.0]
resolutions = [16]
[stem]
width = 8
[[stages]]
block = "pointwise"
width = 8
depth = [1, 2]
choices = {}
''')

a_space = parse_space('''
name = "an-object"
description = "a space, not a function"
width_multipliers = [1.0]
resolutions = [16]
[stem]
width = 8
[[stages]]
width = 8
choices = { kernel = [3], expansion = [1] }
''')
misnamed = BlockKind("another", build)
undescribed = BlockKind("broken", build, description=" \\n")
number = 5

def failing():
    raise RuntimeError("of two\\n  lines")
"""

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution of a name, with the text of its entry points, beside a module `of_a_plugin`."""
    (tmp_path / "of_a_plugin.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)

    def installed(distribution: str, entry_points: str) -> None:
        info = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points)
        forget()

    def forget() -> None:
        plugins._entry_points.cache_clear()
        kinds._BLOCK_KINDS._plugins._loaded.clear()
        load._PLUGINS._loaded.clear()
        sys.modules.pop("of_a_plugin", None)

    yield installed
    monkeypatch.undo()
    forget()


GOOD = """
[tinynas.block_kinds]
pointwise = of_a_plugin:pointwise
[tinynas.spaces]
pointwise-only = of_a_plugin:pointwise_space
an-object = of_a_plugin:a_space
"""


def test_plugins_are_had_by_name(install: Install) -> None:
    install("good-plugin", GOOD)
    assert {"pointwise-only", "an-object", "mobile"} <= set(space_names())
    assert "of_a_plugin" not in sys.modules, "names need no import"
    space: SearchSpace = load_space("pointwise-only")
    assert space.size() == 2
    assert load_space("an-object").size() == 1
    assert isinstance(block_kind("pointwise"), BlockKind)
    assert ("pointwise", "one 1x1 convolution", "good-plugin") in list_block_kinds()
    assert ("an-object", "a space, not a function", "good-plugin") in list_spaces()
    with pytest.raises(SpaceError, match="did you mean 'pointwise'"):
        block_kind("pointwize")
    with pytest.raises(SpaceError, match="did you mean 'pointwise-only'"):
        load_space("pointwise-onli")


def test_what_is_there_has_a_description_and_a_source() -> None:
    for listing in (list_block_kinds(), list_spaces()):
        assert all(description for _, description, source in listing if source == "tinynas")
    assert ("conv", "convolution with ReLU6", "tinynas") in list_block_kinds()
    assert {name for name, _, source in list_spaces() if source == "tinynas"} == {
        "mcu",
        "mobile",
        "mobile-tiny",
        "tiny",
    }


@pytest.mark.parametrize(
    ("entry_point", "problem"),
    [
        ("broken = nowhere:kind", "cannot be loaded: ModuleNotFoundError: No module named 'nowhere'"),
        ("broken = of_a_plugin:nothing", "cannot be loaded: AttributeError: .*"),
        ("broken = of_a_plugin:failing", "cannot be loaded: RuntimeError: of two lines"),
        ("broken = of_a_plugin:number", "gives no (BlockKind|SearchSpace)"),
        ("broken = of_a_plugin:misnamed", "gives (one of another name, 'another'|no SearchSpace)"),
        ("broken = of_a_plugin:undescribed", "gives (one that has no description|no SearchSpace)"),
    ],
)
@pytest.mark.parametrize(
    ("group", "look_up", "listing"),
    [("tinynas.block_kinds", block_kind, list_block_kinds), ("tinynas.spaces", load_space, list_spaces)],
)
def test_a_broken_plugin_is_one_line_when_it_is_asked_for(
    install: Install, group: str, look_up: Callable[[str], object], listing, entry_point: str, problem: str
) -> None:
    install("bad-plugin", f"[{group}]\n{entry_point}\n")
    assert block_kind("conv").name == "conv"
    assert load_space("mobile").name == "mobile"
    where = rf"package bad-plugin: entry point 'broken' of group '{group}' \(.*\)"
    with pytest.raises(PluginError, match=f"^{where} {problem}; repair or uninstall the package$") as error:
        look_up("broken")
    assert (error.value.distribution, error.value.entry_point) == ("bad-plugin", "broken")
    assert ("broken", f"broken: {error.value}", "bad-plugin") in listing()


def test_a_name_of_this_package_stays_its_own(install: Install) -> None:
    install(
        "rude-plugin", "[tinynas.block_kinds]\nconv = of_a_plugin:pointwise\n[tinynas.spaces]\nmobile = nowhere:x\n"
    )
    own = block_kind("conv")
    assert own.description == "convolution with ReLU6"
    assert load_space("mobile").size() > 10**20
    assert block_kind_versions("conv") == {}
    for listing, name in ((list_block_kinds(), "conv"), (list_spaces(), "mobile")):
        (refused,) = [line for line in listing if line.source == "rude-plugin"]
        assert refused.name == name
        assert "takes the name of what tinynas has; repair or uninstall the package" in refused.description


def test_a_plugin_that_also_registers_itself_is_listed_once_and_keeps_its_version(install: Install) -> None:
    install("good-plugin", GOOD)
    assert block_kind_versions("pointwise") == {"good-plugin": "1.0"}
    register_block_kind(block_kind("pointwise"))
    try:
        assert block_kind_versions("pointwise") == {"good-plugin": "1.0"}
        for _ in range(2):
            assert [line.source for line in list_block_kinds() if line.name == "pointwise"] == ["good-plugin"]
    finally:
        del kinds._BLOCK_KINDS._members["pointwise"]


def test_two_packages_of_one_name_are_refused(install: Install) -> None:
    install("first-plugin", "[tinynas.block_kinds]\npointwise = of_a_plugin:pointwise\n")
    install("second-plugin", "[tinynas.block_kinds]\npointwise = of_a_plugin:pointwise\n")
    with pytest.raises(PluginError, match=r"package first-plugin: .* takes the name of what second-plugin has"):
        block_kind("pointwise")


def test_a_space_file_may_name_a_kind_of_a_plugin(install: Install) -> None:
    install("good-plugin", GOOD)
    text = (
        'name = "x"\ndescription = "x"\nwidth_multipliers = [1.0]\nresolutions = [16]\n[stem]\nwidth = 8\n'
        '[[stages]]\nblock = "pointwise"\nwidth = 8\nchoices = {}\n'
    )
    assert parse_space(text).size() == 1
