"""Lists that a page gives in full are complete: packages, block kinds, cores, the codes of the protocol."""

from __future__ import annotations

import pkgutil
import re

import pytest
from pages import PAGES

import tinynas
import tinynas.pipeline
from tinynas.boards import Command, Status
from tinynas.evaluation import list_evaluators
from tinynas.graph import OWN_KINDS
from tinynas.search import method_names
from tinynas.spaces import block_kind, list_block_kinds
from tinynas.targets import CORES

TEXT = {page.name: page.text for page in PAGES}


def rows(text: str, *cells: str) -> list[tuple[str, ...]]:
    """The rows of tables whose first cells match the patterns; what each matches in its group."""
    pattern = "".join(rf"\| {cell} " for cell in cells)
    return [match.groups() for match in re.finditer(rf"^{pattern}\|", text, re.MULTILINE)]


def test_every_package_stands_on_a_floor() -> None:
    floors = [name for (name,) in rows(TEXT["docs/architecture.md"], r"[\d-]", r"`tinynas\.(\w+)`[^|]*")]
    packages = {module.name for module in pkgutil.iter_modules(tinynas.__path__) if not module.name.startswith("_")}
    assert len(floors) == len(set(floors))
    assert set(floors) == packages


def test_every_package_of_the_pipeline_is_in_its_tree() -> None:
    tree = TEXT["docs/architecture.md"].partition("```\ntinynas/pipeline/\n")[2].partition("```")[0]
    names = re.findall(r"^ +(\w+)/ ", tree, re.MULTILINE)
    found = pkgutil.walk_packages(tinynas.pipeline.__path__, "tinynas.pipeline.")
    assert names == [module.name.rpartition(".")[2] for module in found if module.ispkg]


def test_every_block_kind_is_in_the_table_with_its_choices() -> None:
    described = rows(TEXT["docs/search_spaces.md"], r"`(\w+)`", r"((?:`\w+`(?:, )?)+)")
    choices = {kind: tuple(re.findall(r"\w+", names)) for kind, names in described}
    # The classifier is a head, pools stand between stages; they have no choices, and the samples describe them.
    kinds = [kind.name for kind in list_block_kinds() if kind.source == "tinynas" and block_kind(kind.name).choices]
    assert choices == {kind: tuple(block_kind(kind).choices) for kind in kinds}


def test_every_evaluator_is_in_the_table() -> None:
    described = [name for name, _ in rows(TEXT["docs/evaluators.md"], r"`([\w-]+)`", r"([^|]+)", r"[^|]+")]
    own = [evaluator.name for evaluator in list_evaluators() if evaluator.source == "tinynas"]
    assert described[: len(own)] == own


def test_every_search_method_is_in_the_table() -> None:
    described = rows(TEXT["docs/search_methods.md"], r"`([\w-]+)`", r"([^|]+)", r"[^|]+", r"[^|]+")
    assert [name for name, _ in described] == method_names()


def test_every_core_is_listed() -> None:
    (line,) = re.findall(r"`core` is one of (.*)\.", TEXT["docs/adding-a-board.md"])
    # host64 has no firmware: it exists to count TFLM's memory as its wheel does.
    assert re.findall(r"`([\w-]+)`", line) == [name for name in CORES if name != "host64"]


def test_every_operator_of_files_is_in_the_table() -> None:
    described = rows(TEXT["docs/operators.md"], r"`(\w+)`", r"([^|]+)", r"([^|]+)", r"[^|]+", r"\w+")
    assert described == [(kind.value, kind.spec.description, kind.spec.support) for kind in OWN_KINDS]


@pytest.mark.parametrize(("codes", "title"), [(Command, "Commands"), (Status, "Status codes")])
def test_every_code_of_the_protocol_is_in_its_table(codes: type[Command] | type[Status], title: str) -> None:
    section = TEXT["docs/protocol.md"].partition(f"## {title}\n")[2].partition("\n## ")[0]
    described = {name: int(code, 16) for code, name in rows(section, r"(0x\w\w)", r"([A-Z_]+)")}
    # NONE is what answers to damaged frames carry.
    assert described == {code.name: code.value for code in codes if code.name != "NONE"}


def test_rows_are_found_by_their_cells() -> None:
    table = "| a | b |\n|---|---|\n| 0x01 | `x` | more |\n| 0x02 | y |\n"
    assert rows(table, r"(0x\w\w)", r"`(\w)`") == [("0x01", "x")]
