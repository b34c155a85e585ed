"""The host's side of the serial protocol (docs/protocol.md)."""

from __future__ import annotations

import enum
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tinynas.errors import UsageError

from ._errors import DeviceError, LinkError
from ._frames import DELIMITER, PROTOCOL_VERSION, Frame, FrameError, decode_frame, encode_frame
from ._heard import Heard
from ._transport import Transport

_HELLO = struct.Struct("<8I")
_NAME_BYTES = 32
_U32 = struct.Struct("<I")
_RUN = struct.Struct("<IQ")
_RANGE = struct.Struct("<II")
_MEMORY = struct.Struct("<6I")
_FAULT = struct.Struct("<7I")

# An inference may take this many times as long as predicted, and at least so long: a prediction in instructions, or in
# cycles of a model, knows neither wait states nor caches, and USB adapters hold bytes back for tens of milliseconds.
_PATIENCE = 5.0
_LEAST_PATIENCE_S = 2.0
_UNPREDICTED_S = 60.0
# A request that executes inferences is waited for twice: a RUN whose answer was lost is answered again at once.
_WAITS_FOR_INFERENCES = 2
# Longest request and answer: payload, header, CRC, COBS and delimiters; 8 data bits, a start and a stop bit.
_TRANSFER_BITS = 2 * 1040 * 10

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
    execute a repeated RUN twice. Whatever arrives, and however much of it, every call ends: a request waits at most
    `attempts` times `timeout` and a transfer, one that executes inferences at most twice the time that these may take.
    The virtual board, which answers at once or never, is always heard.

    Args:
        timeout: seconds for the answer to a request that executes no inference, beside those of the transfer.
        attempts: how often a request is sent before `LinkError` is raised.
        baud: bits per second of the line.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        timeout: float = 1.0,
        attempts: int = 3,
        baud: int = 115200,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._timeout = timeout
        self._attempts = attempts
        self._baud = baud
        self._clock = clock
        self._sequence = 0
        self._identity: Identity | None = None

    def hello(self) -> Identity:
        """Ask who is there, and forget what came before. Raises `LinkError` when nobody answers."""
        self._transport.reset_input_buffer()
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

    def write_input(self, data: bytes, *, expected_ticks: float | None = None) -> None:
        """Write the whole input tensor. Raises `UsageError` when the size is wrong.

        A model that takes its input row by row runs meanwhile: the inference is complete when this returns, and
        `expected_ticks` says, as for `run`, how long a piece may take.
        """
        if len(data) != self.identity.input_bytes:
            raise UsageError(f"the model takes {self.identity.input_bytes} input bytes, not {len(data)}")
        chunk = self.identity.payload_bytes - _U32.size
        seconds = self._patience(expected_ticks) if self.identity.row_bytes else None
        for offset in range(0, len(data), chunk):
            self._sized(
                self._request(Command.WRITE_INPUT, _U32.pack(offset) + data[offset : offset + chunk], seconds), 0
            )

    def run(self, inferences: int = 1, *, expected_ticks: float | None = None) -> RunResult:
        """Run inferences one after the other.

        An inference overwrites its input: the output is that of the input written only when `inferences` is 1. Where
        the input comes row by row, `write_input` has run it, this tells its ticks, and `inferences` must be 1.

        Args:
            inferences: how many.
            expected_ticks: of one inference, as predicted or measured before: the answer is due within five times as
                long at the clock that the device tells, and 2 s at least; within 60 s where nothing is expected.

        Raises:
            LinkError: no answer within twice that time.
        """
        seconds = self._patience(None if expected_ticks is None else inferences * expected_ticks)
        done, ticks = self._fields(_RUN, self._request(Command.RUN, _U32.pack(inferences), seconds))
        if done != inferences:
            raise LinkError(f"RUN of {inferences} inferences was answered with {done}: reset the board")
        return RunResult(done, ticks, self._transport.tick_unit)

    def read_output(self) -> bytes:
        """Read the whole output tensor."""
        size, chunk = self.identity.output_bytes, self.identity.payload_bytes
        parts = []
        for offset in range(0, size, chunk):
            due = min(chunk, size - offset)
            parts.append(self._sized(self._request(Command.READ_OUTPUT, _RANGE.pack(offset, due)), due))
        return b"".join(parts)

    def infer(self, data: bytes) -> bytes:
        """Write an input, run one inference, read the output."""
        self.write_input(data)
        self.run()
        return self.read_output()

    def profile(self, *, expected_ticks: float | None = None) -> tuple[int, ...]:
        """Run one inference and return the ticks of every step, profiling overhead included.

        `expected_ticks` is that of `run`.
        """
        steps = self.identity.steps
        payload = self._sized(self._request(Command.PROFILE, b"", self._patience(expected_ticks)), 4 * steps)
        return struct.unpack(f"<{steps}I", payload)

    def memory(self) -> MemoryReport:
        """Return the sizes of the memory sections and the stack's high-water mark."""
        return MemoryReport(*self._fields(_MEMORY, self._request(Command.MEMORY)))

    def _patience(self, expected_ticks: float | None) -> float:
        """Seconds within which inferences of so many ticks have to be answered."""
        clock_hz = self.identity.clock_hz
        if expected_ticks is None or clock_hz == 0:
            return _UNPREDICTED_S
        return max(_LEAST_PATIENCE_S, _PATIENCE * expected_ticks / clock_hz)

    def _request(self, command: Command, payload: bytes = b"", inference_seconds: float | None = None) -> bytes:
        """Ask until an answer comes, and return its payload.

        Args:
            command: what is asked.
            payload: with what.
            inference_seconds: within which the inferences that it executes are done; None where there are none.
        """
        self._sequence = (self._sequence + 1) % 256
        request = Frame(command, self._sequence, payload=payload)
        executes = inference_seconds is not None
        seconds = _TRANSFER_BITS / self._baud + (self._timeout if inference_seconds is None else inference_seconds)
        heard, sent, begun = Heard(), 0, self._clock()
        end = begun + seconds * (min(self._attempts, _WAITS_FOR_INFERENCES) if executes else self._attempts)
        while sent < self._attempts and (sent == 0 or self._clock() < end):
            deadline = min(self._clock() + seconds, end)
            # The leading delimiter ends whatever half frame the receiver may be in.
            self._transport.write(DELIMITER + encode_frame(request))
            sent += 1
            answer = self._receive(request, deadline, heard)
            if answer is not None:
                return answer.payload
            self._transport.reset_input_buffer()
        raise LinkError(
            f"the device does not answer {command.name} ({sent} attempts, {self._clock() - begun:.1f} s): "
            f"{heard.explain(self._baud)}"
        )

    def _receive(self, request: Frame, deadline: float, heard: Heard) -> Frame | None:
        """Return the answer to a request; None where it has to be repeated, with what came instead in `heard`."""
        remaining = max(deadline - self._clock(), 0.0)
        while True:
            self._transport.timeout = remaining
            data = self._transport.read_until(DELIMITER)
            if not data:
                return None
            frame = self._frame(data, heard)
            if frame is not None:
                if frame.sequence == request.sequence and frame.command == request.command:
                    # The bytes of an output can be those of the request for them.
                    if frame != request or request.command == Command.READ_OUTPUT:
                        return self._accepted(frame)
                    heard.echoes += 1
                elif frame.status == Status.BAD_FRAME:
                    heard.damaged_requests += 1
                    return None
                else:
                    heard.other_answers += 1  # late: to a request that was repeated
            elif data.endswith(DELIMITER) and data != DELIMITER:
                return None
            remaining = deadline - self._clock()
            if remaining <= 0:
                return None

    def _frame(self, data: bytes, heard: Heard) -> Frame | None:
        """The frame in what was read, None where there is none.

        Raises:
            LinkError: it is of another version of the protocol.
            DeviceError: it reports a fault.
        """
        if data == DELIMITER:
            heard.zero_bytes += 1
            return None
        try:
            if not data.endswith(DELIMITER):
                raise FrameError("half a frame")
            frame = decode_frame(data)
        except FrameError:
            heard.garbage_bytes += len(data)
            heard.garbage_pieces += 1
            return None
        if frame.version != PROTOCOL_VERSION or frame.status == Status.BAD_VERSION:
            raise LinkError(
                f"the firmware speaks protocol version {frame.version}, this host version {PROTOCOL_VERSION}: "
                "build and flash it again"
            )
        if frame.command == Command.FAULT:
            raise self._fault(frame.payload)
        return frame

    @staticmethod
    def _accepted(frame: Frame) -> Frame:
        if frame.status != Status.OK:
            name = Status(frame.status).name if frame.status in set(Status) else f"status {frame.status}"
            raise DeviceError(f"the device refuses {Command(frame.command).name}: {name}", frame.status)
        return frame

    def _fault(self, payload: bytes) -> DeviceError:
        vector, pc, lr, cfsr, hfsr, mmfar, bfar = self._fields(_FAULT, payload)
        name = _EXCEPTIONS.get(vector, f"exception {vector}")
        return DeviceError(
            f"the firmware stopped with a {name} at pc 0x{pc:08x} (lr 0x{lr:08x}, CFSR 0x{cfsr:08x}, "
            f"HFSR 0x{hfsr:08x}, MMFAR 0x{mmfar:08x}, BFAR 0x{bfar:08x}): reset the board",
            Status.FAULT,
        )

    @classmethod
    def _fields(cls, layout: struct.Struct, payload: bytes) -> tuple[int, ...]:
        return layout.unpack(cls._sized(payload, layout.size))

    @staticmethod
    def _sized(payload: bytes, size_bytes: int) -> bytes:
        if len(payload) != size_bytes:
            raise LinkError(f"an answer of {len(payload)} bytes where {size_bytes} are due: build and flash again")
        return payload
