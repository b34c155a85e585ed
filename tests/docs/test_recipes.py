"""Recipes leave nothing out: every file that operators stand in, every key of a board and of a search space."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from known_words import keys
from pages import PAGES, ROOT, Page
from pydantic import BaseModel

from tinynas.cli import main
from tinynas.spaces._anynet_file import AnyNetTable
from tinynas.spaces._chain_file import ChainTable
from tinynas.targets import Board

# Plain operators. Where two of them stand, any operator may have to.
_OPERATORS = ("CONCATENATION", "MUL", "RESIZE_NEAREST_NEIGHBOR", "SOFTMAX", "TRANSPOSE")


def page(name: str) -> Page:
    return next(page for page in PAGES if page.name == name)


def section(page: Page, title: str) -> str:
    """The text under a heading of the second level."""
    return re.split(r"^## ", page.text.partition(f"## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def files_of_operators() -> set[str]:
    """Files of the package and the firmware that name at least two of the operators."""
    seen: Counter[str] = Counter()
    patterns = [re.compile(_pattern(name), re.MULTILINE) for name in _OPERATORS]
    for path in (*(ROOT / "tinynas").rglob("*.py"), *(ROOT / "firmware").rglob("*.[ch]")):
        text = path.read_text("utf-8")
        seen[str(path.relative_to(ROOT))] += sum(1 for pattern in patterns if pattern.search(text))
    return {path for path, operators in seen.items() if operators >= 2}


def _pattern(name: str) -> str:
    """A kind, its attributes, its symbol in C, and functions and variables that are called like it."""
    lower, camel = name.lower(), name.title().replace("_", "")
    return rf"\.{name}\b|{camel}Attributes|tn_{lower}\b|builder\.{lower}\(|^(def )?_?{lower}(\(| =)"


def not_named(recipe: str, files: set[str]) -> list[str]:
    """Files that no item of a recipe names, whole or beside their folder."""
    items = re.split(r"^\d+\. ", recipe, flags=re.MULTILINE)
    return sorted(path for path in files if not any(_names(item, Path(path)) for item in items))


def _names(item: str, path: Path) -> bool:
    ways = [("", str(path)), *((f"`{parent}/`", str(path.relative_to(parent))) for parent in path.parents)]
    return any(folder in item and f"`{rest}`" in item for folder, rest in ways)


def test_the_recipe_for_an_operator_names_every_file() -> None:
    files = files_of_operators()
    assert {"tinynas/graph/_builder.py", "firmware/kernels/layout/layout.h"} <= files
    assert not_named(section(page("docs/adding-an-operator.md"), "The files"), files) == []


def test_a_file_that_a_recipe_leaves_out_is_found() -> None:
    recipe = "1. **A** (`tinynas/graph/`): `_ops.py`.\n2. **B**: `_shapes.py`, `tinynas/engine/_generate.py`\n"
    files = {"tinynas/graph/_ops.py", "tinynas/graph/_shapes.py", "tinynas/engine/_generate.py", "tinynas/a/_ops.py"}
    assert not_named(recipe, files) == ["tinynas/a/_ops.py", "tinynas/graph/_shapes.py"]


def keys_left_out(page: Page, model: type[BaseModel]) -> list[str]:
    """Keys of a file that its page has neither in backticks nor in a sample."""
    text = "\n".join([span.text for span in page.spans] + [block.text for block in page.blocks])
    return [key for key in keys(model) if not re.search(rf"\b{key.rpartition('.')[2]}\b", text)]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("docs/adding-a-board.md", Board),
        ("docs/search_spaces.md", ChainTable),
        ("docs/search_spaces.md", AnyNetTable),
    ],
)
def test_every_key_of_a_file_is_explained(name: str, model: type[BaseModel]) -> None:
    assert keys_left_out(page(name), model) == []
    assert keys_left_out(Page("docs/bad.md", ""), model) == list(keys(model))


def test_the_space_of_the_page_has_networks_that_fit_the_board_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spaces = page("docs/search_spaces.md")
    (command,) = (span.text for span in spaces.spans if span.text.endswith("--space my_space.toml"))
    (sample,) = (block.text for block in spaces.blocks if block.text.startswith("# my_space.toml"))
    (tmp_path / "my_space.toml").write_text(sample, "utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as done:
        main([*command.split()[1:], "--samples", "10"])
    assert not done.value.code
