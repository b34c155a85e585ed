"""Put firmware onto a real board."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tinynas.boards import load_flasher
from tinynas.targets import Board

_STDOUT, _STDERR = 1, 2


def flash(board: Board, elf: Path, *, probe: str | None = None) -> None:
    """Write the firmware to the board that is connected, and reset it.

    Whatever the flasher says on stdout, from Python, from C or from a program that it starts, goes to stderr: stdout is
    for results.

    Args:
        board: names the flasher.
        elf: the image.
        probe: unique id of the debug probe; needed where more than one is connected.

    Raises:
        FlashError: the board file names no flasher, or the flasher failed.
        MissingExtraError: the flasher is not installed.
    """
    with _stdout_on_stderr():
        load_flasher(board, probe=probe).flash(elf)


@contextlib.contextmanager
def _stdout_on_stderr() -> Iterator[None]:
    sys.stdout.flush()
    with contextlib.redirect_stdout(sys.stderr), contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # no such file is open: nothing can be written to it
            saved = os.dup(_STDOUT)
            stack.callback(os.close, saved)
            os.dup2(_STDERR, _STDOUT)
            stack.callback(os.dup2, saved, _STDOUT)
        yield
