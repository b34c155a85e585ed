"""Finding and reading board files."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from tinynas.errors import UsageError
from tinynas.registry import closest

from ._board import Board
from ._resources import resource_path
from ._validation import explain_validation_error


class UnknownBoardError(UsageError):
    """No board of that name ships with TinyNAS and no such file exists."""


class BoardFileError(UsageError):
    """A board file is not valid TOML, or does not describe a board."""


def board_names() -> list[str]:
    """Return the names of the boards that ship with TinyNAS, sorted."""
    return sorted(path.stem for path in resource_path("boards").glob("*.toml"))


def reference_boards() -> dict[str, str]:
    """Return the name of each core's reference board, by the name of the core: boards that only the emulator has."""
    boards = [load_board(name) for name in board_names()]
    return {board.core.name: board.name for board in boards if board.is_virtual}


def load_board(name_or_path: str | Path) -> Board:
    """Load a board by its name, or from a path that ends in `.toml`.

    Raises:
        UnknownBoardError: no such board or file; the message names the nearest match.
        BoardFileError: the file is not a valid description of a board.
    """
    is_file = str(name_or_path).endswith(".toml")
    if is_file:
        path = Path(name_or_path)
        if not path.is_file():
            raise UnknownBoardError(f"board file {path} does not exist")
    else:
        path = resource_path("boards") / f"{name_or_path}.toml"
        if not path.is_file():
            hint = closest(str(name_or_path), board_names())
            raise UnknownBoardError(f"unknown board {str(name_or_path)!r}; {hint} (`tinynas boards` lists them)")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BoardFileError(f"{path}: not valid TOML: {error}") from error
    try:
        board = Board.model_validate(data)
    except ValidationError as error:
        raise BoardFileError(f"{path}: {explain_validation_error(Board, error)}") from error
    if board.name != path.stem:
        raise BoardFileError(f"{path}: the board is called {board.name!r}; name and file name must agree")
    if is_file:
        board._file = str(name_or_path)
    return board
