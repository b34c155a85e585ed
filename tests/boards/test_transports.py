"""The virtual board and the serial port (a pseudo-terminal with firmware behind it) pass the same contract."""

from __future__ import annotations

import os
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_models import build_copy

from tinynas.boards import Device, Firmware, LinkError, SerialPort, Transport, VirtualBoard
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


def test_a_port_that_does_not_exist_is_one_clear_line() -> None:
    with pytest.raises(LinkError, match=r"cannot open serial port /dev/nowhere: .*; ports of this host: ") as caught:
        SerialPort("/dev/nowhere")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_port_of_an_unknown_kind_is_one_clear_line() -> None:
    with pytest.raises(LinkError, match="cannot open serial port carrier-pigeon://"):
        SerialPort("carrier-pigeon://coop")
