"""What carries frames: a serial port, or the virtual board."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import serial
from serial.tools import list_ports as serial_ports

from ._errors import LinkError

_POLL_S = 0.02  # how late the end of a time-out may be noticed
_WRITE_S = 2.0  # beside the time that the bytes take on the line
_LONGEST_PIECE = 4096  # bytes; the longest frame has less than 1100


class Transport(Protocol):
    """The part of pyserial's interface that `Device` uses, and what the ticks at the other end are.

    Implementations pass `tinynas.testing.BaseTransportTestCase`.
    """

    timeout: float | None
    """Seconds that `read_until` waits for the terminator; None: as long as it takes."""

    @property
    def tick_unit(self) -> Literal["cycles", "instructions"]:
        """What the tick counter of the device counts."""
        ...

    def write(self, data: bytes) -> int | None:
        """Send bytes. Raises `LinkError`."""
        ...

    def read_until(self, expected: bytes) -> bytes:
        """Return everything up to and with `expected`, or less when the time-out has passed.

        The whole call ends with the time-out, however much arrives. What is longer than any frame comes in pieces.
        Raises `LinkError`.
        """
        ...

    def reset_input_buffer(self) -> None:
        """Discard what was received and not read."""
        ...

    def close(self) -> None:
        """Release the port."""
        ...


@dataclass(frozen=True)
class PortInfo:
    """A serial port of this host."""

    device: str
    description: str


def list_ports() -> tuple[PortInfo, ...]:
    """Return the serial ports of this host, by name."""
    found = (PortInfo(port.device, port.description) for port in serial_ports.comports())
    return tuple(sorted(found, key=lambda port: port.device))


class SerialPort:
    """A serial port, by device name or by any URL that pyserial knows ("socket://host:port", "rfc2217://...").

    A port is opened for this program alone: of two that read one port, each gets half of the bytes. Raises `LinkError`
    when the port cannot be opened, and from every method when it fails.
    """

    def __init__(self, port: str, baud: int = 115200, *, timeout: float | None = 1.0) -> None:
        self.name = port
        self.timeout = timeout
        self._received = bytearray()
        options: dict[str, Any] = {"baudrate": baud, "timeout": _POLL_S, "exclusive": True}
        if not port.startswith("rfc2217://"):  # which knows no time-out for writing
            options["write_timeout"] = _WRITE_S + _LONGEST_PIECE * 10 / baud
        try:
            self._serial: Any = serial.serial_for_url(port, **options)
        except (serial.SerialException, OSError, ValueError) as error:
            raise LinkError(f"cannot open serial port {port}: {_why_closed(port, error)}") from error

    @property
    def tick_unit(self) -> Literal["cycles", "instructions"]:
        return "cycles"

    def write(self, data: bytes) -> int | None:
        try:
            return self._serial.write(data)  # type: ignore[no-any-return]  # pyserial is untyped
        except serial.SerialTimeoutException as error:
            raise LinkError(
                f"serial port {self.name} takes no bytes: nobody reads them at the other end; is the port right?"
            ) from error
        except (serial.SerialException, OSError) as error:
            raise self._failure(error) from error

    def read_until(self, expected: bytes) -> bytes:
        # pyserial's own waits for every byte anew, and a new time-out has rfc2217:// negotiate with the other end: its
        # time-out stays short, and time is kept here.
        end = None if self.timeout is None else time.monotonic() + self.timeout
        while (found := self._received.find(expected)) < 0 and len(self._received) < _LONGEST_PIECE:
            try:
                self._received += self._serial.read(max(1, self._serial.in_waiting))
            except (serial.SerialException, OSError) as error:
                raise self._failure(error) from error
            if end is not None and time.monotonic() >= end:
                found = self._received.find(expected)
                break
        size = found + len(expected) if found >= 0 else len(self._received)
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def reset_input_buffer(self) -> None:
        self._received.clear()
        try:
            self._serial.reset_input_buffer()
        except (serial.SerialException, OSError) as error:
            raise self._failure(error) from error

    def close(self) -> None:
        self._serial.close()

    def _failure(self, error: Exception) -> LinkError:
        if "multiple access" in str(error):
            reason = "the board was unplugged, or another program reads the port too"
        else:
            reason = f"{_reason(error)}; is the board still connected?"
        return LinkError(f"serial port {self.name}: {reason}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _why_closed(port: str, error: Exception) -> str:
    """Why a port cannot be opened, and what to do."""
    number = getattr(error, "errno", None)
    text = str(error)
    # pyserial locks the file (EAGAIN); others make the terminal theirs (EBUSY); Windows denies access to a port in use.
    if number in (errno.EAGAIN, errno.EACCES) and "exclusively lock" in text:
        number = errno.EBUSY
    if number == errno.EBUSY or (os.name == "nt" and "PermissionError" in text):
        return "another program holds it (a serial monitor, another measurement?): close that and try again"
    if number in (errno.EACCES, errno.EPERM):
        group = _group(port)
        return (
            f"no permission: it belongs to the group {group}; run `sudo usermod -aG {group} $USER` and log in again, "
            "or add a udev rule for the board"
        )
    known = ", ".join(info.device for info in list_ports()) or "none"
    reason = "there is no such port; is the board plugged in?" if number == errno.ENOENT else _reason(error)
    return f"{reason}; ports of this host: {known}"


def _group(port: str) -> str:
    """The group that owns a port; Debian's where that is not known."""
    try:
        return Path(port).group()
    except (OSError, KeyError, NotImplementedError):
        return "dialout"


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)  # pyserial's says more than the number's own
    return (text.splitlines() or [type(error).__name__])[0]
