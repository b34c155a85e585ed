"""Every name in backticks exists: public names of the package, or others where the page says in which file."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import known_words
import pytest
from documented_commands import COMMANDS
from foreign_words import FILES_OF_THE_USER, WORDS
from pages import PAGES, ROOT, CodeSpan, Page, fail_on
from public_names import all_members, exported, is_public, members, public_modules, public_names

_NAME = re.compile(r"\.?[A-Za-z_][\w-]*(\.\w+)*")
_TOML = re.compile(r"(?=\[|\w+ = )(\[+(?P<section>\w+)\]+)? ?(?P<key>\w+)?( = .+)?")
_KEYWORDS = re.compile(r"\w+=[^=].*")
_CALL = re.compile(r"([A-Za-z_][\w.]*)\(.*\)( -> (?P<result>\w+))?")


def wrong_names(page: Page) -> list[str]:
    return [page.finding(span.line, what) for span in page.spans for what in _complaints(span)]


def _complaints(span: CodeSpan) -> Iterator[str]:
    if span.is_path or span.text in FILES_OF_THE_USER or span.text.split("(")[0] in WORDS:
        return
    if _NAME.fullmatch(span.text):
        if not _is_known(span.text, span.context):
            yield f"{span.text} is no public name, and no file that is named beside it defines it"
    elif key := _TOML.fullmatch(span.text):
        dotted = ".".join(filter(None, (key["section"], key["key"])))
        if not any(dotted in (known, known.rpartition(".")[2]) for known in known_words.toml_keys()):
            yield f"{span.text}: no configuration, board or search space has a key {dotted}"
    elif _KEYWORDS.fullmatch(span.text):
        call = ast.parse(f"f(..., {span.text})", mode="eval").body
        named = (value for name in re.findall(r"`(\w+)`", span.context) for value in _callables(name))
        if not any(_takes(value, call) for value in named):
            yield f"no function that is named beside it takes {span.text}"
    elif call := _CALL.fullmatch(span.text):
        if not _is_known(call[1], span.context):
            yield f"{call[1]} is no public name, and no file that is named beside it defines it"
        yield from _call_complaints(span.text, call["result"])


def _is_known(name: str, context: str) -> bool:
    if name.startswith("tinynas"):
        return is_public(name) or name in known_words.entry_point_groups()
    owner, _, member = name.rpartition(".")
    if owner in public_names():
        public = any(member in members(value) for value in public_names()[owner] if inspect.isclass(value))
    else:
        public = name in public_names() or member in all_members()
    return public or _is_word(name) or _is_defined_in_a_file_of(context, name)


def _is_word(name: str) -> bool:
    keys = {part for key in known_words.toml_keys() for part in key.split(".")}
    words = (keys, known_words.values(), known_words.packages(), known_words.c_names(), COMMANDS)
    return hasattr(builtins, name) or any(name in known for known in words)


def _is_defined_in_a_file_of(context: str, name: str) -> bool:
    """Whether a file named in the same paragraph has the name: what a recipe for this repository may lead to."""
    last = name.rpartition(".")[2]
    paths = (ROOT / path for path in re.findall(r"`([\w./]+/[\w./]+\.\w+)`", context))
    return any(re.search(rf"\b{re.escape(last)}\b", _text(path)) for path in paths)


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""


def _call_complaints(text: str, result: str | None) -> Iterator[str]:
    """Calls in Python: the arguments are those of the signature, and so is the result."""
    try:
        tree = ast.parse(text.partition(" -> ")[0], mode="eval")
    except SyntaxError:
        return  # a prototype in C
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        candidates = list(_callables(name))
        if candidates and not any(_takes(value, call) for value in candidates):
            yield f"{name} does not take these arguments: {ast.unparse(call)}"
        if result and call is tree.body and candidates and not any(_returns(value, result) for value in candidates):
            yield f"{name} does not return {result}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in public_names():
            name = ast.unparse(node)
            if not _is_known(name, ""):
                yield f"{name} does not exist"


def _callables(name: str) -> Iterator[Any]:
    owner, _, last = name.rpartition(".")
    if owner in public_modules():
        yield exported(public_modules()[owner]).get(last)
    elif owner:
        yield from (getattr(value, last) for value in public_names().get(owner, []) if hasattr(value, last))
    else:
        yield from (value for value in public_names().get(name, []) if callable(value))


def _takes(function: Any, call: ast.Call) -> bool:
    """Whether a call binds; `...` among its arguments stands for any that are left out."""
    positional = [argument for argument in call.args if ast.unparse(argument) != "..."]
    signature = inspect.signature(function)
    bind = signature.bind if len(positional) == len(call.args) else signature.bind_partial
    own = [None] if next(iter(signature.parameters), "") == "self" else []
    try:
        bind(*own, *positional, **{keyword.arg or "": None for keyword in call.keywords})
    except TypeError:
        return False
    return True


def _returns(function: Any, result: str) -> bool:
    returned = inspect.signature(function).return_annotation
    return str(getattr(returned, "__name__", returned)).rpartition(".")[2] == result


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_exist(page: Page) -> None:
    fail_on(wrong_names(page))


_UNKNOWN = "is no public name, and no file that is named beside it defines it"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("`BaseFlasherTestCase`", f"BaseFlasherTestCase {_UNKNOWN}"),
        ("`tinynas.memory.NativMemoryModel`", f"tinynas.memory.NativMemoryModel {_UNKNOWN}"),
        ("`tinynas.search._random.RandomSearch`", f"tinynas.search._random.RandomSearch {_UNKNOWN}"),
        ("`Schedule.mac`", f"Schedule.mac {_UNKNOWN}"),
        ("`VirtualBoard._make_peripherals`", f"VirtualBoard._make_peripherals {_UNKNOWN}"),
        ("`PAGE_BYTES` (`tinynas/boards/_elf.py`)", f"PAGE_BYTES {_UNKNOWN}"),
        ("`conv_9x9`", f"conv_9x9 {_UNKNOWN}"),
        ("`tn_dot_tile(int32_t *sums)`", f"tn_dot_tile {_UNKNOWN}"),
        ("`lower(graph, 1, 2, 3)`", "lower does not take these arguments: lower(graph, 1, 2, 3)"),
        ("`lower(..., patch=2)`", "lower does not take these arguments: lower(..., patch=2)"),
        ("`load_board(name) -> Core`", "load_board does not return Core"),
        ("`GraphBuilder(dtype=DType.INT7)`", "DType.INT7 does not exist"),
        ("`[engine] patch`", "[engine] patch: no configuration, board or search space has a key engine.patch"),
        ("`hall = 1`", "hall = 1: no configuration, board or search space has a key hall"),
        ("`scale_mobilenet_v2`, `depth=(1,)`", "no function that is named beside it takes depth=(1,)"),
    ],
)
def test_a_wrong_name_is_one_line(text: str, what: str) -> None:
    assert wrong_names(Page("docs/bad.md", f"# Bad\n\n{text}\n")) == [f"docs/bad.md:3: {what}"]


def test_a_private_name_may_stand_beside_its_file() -> None:
    assert wrong_names(Page("docs/good.md", "- `PAGE_BYTES`\n  (`tinynas/boards/virtual/_emulator.py`)\n")) == []


@pytest.mark.parametrize("word", WORDS)
def test_foreign_words_are_used(word: str) -> None:
    assert any(word == span.text.split("(")[0] for page in PAGES for span in page.spans), f"nobody writes {word}"
