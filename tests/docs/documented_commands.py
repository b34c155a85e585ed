"""The commands of `tinynas`, make and our scripts, asked whether they would take a line as it is documented."""

from __future__ import annotations

import argparse
import re
import runpy
import shlex
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from pages import ROOT

from tinynas.cli import app
from tinynas.spaces import space_names
from tinynas.targets import board_names

_ROOT_COMMAND: Any = typer.main.get_command(app)
_USAGE_ERROR = typer.BadParameter.__bases__[0]
_NAMES_OF_OPTION = {"--board": board_names, "--space": space_names}
_SCRIPT_FOLDERS = ("benchmarks", "tools", "examples")

COMMANDS = frozenset(_ROOT_COMMAND.commands)


def words_of(line: str) -> list[str]:
    """The words of a line of a shell; `[...]` around what may be left out, `...` and comments are dropped."""
    text = re.sub(r"\[(-[^\]]*|[A-Z][^\]]*)\]", r"\1", line)
    return [word for word in shlex.split(text, comments=True) if word != "..."]


def complaint(words: Sequence[str], *, complete: bool) -> str | None:
    """What is wrong with a command, or None.

    Args:
        words: the command; others than ours are not looked at.
        complete: whether it has to have all its arguments; `tinynas space --compare-schedules` in a text has not.
    """
    program, *rest = words
    if program in (".venv/bin/python", "python", "python3") and rest and rest[0].endswith(".py"):
        program, *rest = rest
    if program == "tinynas":
        return _tinynas(rest, complete)
    if program == "make":
        return _make(rest)
    if program.endswith(".py"):
        return _script(program, rest, complete)
    return None


def _tinynas(words: Sequence[str], complete: bool) -> str | None:
    command = _ROOT_COMMAND
    name = "tinynas"
    while hasattr(command, "commands") and words:
        name, *words = words
        if name not in command.commands:
            return f"there is no command {name}"
        command = command.commands[name]
    if hasattr(command, "commands"):
        return None
    try:
        context = command.make_context(name, [word for word in words if word != "--debug"])
    except _USAGE_ERROR as error:
        # Unknown options are reported before these two: an argument, or the value of an option, is missing.
        if not complete and type(error).__name__ in ("MissingParameter", "BadOptionUsage"):
            return None
        return f"tinynas {name}: {getattr(error, 'format_message', error.__str__)()}"
    for parameter in command.params:
        value, known = context.params[parameter.name], _NAMES_OF_OPTION.get(parameter.opts[0])
        if known is not None and re.fullmatch(r"[a-z][a-z0-9-]*", value or "") and value not in known():
            return f"tinynas {name}: {parameter.opts[0]} {value} does not exist"
    return None


def options_of_tinynas() -> frozenset[str]:
    """Every option of every command."""

    def options(command: Any) -> set[str]:
        own = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        return own.union(*(options(child) for child in getattr(command, "commands", {}).values()))

    return frozenset(options(_ROOT_COMMAND))


def _make(words: Sequence[str]) -> str | None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for word in words:
        variable, is_setting, _ = word.partition("=")
        pattern = rf"^{re.escape(variable)} *[?:]?=" if is_setting else rf"^{re.escape(word)} *:(?!=)"
        if not re.search(pattern, makefile, re.MULTILINE):
            return f"the Makefile has no {'variable' if is_setting else 'target'} {variable}"
    return None


def _script(name: str, words: Sequence[str], complete: bool) -> str | None:
    path = ROOT / name if "/" in name else next((p for f in _SCRIPT_FOLDERS if (p := ROOT / f / name).exists()), None)
    if path is None or not path.exists():
        return f"there is no script {name}"
    if not words and not complete:
        return None
    parser = parser_of(path)
    if parser is None:
        return f"{name} takes no arguments" if words else None
    unknown = [word for word in words if word.startswith("--") and word not in options_of(parser)]
    if unknown:
        return f"{name} has no option {unknown[0]}"
    parser.exit_on_error = False
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parser, "error", _raise)
            parser.parse_args(list(words))
    except argparse.ArgumentError as error:
        return None if not complete and "are required" in str(error) else f"{name}: {error}"
    return None


def _raise(message: str) -> None:
    raise argparse.ArgumentError(None, message)


def options_of(parser: argparse.ArgumentParser) -> frozenset[str]:
    """The options of a script."""
    return frozenset(option for action in parser._actions for option in action.option_strings)


class _ParserCaught(BaseException):
    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


@cache
def parser_of(path: Path) -> argparse.ArgumentParser | None:
    """The parser of a script, caught when the script is about to parse its command line; None if it has none."""
    if "ArgumentParser" not in path.read_text("utf-8"):
        return None

    def catch(parser: argparse.ArgumentParser, *_: object) -> None:
        raise _ParserCaught(parser)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", catch)
        patch.setattr(sys, "path", [str(path.parent), *sys.path])
        try:
            runpy.run_path(str(path), run_name="__main__")
        except _ParserCaught as caught:
            return caught.parser
    raise AssertionError(f"{path} has a parser and does not use it")
