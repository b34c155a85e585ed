"""The serial port of a real board, held for as long as work on the board takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tinynas.boards import SerialPort, Transport
from tinynas.targets import Board


@contextmanager
def connected(port: str | None, board: Board) -> Iterator[Transport | None]:
    """Hold the serial port of a board; gives None where the board is a virtual one.

    Opened before anything is built and flashed, a port that is missing or busy is noticed at once. It stays open until
    the measurement is done: some boards reset when a port is opened, and another program could take it meanwhile.

    Args:
        port: name or pyserial URL; None for the virtual board.
        board: says the baud rate.

    Raises:
        LinkError: the port cannot be opened.
    """
    if port is None:
        yield None
        return
    with SerialPort(port, baud_of(board)) as line:
        yield line


def baud_of(board: Board) -> int:
    """The baud rate of a board's serial line."""
    return board.serial.baud if board.serial is not None else 115200
