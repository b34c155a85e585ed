"""Links lead to files and headings that exist, and so do paths in backticks."""

from __future__ import annotations

import re
from functools import cache

import pytest
from foreign_words import FILES_OF_THE_USER
from pages import PAGES, ROOT, CodeSpan, Page, fail_on

_FOLDERS = ("benchmarks", "boards", "docs", "examples", "firmware", "memory_models", "tests", "tinynas", "tools")


def broken_links(page: Page) -> list[str]:
    findings = []
    for link in page.links:
        path, _, fragment = link.target.partition("#")
        if re.match(r"\w+:", path):
            continue  # another site, which a test does not ask
        target = (ROOT / page.name).parent / path
        if path and not target.exists():
            findings.append(page.finding(link.line, f"the link {link.target} leads to no file"))
        elif fragment and fragment not in (Page(path, target.read_text("utf-8")) if path else page).anchors:
            findings.append(page.finding(link.line, f"the link {link.target} leads to no heading"))
    return findings


def missing_paths(page: Page) -> list[str]:
    return [
        page.finding(span.line, f"there is no file {span.text}")
        for span in page.spans
        if span.is_path
        and span.text not in FILES_OF_THE_USER
        and not _exists(span.text)
        and not _exists_in_a_folder_of(span)
    ]


def _exists(path: str) -> bool:
    """Paths count from the root, `<name>` stands for any; a bare name is a file somewhere, or one that we write."""
    pattern = re.sub(r"<[\w-]+>", "*", path.removeprefix("./"))
    if "/" in pattern:
        return any(ROOT.glob(pattern.rstrip("/")))
    return any(ROOT.glob(pattern)) or bool({pattern, f"{pattern}.j2"} & _file_names()) or _is_written(pattern)


def _exists_in_a_folder_of(span: CodeSpan) -> bool:
    """Whether a folder that is named in the same paragraph holds the path."""
    return any((ROOT / folder / span.text).exists() for folder in re.findall(r"`([\w/]+/)`", span.context))


@cache
def _file_names() -> frozenset[str]:
    return frozenset(path.name for folder in _FOLDERS for path in (ROOT / folder).rglob("*"))


@cache
def _is_written(name: str) -> bool:
    return any(f'"{name}"' in path.read_text("utf-8") for path in (ROOT / "tinynas").rglob("*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Page) -> None:
    fail_on(broken_links(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_exist(page: Page) -> None:
    fail_on(missing_paths(page))


_HEADING = "# Two words\n\n## Again\n\n## Again\n\n"


@pytest.mark.parametrize("target", ["#two-words", "#again-1", "memory.md", "memory.md#in-place", "../README.md"])
def test_a_good_link(target: str) -> None:
    assert broken_links(Page("docs/page.md", f"{_HEADING}[here]({target})\n")) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[here](memry.md)", "the link memry.md leads to no file"),
        ("![picture](images/no.svg)", "the link images/no.svg leads to no file"),
        ("[here](README.md)", "the link README.md leads to no file"),
        ("[here](#again-2)", "the link #again-2 leads to no heading"),
        ("[here](memory.md#out-of-place)", "the link memory.md#out-of-place leads to no heading"),
        ("`docs/memry.md`", "there is no file docs/memry.md"),
        ("`boards/<name>.json`", "there is no file boards/<name>.json"),
        ("`_nowhere.py`", "there is no file _nowhere.py"),
        ("`.clang-tidi`", "there is no file .clang-tidi"),
    ],
)
def test_a_broken_link_or_path_is_one_line(text: str, what: str) -> None:
    page = Page("docs/page.md", _HEADING + text)
    assert [*broken_links(page), *missing_paths(page)] == [f"docs/page.md:7: {what}"]
