"""Writing firmware to a real board. Built to pyOCD's documentation; not yet tried on hardware."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Protocol

from tinynas.errors import MissingExtraError
from tinynas.targets import Board

from ._errors import FlashError


class Flasher(Protocol):
    """Something that writes an image to a board."""

    def flash(self, elf: Path) -> None:
        """Write the image, reset the board and let it run. Raises `FlashError`."""
        ...


class PyOcdFlasher:
    """pyOCD and any probe it knows, the ST-LINK on ST's boards among them.

    Follows "Python API examples" in pyOCD's documentation: a session with a probe, `FileProgrammer`, reset.

    Args:
        target: pyOCD's name of the chip. Chips that are not built into pyOCD need their CMSIS pack:
            `pyocd pack install <target>`.
        probe: unique id of the debug probe; needed where more than one is connected.

    Raises:
        MissingExtraError: pyOCD is not installed.
    """

    def __init__(self, target: str, *, probe: str | None = None) -> None:
        try:
            self._helpers: Any = importlib.import_module("pyocd.core.helpers")
            self._programmer: Any = importlib.import_module("pyocd.flash.file_programmer")
            self._errors: Any = importlib.import_module("pyocd.core.exceptions")
        except ImportError as error:
            raise MissingExtraError("pyocd", "flash") from error
        self._target = target
        self._probe = probe

    def flash(self, elf: Path) -> None:
        try:
            session = self._helpers.ConnectHelper.session_with_chosen_probe(
                blocking=False,
                return_first=False,
                unique_id=self._choose_probe(),
                options={"target_override": self._target},
            )
            if session is None:
                raise FlashError(f"the debug probe {self._probe} went away: connect it and try again")
            with session:
                self._programmer.FileProgrammer(session).program(str(elf))
                session.target.reset()
        except self._errors.TargetSupportError as error:
            raise FlashError(
                f"pyOCD does not know the chip {self._target}: run `pyocd pack install {self._target}` ({_line(error)})"
            ) from error
        except self._errors.Error as error:
            raise FlashError(f"pyOCD cannot write {elf} to {self._target}: {_line(error)}") from error

    def _choose_probe(self) -> str:
        found = [probe.unique_id for probe in self._helpers.ConnectHelper.get_all_connected_probes(blocking=False)]
        if self._probe is not None and self._probe not in found:
            raise FlashError(f"no debug probe {self._probe}; connected: {', '.join(found) or 'none'}")
        if self._probe is None and len(found) != 1:
            if not found:
                raise FlashError("no debug probe is connected: plug in the USB connector of the board's debugger")
            raise FlashError(f"{len(found)} debug probes are connected: name one of {', '.join(found)}")
        return self._probe or found[0]


def load_flasher(board: Board, *, probe: str | None = None) -> Flasher:
    """Return what writes firmware to `board`. Raises `FlashError` for a board that cannot be flashed."""
    if board.flasher is None:
        raise FlashError(f"board {board.name} cannot be flashed: it has no [flasher] in its board file")
    return PyOcdFlasher(board.flasher.target, probe=probe)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
