"""Put firmware onto a real board."""

from __future__ import annotations

from pathlib import Path

from tinynas.targets import Board


def flash(board: Board, elf: Path) -> None:
    """Write the firmware to the board that is connected, and reset it.

    Raises:
        FlashError: the flasher is missing, or it failed.
    """
    from tinynas.boards import flash_firmware

    flash_firmware(board, elf)
