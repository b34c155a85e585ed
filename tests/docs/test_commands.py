"""Every documented command line is one that the program takes: commands, options, values, make targets, boards."""

from __future__ import annotations

import re

import documented_commands
import pytest
from documented_commands import COMMANDS, complaint, words_of
from foreign_words import OPTIONS
from pages import PAGES, ROOT, CodeSpan, Page, fail_on


def wrong_commands(page: Page) -> list[str]:
    findings = []
    for block in page.blocks:
        if block.language == "sh":
            for number, line in enumerate(block.text.splitlines()):
                words = words_of(line)
                if words and (what := complaint(words, complete=True)):
                    findings.append(page.finding(block.line + number, what))
    for span in page.spans:
        if what := _complaint_of_span(span):
            findings.append(page.finding(span.line, what))
    return findings


def _complaint_of_span(span: CodeSpan) -> str | None:
    """In a text, `inspect --why` stands for `tinynas inspect --why`, and `--why` for an option of some command."""
    if span.text.startswith("--"):
        option = span.text.split()[0]
        known = documented_commands.options_of_tinynas() | _options_of_scripts_in(span.context) | set(OPTIONS)
        return None if option in known else f"no command has an option {option}"
    if not re.match(r"tinynas |make |python |[\w./]+\.py |[a-z]+ --", span.text):
        return None
    words = words_of(span.text)
    if words[0] in COMMANDS and words[1].startswith("--"):
        words = ["tinynas", *words]
    return complaint(words, complete=False)


def _options_of_scripts_in(context: str) -> set[str]:
    scripts = [ROOT / path for path in re.findall(r"(?:benchmarks|tools)/\w+\.py", context)]
    parsers = [documented_commands.parser_of(path) for path in scripts if path.exists()]
    return {option for parser in parsers if parser for option in documented_commands.options_of(parser)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_taken(page: Page) -> None:
    fail_on(wrong_commands(page))


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("tinynas inspct m.tflite", "there is no command inspct"),
        ("tinynas data ftch", "there is no command ftch"),
        ("tinynas inspect m.tflite --board virt-m4 --wy", "tinynas inspect: No such option: --wy"),
        ("tinynas inspect m.tflite --board virt-m5", "tinynas inspect: --board virt-m5 does not exist"),
        ("tinynas space --board virt-m4 --space mobil", "tinynas space: --space mobil does not exist"),
        (
            "tinynas measure m.tflite --board virt-m4 --toolchain clang",
            "tinynas measure: Invalid value for '--toolchain'",
        ),
        ("make tset", "the Makefile has no target tset"),
        ("make models TOOLCHAIN=zig", "the Makefile has no variable TOOLCHAIN"),
        ("python benchmarks/engines.py", "there is no script benchmarks/engines.py"),
        ("python benchmarks/engine.py --bord virt-m4", "benchmarks/engine.py has no option --bord"),
        ("engine.py --toolchain clang", "engine.py: argument --toolchain: invalid choice"),
    ],
)
def test_a_wrong_command_is_one_line(line: str, what: str) -> None:
    for text in (f"# Bad\n\n`{line}`\n", f"# Bad\n```sh\n{line}   # a comment\n```\n"):
        (finding,) = wrong_commands(Page("docs/bad.md", text))
        assert finding.startswith(f"docs/bad.md:3: {what}")
        assert "\n" not in finding


def test_a_block_has_whole_commands_and_a_text_may_mention_them() -> None:
    assert wrong_commands(Page("docs/good.md", "`tinynas run`, `inspect --why`, `export --board`")) == []
    (finding,) = wrong_commands(Page("docs/bad.md", "```sh\ntinynas run\n```\n"))
    assert finding.startswith("docs/bad.md:2: tinynas run: Missing argument")


def test_an_option_belongs_to_a_command_or_to_the_script_beside_it() -> None:
    assert wrong_commands(Page("docs/good.md", "`benchmarks/random_layers.py` with `--kinds NEW`; `--json`")) == []
    assert wrong_commands(Page("docs/bad.md", "`--kinds NEW`")) == ["docs/bad.md:1: no command has an option --kinds"]
