"""Put firmware onto a real board."""

from __future__ import annotations

from pathlib import Path

from tinynas.boards import load_flasher
from tinynas.targets import Board


def flash(board: Board, elf: Path) -> None:
    """Write the firmware to the board that is connected, and reset it.

    Raises:
        FlashError: the board file names no flasher, or the flasher failed.
        MissingExtraError: the flasher is not installed.
    """
    load_flasher(board).flash(elf)
