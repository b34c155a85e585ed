"""Models of the few peripherals that the firmware touches. A register that is not modelled is a bus fault."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol


class NoRegisterError(LookupError):
    """The firmware accessed an address of a peripheral at which nothing is modelled."""


class Peripheral(Protocol):
    """A block of registers. Offsets are relative to `address`; accesses are 32 bits wide."""

    @property
    def address(self) -> int: ...

    @property
    def size_bytes(self) -> int: ...

    def read(self, offset: int) -> int:
        """Return a register. Raises `NoRegisterError`."""
        ...

    def write(self, offset: int, value: int) -> None:
        """Write a register. Raises `NoRegisterError`."""
        ...


class SerialLine:
    """The two directions of a serial port, and whether the firmware waits for input.

    Firmware that asks for the receiver's status twice in a row, without sending or taking a byte in between, while
    nothing is left to be received, is waiting.
    """

    def __init__(self, on_idle: Callable[[], None]) -> None:
        self.to_device: deque[int] = deque()
        self.from_device = bytearray()
        self._on_idle = on_idle
        self._empty_polls = 0

    def poll(self) -> bool:
        """Note that the status was read; return whether a byte can be taken."""
        if self.to_device:
            return True
        self._empty_polls += 1
        if self._empty_polls >= 2:
            self._on_idle()
        return False

    def take(self) -> int:
        """Return the next byte for the device, 0 if there is none."""
        self._empty_polls = 0
        return self.to_device.popleft() if self.to_device else 0

    def send(self, byte: int) -> None:
        self._empty_polls = 0
        self.from_device.append(byte & 0xFF)


class RegisterBank:
    """Registers that keep what was written, with the value after reset. Subclasses give some of them behaviour."""

    def __init__(self, name: str, address: int, size_bytes: int, reset: dict[int, int]) -> None:
        self.name = name
        self.address = address
        self.size_bytes = size_bytes
        self.values = dict(reset)

    def read(self, offset: int) -> int:
        if offset not in self.values:
            raise NoRegisterError(f"{self.name} has no register at offset 0x{offset:02x}")
        return self.values[offset]

    def write(self, offset: int, value: int) -> None:
        if offset not in self.values:
            raise NoRegisterError(f"{self.name} has no register at offset 0x{offset:02x}")
        self.values[offset] = value


class VirtualPort(RegisterBank):
    """The invented peripheral of the reference boards: see firmware/hal/virt/hal.c."""

    def __init__(self, line: SerialLine, ticks: Callable[[], int]) -> None:
        super().__init__("virtual port", 0x40000000, 0x1000, {0: 0, 4: 0, 8: 0})
        self._line = line
        self._ticks = ticks

    def read(self, offset: int) -> int:
        if offset == 0:
            return 2 | (1 if self._line.poll() else 0)
        if offset == 4:
            return self._line.take()
        if offset == 8:
            return self._ticks() & 0xFFFFFFFF
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        if offset == 4:
            self._line.send(value)


class Usart(RegisterBank):
    """The USART of STM32F3 and F7 (RM0316, 29.8; RM0385, 31.8): it transmits at once and never overruns."""

    _CR1, _BRR, _ISR, _ICR, _RDR, _TDR = 0x00, 0x0C, 0x1C, 0x20, 0x24, 0x28

    def __init__(self, name: str, address: int, line: SerialLine) -> None:
        super().__init__(name, address, 0x400, dict.fromkeys(range(0, 0x2C, 4), 0))
        self._line = line

    def read(self, offset: int) -> int:
        enabled = self.values[self._CR1] & 0x5 == 0x5  # UE and RE
        if offset == self._ISR:
            received = self._line.poll() and enabled
            return 0xC0 | (0x20 if received else 0)  # TXE and TC; RXNE
        if offset == self._RDR:
            return self._line.take() if enabled else 0
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        if offset == self._TDR and self.values[self._CR1] & 0x9 == 0x9:  # UE and TE
            self._line.send(value)

    def baud(self, clock_hz: int) -> float:
        """Return the rate the firmware chose, given the clock of the peripheral (oversampling by 16)."""
        return clock_hz / self.values[self._BRR] if self.values[self._BRR] else 0.0


class SystemControl(RegisterBank):
    """The system control space of the core: vector table, coprocessor access, faults, caches, debug."""

    _CPACR = 0xD88
    _DEMCR = 0xDFC

    def __init__(self, on_fpu: Callable[[bool], None]) -> None:
        reset = {0xD00: 0, 0xD08: 0, 0xD14: 0, 0xD28: 0, 0xD2C: 0, 0xD34: 0, 0xD38: 0, 0xD80: 0, 0xD84: 0, 0xF50: 0}
        reset |= {self._CPACR: 0, self._DEMCR: 0, 0xF60: 0}
        super().__init__("system control space", 0xE000E000, 0x1000, reset)
        self._on_fpu = on_fpu

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        if offset == self._CPACR:
            self._on_fpu(value >> 20 & 0xF == 0xF)  # full access to coprocessors 10 and 11: DDI 0403, B3.2.20

    def is_tracing(self) -> bool:
        """Return whether the DWT is on: DEMCR.TRCENA (DDI 0403, C1.6.5)."""
        return self.values[self._DEMCR] >> 24 & 1 == 1


class CycleCounter(RegisterBank):
    """`DWT->CYCCNT`. On the virtual board it counts instructions, which are exact: cycles are a model there."""

    _CTRL, _CYCCNT, _LAR = 0x000, 0x004, 0xFB0

    def __init__(self, instructions: Callable[[], int], is_tracing: Callable[[], bool], *, locked: bool) -> None:
        super().__init__("DWT", 0xE0001000, 0x1000, {self._CTRL: 0x40000000, self._CYCCNT: 0, self._LAR: 0})
        self._instructions = instructions
        self._is_tracing = is_tracing
        self._locked = locked
        self._start = 0

    def read(self, offset: int) -> int:
        if offset == self._CYCCNT and self._runs():
            return (self._instructions() - self._start) & 0xFFFFFFFF
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        if offset == self._LAR:
            self._locked = value != 0xC5ACCE55
        elif self._locked:
            return
        super().write(offset, value)
        if offset in (self._CTRL, self._CYCCNT):
            self._start = self._instructions() - self.values[self._CYCCNT]

    def _runs(self) -> bool:
        return self._is_tracing() and self.values[self._CTRL] & 1 == 1
