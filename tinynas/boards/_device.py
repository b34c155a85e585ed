"""The host's side of the serial protocol (docs/protocol.md)."""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import Literal

from tinynas.errors import UsageError

from ._errors import DeviceError, LinkError
from ._frames import DELIMITER, PROTOCOL_VERSION, Frame, FrameError, decode_frame, encode_frame
from ._transport import Transport

_HELLO = struct.Struct("<8I")
_NAME_BYTES = 32
_U32 = struct.Struct("<I")
_RUN = struct.Struct("<IQ")
_RANGE = struct.Struct("<II")
_MEMORY = struct.Struct("<6I")
_FAULT = struct.Struct("<7I")
_EXCEPTIONS = {2: "NMI", 3: "HardFault", 4: "MemManage fault", 5: "BusFault", 6: "UsageFault"}


class Command(enum.IntEnum):
    """Commands: firmware/runtime/protocol.h."""

    NONE = 0x00
    HELLO = 0x01
    WRITE_INPUT = 0x02
    RUN = 0x03
    READ_OUTPUT = 0x04
    PROFILE = 0x05
    MEMORY = 0x06
    FAULT = 0x7F


class Status(enum.IntEnum):
    """Status codes: firmware/runtime/protocol.h."""

    OK = 0x00
    BAD_FRAME = 0x01
    BAD_VERSION = 0x02
    BAD_COMMAND = 0x03
    BAD_LENGTH = 0x04
    OUT_OF_RANGE = 0x05
    FAULT = 0x06
    NO_IMAGE = 0x07


@dataclass(frozen=True)
class Identity:
    """What a device says about itself. Sizes in bytes; `clock_hz` is the clock the HAL really reached.

    `row_bytes` is that of the input where it comes row by row, 0 where it is there as a whole.
    """

    clock_hz: int
    payload_bytes: int
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    steps: int
    row_bytes: int
    build_id: int
    board: str
    model: str


@dataclass(frozen=True)
class RunResult:
    """Ticks of `inferences` calls of model_invoke together, in `unit`."""

    inferences: int
    ticks: int
    unit: Literal["cycles", "instructions"]


@dataclass(frozen=True)
class MemoryReport:
    """The device's memory, in bytes. `bss_bytes` holds neither the arena nor the frame buffer."""

    data_bytes: int
    bss_bytes: int
    arena_bytes: int
    buffers_bytes: int
    stack_bytes: int
    stack_used_bytes: int

    @property
    def static_sram_bytes(self) -> int:
        return self.data_bytes + self.bss_bytes + self.arena_bytes + self.buffers_bytes

    @property
    def sram_high_water_bytes(self) -> int:
        """Everything static and the deepest the stack has been since reset."""
        return self.static_sram_bytes + self.stack_used_bytes


class Device:
    """Firmware at the other end of a transport.

    A request is repeated with the same sequence number when no answer or a damaged one comes; the firmware does not
    execute a repeated RUN twice.

    Args:
        timeout: seconds to wait for the answer to a request other than `run` and `profile`.
        attempts: how often a request is sent before `LinkError` is raised.
    """

    def __init__(self, transport: Transport, *, timeout: float = 1.0, attempts: int = 3) -> None:
        self._transport = transport
        self._timeout = timeout
        self._attempts = attempts
        self._sequence = 0
        self._identity: Identity | None = None

    def hello(self) -> Identity:
        """Ask who is there. Raises `LinkError` when nobody answers."""
        payload = self._request(Command.HELLO)
        clock, room, inputs, outputs, arena, steps, row, build = self._fields(_HELLO, payload[: _HELLO.size])
        names = payload[_HELLO.size :]
        if len(names) != 2 * _NAME_BYTES:
            raise LinkError(f"HELLO was answered with {len(payload)} bytes: build and flash the firmware again")
        board, model = (
            part.rstrip(b"\0").decode("ascii", "replace") for part in (names[:_NAME_BYTES], names[_NAME_BYTES:])
        )
        self._identity = Identity(clock, room, inputs, outputs, arena, steps, row, build, board, model)
        return self._identity

    @property
    def identity(self) -> Identity:
        """The answer to `hello`, asked for once."""
        return self._identity if self._identity is not None else self.hello()

    def write_input(self, data: bytes, *, timeout: float = 60.0) -> None:
        """Write the whole input tensor. Raises `UsageError` when the size is wrong.

        A model that takes its input row by row runs meanwhile: the inference is complete when this returns.
        """
        if len(data) != self.identity.input_bytes:
            raise UsageError(f"the model takes {self.identity.input_bytes} input bytes, not {len(data)}")
        chunk = self.identity.payload_bytes - _U32.size
        for offset in range(0, len(data), chunk):
            piece = _U32.pack(offset) + data[offset : offset + chunk]
            self._request(Command.WRITE_INPUT, piece, timeout if self.identity.row_bytes else None)

    def run(self, inferences: int = 1, *, timeout: float = 60.0) -> RunResult:
        """Run inferences one after the other; `timeout` in seconds for all of them.

        An inference overwrites its input: the output is that of the input written only when `inferences` is 1. Where
        the input comes row by row, `write_input` has run it, this tells its ticks, and `inferences` must be 1.
        """
        done, ticks = self._fields(_RUN, self._request(Command.RUN, _U32.pack(inferences), timeout))
        return RunResult(done, ticks, self._transport.tick_unit)

    def read_output(self) -> bytes:
        """Read the whole output tensor."""
        size, chunk = self.identity.output_bytes, self.identity.payload_bytes
        parts = [
            self._request(Command.READ_OUTPUT, _RANGE.pack(offset, min(chunk, size - offset)))
            for offset in range(0, size, chunk)
        ]
        return b"".join(parts)

    def infer(self, data: bytes) -> bytes:
        """Write an input, run one inference, read the output."""
        self.write_input(data)
        self.run()
        return self.read_output()

    def profile(self, *, timeout: float = 60.0) -> tuple[int, ...]:
        """Run one inference and return the ticks of every step, profiling overhead included."""
        payload = self._request(Command.PROFILE, timeout=timeout)
        return struct.unpack(f"<{len(payload) // 4}I", payload)

    def memory(self) -> MemoryReport:
        """Return the sizes of the memory sections and the stack's high-water mark."""
        return MemoryReport(*self._fields(_MEMORY, self._request(Command.MEMORY)))

    def _request(self, command: Command, payload: bytes = b"", timeout: float | None = None) -> bytes:
        self._sequence = (self._sequence + 1) % 256
        request = encode_frame(Frame(command, self._sequence, payload=payload))
        self._transport.timeout = self._timeout if timeout is None else timeout
        problem = "no answer"
        for _ in range(self._attempts):
            # The leading delimiter ends whatever half frame the receiver may be in.
            self._transport.write(DELIMITER + request)
            answer = self._receive(command)
            if isinstance(answer, Frame):
                return answer.payload
            problem = answer
            self._transport.reset_input_buffer()
        raise LinkError(
            f"the device does not answer ({problem}, {self._attempts} attempts): "
            "is TinyNAS firmware flashed, the port right and the board running?"
        )

    def _receive(self, command: Command) -> Frame | str:
        """Return the answer to the current request, or in words why it has to be repeated."""
        while True:
            data = self._transport.read_until(DELIMITER)
            if not data.endswith(DELIMITER):
                return "half an answer" if data else "no answer"
            if data == DELIMITER:
                continue
            try:
                frame = decode_frame(data)
            except FrameError as error:
                return str(error)
            if frame.version != PROTOCOL_VERSION or frame.status == Status.BAD_VERSION:
                raise LinkError(
                    f"the firmware speaks protocol version {frame.version}, this host version {PROTOCOL_VERSION}: "
                    "build and flash it again"
                )
            if frame.command == Command.FAULT:
                raise self._fault(frame.payload)
            if frame.status == Status.BAD_FRAME:
                return "the device received a damaged frame"
            if frame.sequence != self._sequence or frame.command != command:
                continue  # the late answer to a request that was repeated
            if frame.status != Status.OK:
                name = Status(frame.status).name if frame.status in set(Status) else f"status {frame.status}"
                raise DeviceError(f"the device refuses {command.name}: {name}", frame.status)
            return frame

    def _fault(self, payload: bytes) -> DeviceError:
        vector, pc, lr, cfsr, hfsr, mmfar, bfar = self._fields(_FAULT, payload)
        name = _EXCEPTIONS.get(vector, f"exception {vector}")
        return DeviceError(
            f"the firmware stopped with a {name} at pc 0x{pc:08x} (lr 0x{lr:08x}, CFSR 0x{cfsr:08x}, "
            f"HFSR 0x{hfsr:08x}, MMFAR 0x{mmfar:08x}, BFAR 0x{bfar:08x}): reset the board",
            Status.FAULT,
        )

    @staticmethod
    def _fields(layout: struct.Struct, payload: bytes) -> tuple[int, ...]:
        if len(payload) != layout.size:
            raise LinkError(f"an answer of {len(payload)} bytes where {layout.size} are due: build and flash again")
        return layout.unpack(payload)
