"""The flasher follows pyOCD's documented interface (a stand-in here) and turns its failures into one clear line."""

from __future__ import annotations

import logging
import sys
import types
from pathlib import Path

import pytest

from tinynas.boards import FlashError, PyOcdFlasher, load_flasher
from tinynas.errors import MissingExtraError
from tinynas.targets import load_board


class _PyOcdError(RuntimeError):
    pass


class _ProbeError(_PyOcdError):
    pass


class _UsbError(OSError):
    """pyusb's: usb.core.USBError(strerror, error_code, errno)."""

    def __init__(self, text: str, code: int, number: int) -> None:
        super().__init__(number, text)
        self.backend_error_code = code


class _TargetSupportError(_PyOcdError):
    pass


class _Probe:
    def __init__(self, unique_id: str) -> None:
        self.unique_id = unique_id


class FakePyOcd:
    """The modules of pyOCD that the flasher uses; records what is asked of them, fails where told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.probes = ["A1"]
        self.log: list[object] = []
        self.session_error: Exception | None = None
        self.program_error: Exception | None = None
        self.open_error: Exception | None = None
        self.warning = ""
        fake = self

        class ConnectHelper:
            @staticmethod
            def get_all_connected_probes(*, blocking: bool) -> list[_Probe]:
                assert not blocking
                if fake.warning:
                    logging.getLogger("pyocd.probe.stlink.usb").warning(fake.warning)
                return [_Probe(name) for name in fake.probes]

            @staticmethod
            def session_with_chosen_probe(
                *, blocking: bool, return_first: bool, unique_id: str, options: dict[str, str]
            ) -> Session:
                assert not blocking
                assert not return_first
                if fake.session_error is not None:
                    raise fake.session_error
                fake.log.append((unique_id, options))
                return Session()

        class Session:
            def __init__(self) -> None:
                self.target = self

            def __enter__(self) -> Session:
                if fake.open_error is not None:
                    raise fake.open_error
                return self

            def __exit__(self, *_: object) -> None:
                fake.log.append("closed")

            def reset(self) -> None:
                fake.log.append("reset")

        class FileProgrammer:
            def __init__(self, session: Session) -> None:
                pass

            def program(self, path: str) -> None:
                if fake.program_error is not None:
                    raise fake.program_error
                fake.log.append(path)

        for name, contents in {
            "pyocd": {},
            "pyocd.core": {},
            "pyocd.core.helpers": {"ConnectHelper": ConnectHelper},
            "pyocd.core.exceptions": {"Error": _PyOcdError, "TargetSupportError": _TargetSupportError},
            "pyocd.flash": {},
            "pyocd.flash.file_programmer": {"FileProgrammer": FileProgrammer},
        }.items():
            module = types.ModuleType(name)
            module.__dict__.update(contents)
            monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def pyocd(monkeypatch: pytest.MonkeyPatch) -> FakePyOcd:
    return FakePyOcd(monkeypatch)


ELF = Path("firmware.elf")


def test_programs_resets_and_closes(pyocd: FakePyOcd) -> None:
    load_flasher(load_board("nucleo-f303k8")).flash(ELF)
    assert pyocd.log == [("A1", {"target_override": "stm32f303k8tx"}), "firmware.elf", "reset", "closed"]


def test_a_probe_is_chosen_by_id(pyocd: FakePyOcd) -> None:
    pyocd.probes = ["A1", "B2"]
    PyOcdFlasher("stm32f303k8tx", probe="B2").flash(ELF)
    assert pyocd.log[0] == ("B2", {"target_override": "stm32f303k8tx"})


@pytest.mark.parametrize(
    ("probes", "wanted", "message"),
    [
        ([], None, "no debug probe is connected: plug in"),
        (["A1", "B2"], None, r"2 debug probes are connected: choose by --probe ID .*, one of A1, B2"),
        (["A1"], "C3", "no debug probe C3; connected: A1"),
        ([], "C3", "no debug probe C3; connected: none"),
    ],
)
def test_never_flashes_a_board_that_was_not_meant(
    pyocd: FakePyOcd, probes: list[str], wanted: str | None, message: str
) -> None:
    pyocd.probes = probes
    with pytest.raises(FlashError, match=message) as caught:
        PyOcdFlasher("stm32f303k8tx", probe=wanted).flash(ELF)
    assert pyocd.log == []
    assert caught.value.exit_code == 3


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


BUSY = _UsbError("Resource busy", -6, 16)
DENIED = _UsbError("Access denied (insufficient permissions)", -3, 13)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        # An ST-LINK: claim_interface raises what pyusb raises (pyocd/probe/stlink/usb.py).
        (BUSY, "another program holds the debug probe A1 .*: close that and try again"),
        (DENIED, r"no permission for the debug probe: install the udev rules of https://github\.com/pyocd"),
        # CMSIS-DAP v2 wraps it (pyusb_v2_backend.py, cmsis_dap_probe.py).
        (
            _caused(_ProbeError("Unable to open device"), _caused(_PyOcdError("Unable to open device"), BUSY)),
            "another program holds the debug probe A1",
        ),
        (_caused(_ProbeError("Unable to open device"), DENIED), "no permission for the debug probe"),
        # CMSIS-DAP v1: hidapi says no more (hidapi_backend.py).
        (
            _ProbeError("Unable to open device: open failed"),
            r"debug probe A1 cannot be opened: another program holds it \(close that\), or there is no permission",
        ),
        # pyusb, where the descriptors of a device may not be read.
        (
            ValueError("The device has no langid (permission issue, no string descriptors supported or device error)"),
            "no p",
        ),
        (_UsbError("No such device (it may have been disconnected)", -4, 19), "the debug probe A1 went away"),
        (_ProbeError("STLink error (9): Get IDCODE error"), r"cannot write firmware\.elf to .*: STLink error \(9\)"),
    ],
)
def test_why_a_probe_cannot_be_opened(pyocd: FakePyOcd, error: Exception, message: str) -> None:
    pyocd.open_error = error
    with pytest.raises(FlashError, match=message) as caught:
        PyOcdFlasher("stm32f303k8tx").flash(ELF)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("probes", "wanted"), [([], None), ([], "C3"), (["A1"], "C3"), (["A1", "B2"], None)])
def test_a_probe_that_may_not_be_opened_is_not_called_absent(
    pyocd: FakePyOcd, probes: list[str], wanted: str | None
) -> None:
    """pyOCD leaves it out of its list, and warns (pyocd/probe/stlink/usb.py)."""
    pyocd.probes = probes
    pyocd.warning = (
        "[Errno 13] Access denied (insufficient permissions) while trying to get the STLink USB device configuration "
        "(VID=0483 PID=374B). This can probably be remedied with a udev rule. See "
        "<https://github.com/pyocd/pyOCD/tree/master/udev> for help."
    )
    with pytest.raises(
        FlashError, match=r'SUBSYSTEM=="usb", ATTR\{idVendor\}=="0483", MODE="0666" to /etc/udev/rules\.d/'
    ):
        PyOcdFlasher("stm32f303k8tx", probe=wanted).flash(ELF)


def test_a_probe_of_another_that_may_not_be_opened_does_not_matter(pyocd: FakePyOcd) -> None:
    pyocd.warning = "[Errno 13] Access denied (VID=0d28 PID=0204). This can probably be remedied with a udev rule."
    PyOcdFlasher("stm32f303k8tx").flash(ELF)
    assert "firmware.elf" in pyocd.log


def test_a_missing_libusb_is_named(pyocd: FakePyOcd) -> None:
    pyocd.probes = []
    pyocd.warning = "STLink and CMSIS-DAPv2 probes are not supported because no libusb library was found."
    with pytest.raises(FlashError, match="finds no libusb"):
        PyOcdFlasher("stm32f303k8tx").flash(ELF)


def test_an_unknown_chip_says_which_pack_to_install(pyocd: FakePyOcd) -> None:
    pyocd.session_error = _TargetSupportError("Target type stm32f303k8tx not recognized.\nUse 'pyocd list'")
    with pytest.raises(FlashError, match=r"run `pyocd pack install stm32f303k8tx`") as caught:
        PyOcdFlasher("stm32f303k8tx").flash(ELF)
    assert "\n" not in str(caught.value)


def test_a_failure_while_programming_closes_the_session(pyocd: FakePyOcd) -> None:
    pyocd.program_error = _PyOcdError("flash program page failure (address 0x08000000; result code 0x1)")
    with pytest.raises(FlashError, match=r"cannot write firmware\.elf to stm32f303k8tx: flash program page failure"):
        PyOcdFlasher("stm32f303k8tx").flash(ELF)
    assert pyocd.log[-1] == "closed"


def test_pyocd_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyocd", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tinynas\[flash\]'"):
        load_flasher(load_board("nucleo-f303k8"))


def test_virtual_boards_are_not_flashed() -> None:
    with pytest.raises(FlashError, match="virt-m4 cannot be flashed"):
        load_flasher(load_board("virt-m4"))
