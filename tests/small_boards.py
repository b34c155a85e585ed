"""Board files with little SRAM, for what must fit to the word."""

from __future__ import annotations

import re
from pathlib import Path

from tinynas.memory import NativeMemoryModel
from tinynas.targets import load_board, resource_path


def small_board(name: str, arena_bytes: int, folder: Path) -> Path:
    """The file of a reference board, whose last region is its SRAM, with room for an arena of so many bytes."""
    board = load_board(name)
    spare = NativeMemoryModel.for_board(board).largest_arena() - arena_bytes
    text = (resource_path("boards") / f"{name}.toml").read_text()
    small, count = re.subn(r"size_bytes = \S+\s*\Z", f"size_bytes = {board.arena_region.size_bytes - spare}\n", text)
    assert count == 1
    path = folder / f"small-{name}.toml"
    path.write_text(small.replace(f'name = "{name}"', f'name = "small-{name}"'))
    assert NativeMemoryModel.for_board(load_board(str(path))).largest_arena() == arena_bytes
    return path
