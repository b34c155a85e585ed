"""Where words go: one JSON object or tables on stdout, progress and messages on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import typer
from rich.console import Console

_WIDTH_OF_FILES = 140  # tables in a file or a pipe are not squeezed into the 80 columns rich assumes there


class _Stdout(Console):
    """Rich ends the process with code 1 when the reader leaves, which would say that the answer is no."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def emit(result: Mapping[str, Any], *, as_json: bool, render: Callable[[Console], None]) -> None:
    """Print `result` as one JSON object, or let `render` draw it for a person."""
    try:
        if as_json:
            sys.stdout.write(json.dumps(result, allow_nan=False) + "\n")
        else:
            render(_Stdout(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_OF_FILES))
        sys.stdout.flush()
    except BrokenPipeError:
        # `tinynas boards | head -1`: nobody reads on, which is no error. Python flushes once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def message(text: str) -> None:
    """Say something that is not the result."""
    typer.echo(text, err=True)


def bytes_text(value: int | None) -> str:
    """Bytes with thousands separators; unknown is said to be unknown."""
    return "unknown" if value is None else f"{value:,}"
