"""Writing firmware to a real board. Built to pyOCD's documentation; not yet tried on hardware."""

from __future__ import annotations

import errno
import importlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tinynas.errors import MissingExtraError
from tinynas.targets import Board

from ._errors import FlashError

_PYOCD_RULES = "https://github.com/pyocd/pyOCD/tree/main/udev"


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
        probe = self._probe
        try:
            probe = self._choose_probe()
            session = self._helpers.ConnectHelper.session_with_chosen_probe(
                blocking=False, return_first=False, unique_id=probe, options={"target_override": self._target}
            )
            if session is None:
                raise FlashError(f"the debug probe {probe} went away: connect it and try again")
            with session:
                self._programmer.FileProgrammer(session).program(str(elf))
                session.target.reset()
        except self._errors.TargetSupportError as error:
            raise FlashError(
                f"pyOCD does not know the chip {self._target}: run `pyocd pack install {self._target}` ({_line(error)})"
            ) from error
        # Of a probe that it cannot open, pyOCD lets through what pyusb raises: an OSError, or a ValueError where the
        # names of a device may not be read.
        except (self._errors.Error, OSError, ValueError) as error:
            raise FlashError(
                _why(error, probe) or f"pyOCD cannot write {elf} to {self._target}: {_line(error)}"
            ) from error

    def _choose_probe(self) -> str:
        with _warnings_of_pyocd() as warnings:
            found = [probe.unique_id for probe in self._helpers.ConnectHelper.get_all_connected_probes(blocking=False)]
        if self._probe in found:
            return str(self._probe)
        if self._probe is None and len(found) == 1:
            return str(found[0])
        # pyOCD leaves out of its list what it may not open, and warns.
        for warning in warnings:
            if "udev rule" in warning:
                raise FlashError(_no_permission(warning))
            if "no libusb library" in warning:
                raise FlashError("pyOCD finds no libusb, and ST-LINKs need it: pip install libusb-package")
        if self._probe is not None:
            raise FlashError(f"no debug probe {self._probe}; connected: {', '.join(found) or 'none'}")
        if not found:
            raise FlashError(
                "no debug probe is connected: plug in the USB connector of the board's debugger, with a cable that "
                "carries data"
            )
        raise FlashError(
            f"{len(found)} debug probes are connected: choose by --probe ID (in a run: probe in [measure]), one of "
            f"{', '.join(found)}"
        )


def load_flasher(board: Board, *, probe: str | None = None) -> Flasher:
    """Return what writes firmware to `board`. Raises `FlashError` for a board that cannot be flashed."""
    if board.flasher is None:
        raise FlashError(f"board {board.name} cannot be flashed: it has no [flasher] in its board file")
    return PyOcdFlasher(board.flasher.target, probe=probe)


def _why(error: BaseException, probe: str | None) -> str | None:
    """Why a probe cannot be opened, in the user's words; None where the error is of something else."""
    numbers, texts = set(), []
    cause: BaseException | None = error
    while cause is not None:
        numbers.add(getattr(cause, "errno", None))
        texts.append(str(cause))
        cause = cause.__cause__ or cause.__context__
    text = " ".join(texts)
    if errno.EBUSY in numbers:
        return f"another program holds the debug probe {probe} (a debugger, an IDE?): close that and try again"
    if errno.EACCES in numbers or "no langid" in text:
        return _no_permission(text)
    if errno.ENODEV in numbers:
        return f"the debug probe {probe} went away: connect it and try again"
    if "Unable to open device" in text:  # hidapi gives no reason
        return (
            f"the debug probe {probe} cannot be opened: another program holds it (close that), or there is no "
            f"permission (on Linux: {_PYOCD_RULES})"
        )
    return None


def _no_permission(text: str) -> str:
    """One line about a probe that this user may not open; `text` may name its maker's USB id."""
    maker = re.search(r"VID=([0-9a-fA-F]{4})", text)
    if maker is None:
        return f"no permission for the debug probe: install the udev rules of {_PYOCD_RULES} and plug it in again"
    rule = f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{maker[1].lower()}", MODE="0666"'
    return (
        f"no permission for the debug probe: write {rule} to /etc/udev/rules.d/50-debug-probe.rules, run `sudo udevadm "
        "control --reload` and plug it in again"
    )


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def _warnings_of_pyocd() -> Iterator[list[str]]:
    """What pyOCD warns of meanwhile."""
    collector, logger = _Collector(), logging.getLogger("pyocd")
    logger.addHandler(collector)
    try:
        yield collector.lines
    finally:
        logger.removeHandler(collector)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
