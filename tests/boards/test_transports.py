"""The virtual board and the serial port (a pseudo-terminal with firmware behind it) pass the same contract."""

from __future__ import annotations

import errno
import os
import re
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from small_models import build_copy

from tinynas.boards import Device, Firmware, LinkError, SerialPort, Transport, VirtualBoard
from tinynas.boards import _transport as transports
from tinynas.targets import load_board
from tinynas.testing import BaseTransportTestCase


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return build_copy(load_board("nucleo-f303k8"), tmp_path_factory.mktemp("firmware"), size=300)


class TestVirtualBoard(BaseTransportTestCase):
    @pytest.fixture
    def transport(self, firmware: Firmware) -> Iterator[Transport]:
        with VirtualBoard(load_board("nucleo-f303k8"), firmware.elf) as board:
            yield board


class TestSerialPort(BaseTransportTestCase):
    """pyserial on one end of a pseudo-terminal, the emulated firmware on the other."""

    @pytest.fixture
    def transport(self, firmware: Firmware) -> Iterator[Transport]:
        with Served(firmware.elf) as name, SerialPort(name, 115200) as port:
            yield port


class Served:
    """A pseudo-terminal with a virtual board at its far end, as a context manager that gives the port's name."""

    def __init__(self, elf: Path) -> None:
        self._board = VirtualBoard(load_board("nucleo-f303k8"), elf)
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self._thread = threading.Thread(target=self._relay, daemon=True)

    def _relay(self) -> None:
        while data := os.read(self._master, 4096):
            if b"\xee" * 8 in data:
                return
            self._board.write(data)
            while answer := self._board.read_until(b"\x00"):
                os.write(self._master, answer)

    def __enter__(self) -> str:
        self._thread.start()
        return os.ttyname(self._slave)

    def __exit__(self, *_: object) -> None:
        os.write(self._slave, b"\xee" * 8)  # ends the relay
        self._thread.join(timeout=10)
        os.close(self._slave)
        os.close(self._master)
        assert not self._thread.is_alive()


def test_the_same_device_code_talks_to_both(firmware: Firmware) -> None:
    data = bytes(range(256)) + bytes(44)
    with VirtualBoard(load_board("nucleo-f303k8"), firmware.elf) as board:
        expected = Device(board).infer(data)
    with Served(firmware.elf) as name, SerialPort(name) as port:
        assert Device(port).infer(data) == expected == data


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """A pseudo-terminal: the end of the device, and the name of the port."""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(slave)
    os.close(master)


def test_a_port_is_for_one_program_at_a_time(terminal: tuple[int, str]) -> None:
    _, name = terminal
    with SerialPort(name), pytest.raises(LinkError, match=f"{name}: another program holds it .*: close that") as caught:
        SerialPort(name)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
    SerialPort(name).close()


@pytest.mark.parametrize(
    ("number", "text", "message"),
    [
        (errno.EBUSY, "could not open port /dev/ttyX: [Errno 16] Device or resource busy", "another program holds it"),
        (errno.EAGAIN, "Could not exclusively lock port /dev/ttyX: [Errno 11] Resource", "another program holds it"),
        (
            errno.EACCES,
            "could not open port /dev/ttyX: [Errno 13] Permission denied: '/dev/ttyX'",
            "no permission: it belongs to the group dialout; run `sudo usermod -aG dialout $USER` and log in again, or "
            "add a udev rule",
        ),
        (
            errno.ENOENT,
            "could not open port /dev/ttyX: [Errno 2] No such file or directory: '/dev/ttyX'",
            "there is no such port; is the board plugged in?; ports of this host: none",
        ),
        (
            errno.EIO,
            "could not open port /dev/ttyX: [Errno 5] Input/output error",
            "could not open port /dev/ttyX: [Errno 5] Input/output error; ports of this host: none",
        ),
    ],
)
def test_why_a_port_cannot_be_opened(number: int, text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pyserial says it."""

    def refuse(*words: object, **options: object) -> None:
        raise serial.SerialException(number, text)

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    monkeypatch.setattr(transports, "list_ports", lambda: ())
    with pytest.raises(LinkError, match=re.escape(f"cannot open serial port /dev/ttyX: {message}")) as caught:
        SerialPort("/dev/ttyX")
    assert caught.value.exit_code == 3


def test_windows_names_a_port_in_use_as_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "could not open port 'COM3': PermissionError(13, 'Access is denied.', None, 5)"
    monkeypatch.setattr(os, "name", "nt")
    assert "another program holds it" in transports._why_closed("COM3", serial.SerialException(text))


@pytest.mark.parametrize("chatter", [b"\x00" * 512, b"\x55" * 512, b"\x03\x01\x02\x00" * 128])
def test_a_port_that_never_falls_silent_does_not_hang_the_device(terminal: tuple[int, str], chatter: bytes) -> None:
    master, name = terminal
    done = threading.Event()

    def babble() -> None:
        os.set_blocking(master, False)
        while not done.is_set():
            try:
                os.write(master, chatter)
            except BlockingIOError:
                time.sleep(0.001)

    thread = threading.Thread(target=babble, daemon=True)
    thread.start()
    try:
        with SerialPort(name) as port:
            begun = time.monotonic()
            with pytest.raises(LinkError, match="does not answer HELLO"):
                Device(port, timeout=0.2).hello()
            assert time.monotonic() - begun < 5
    finally:
        done.set()
        thread.join(timeout=10)


def test_a_port_that_takes_no_bytes_does_not_hang(terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "_WRITE_S", 0.1)
    with SerialPort(terminal[1]) as port, pytest.raises(LinkError, match="takes no bytes: nobody reads them"):
        port.write(bytes(1_000_000))


def test_a_second_reader_is_named(terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def read(size: int) -> bytes:
        raise serial.SerialException(
            "device reports readiness to read but returned no data (device disconnected or multiple access on port?)"
        )

    with SerialPort(terminal[1]) as port:
        monkeypatch.setattr(port._serial, "read", read)
        with pytest.raises(LinkError, match="was unplugged, or another program reads the port too"):
            port.read_until(b"\x00")


def test_a_port_that_does_not_exist_is_one_clear_line() -> None:
    with pytest.raises(LinkError, match=r"cannot open serial port /dev/nowhere: .*; ports of this host: ") as caught:
        SerialPort("/dev/nowhere")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_port_of_an_unknown_kind_is_one_clear_line() -> None:
    with pytest.raises(LinkError, match="cannot open serial port carrier-pigeon://"):
        SerialPort("carrier-pigeon://coop")
