"""What carries frames: a serial port, or the virtual board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import serial
from serial.tools import list_ports as serial_ports

from ._errors import LinkError


class Transport(Protocol):
    """The part of pyserial's interface that `Device` uses, and what the ticks at the other end are.

    Implementations pass `tinynas.testing.BaseTransportTestCase`.
    """

    timeout: float | None
    """Seconds that `read_until` waits for the terminator."""

    @property
    def tick_unit(self) -> Literal["cycles", "instructions"]:
        """What the tick counter of the device counts."""
        ...

    def write(self, data: bytes) -> int | None:
        """Send bytes. Raises `LinkError`."""
        ...

    def read_until(self, expected: bytes) -> bytes:
        """Return everything up to and with `expected`, or less when the time-out has passed. Raises `LinkError`."""
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

    Raises `LinkError` when the port cannot be opened, and from every method when it fails.
    """

    def __init__(self, port: str, baud: int = 115200, *, timeout: float | None = 1.0) -> None:
        self.name = port
        try:
            self._serial: Any = serial.serial_for_url(port, baudrate=baud, timeout=timeout)
        except (serial.SerialException, OSError, ValueError) as error:
            known = ", ".join(info.device for info in list_ports()) or "none"
            raise LinkError(f"cannot open serial port {port}: {_reason(error)}; ports of this host: {known}") from error

    @property
    def tick_unit(self) -> Literal["cycles", "instructions"]:
        return "cycles"

    @property
    def timeout(self) -> float | None:
        return self._serial.timeout  # type: ignore[no-any-return]  # pyserial is untyped

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._serial.timeout = seconds

    def write(self, data: bytes) -> int | None:
        try:
            return self._serial.write(data)  # type: ignore[no-any-return]  # pyserial is untyped
        except (serial.SerialException, OSError) as error:
            raise LinkError(f"serial port {self.name}: {_reason(error)}; is the board still connected?") from error

    def read_until(self, expected: bytes) -> bytes:
        try:
            return bytes(self._serial.read_until(expected))
        except (serial.SerialException, OSError) as error:
            raise LinkError(f"serial port {self.name}: {_reason(error)}; is the board still connected?") from error

    def reset_input_buffer(self) -> None:
        try:
            self._serial.reset_input_buffer()
        except (serial.SerialException, OSError) as error:
            raise LinkError(f"serial port {self.name}: {_reason(error)}; is the board still connected?") from error

    def close(self) -> None:
        self._serial.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
