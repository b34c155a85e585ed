"""The pages of the documentation as data: code blocks, code spans, links and headings, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class CodeBlock:
    """A fenced block: the line of its first line of text, the language behind the fence, and the text."""

    line: int
    language: str
    text: str


_SUFFIXES = "c|h|html|json|ld|md|npz|onnx|png|py|s|sh|svg|tflite|toml|txt"
_PATH = re.compile(rf"(\./)?[\w.<>*-]+(/[\w.<>*-]*)+|[\w<>*-]+\.({_SUFFIXES})|\.[a-z]+-[a-z-]+")


@dataclass(frozen=True)
class CodeSpan:
    """Text in backticks, and the source of the paragraph, list item or table row that holds it."""

    line: int
    text: str
    context: str

    @property
    def is_path(self) -> bool:
        """Whether it names a file or folder: it has a slash, the suffix of a file, or is a file like `.clang-tidy`."""
        return _PATH.fullmatch(self.text) is not None


@dataclass(frozen=True)
class Link:
    """Where a link or an image leads."""

    line: int
    target: str


@dataclass(frozen=True)
class Page:
    """A Markdown page.

    Attributes:
        name: its path from the root of the repository; links are relative to its folder.
        text: its source.
    """

    name: str
    text: str = field(repr=False)

    @cached_property
    def _tokens(self) -> list[Token]:
        return MarkdownIt("commonmark").enable("table").parse(self.text)

    @cached_property
    def blocks(self) -> list[CodeBlock]:
        fences = (token for token in self._tokens if token.type == "fence")
        return [CodeBlock(_first_line(token) + 1, token.info.strip(), token.content) for token in fences]

    @cached_property
    def spans(self) -> list[CodeSpan]:
        return [
            CodeSpan(line, child.content, context)
            for line, child, context in self._inline()
            if child.type == "code_inline"
        ]

    @cached_property
    def links(self) -> list[Link]:
        attribute = {"link_open": "href", "image": "src"}
        return [
            Link(line, str(child.attrs[attribute[child.type]]))
            for line, child, _ in self._inline()
            if child.type in attribute
        ]

    @cached_property
    def anchors(self) -> set[str]:
        """What a `#fragment` may name: headings as GitHub spells them, repeated ones numbered."""
        anchors: set[str] = set()
        for opening, inline in zip(self._tokens, self._tokens[1:], strict=False):
            if opening.type == "heading_open":
                words = re.sub(r"[^\w\- ]", "", inline.content.lower()).replace(" ", "-")
                repeated = sum(1 for anchor in anchors if re.fullmatch(re.escape(words) + r"(-\d+)?", anchor))
                anchors.add(f"{words}-{repeated}" if repeated else words)
        return anchors

    def finding(self, line: int, what: str) -> str:
        """One line that says where something is wrong."""
        return f"{self.name}:{line}: {what}"

    def _inline(self) -> Iterator[tuple[int, Token, str]]:
        """Everything within lines: its line, the token, and the source of the block around it."""
        lines = self.text.splitlines()
        for token in self._tokens:
            if token.type == "inline":
                assert token.map is not None
                line, context = _first_line(token), "\n".join(lines[slice(*token.map)])
                for child in token.children or ():
                    yield line, child, context
                    line += child.type in ("softbreak", "hardbreak")


def fail_on(findings: list[str]) -> None:
    """Fails a test with what was found and nothing else, a line each."""
    if findings:
        pytest.fail("\n".join(findings), pytrace=False)


def _first_line(token: Token) -> int:
    assert token.map is not None
    return token.map[0] + 1


def _pages() -> list[Page]:
    paths = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [Page(str(path.relative_to(ROOT)), path.read_text("utf-8")) for path in paths if path.exists()]


PAGES = _pages()
