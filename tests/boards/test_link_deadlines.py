"""Every call of `Device` ends in the time that docs/protocol.md tells, whatever comes, and says what came."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from tinynas.boards import Command, Device, Frame, LinkError, decode_frame, encode_frame
from tinynas.testing import BabblingLine, FakeClock

CLOCK_HZ = 1_000_000
TRANSFER_S = 20_800 / 115_200
SHORT_S = 3 * (1.0 + TRANSFER_S)
STRANGER = encode_frame(Frame(Command.HELLO, 200, payload=bytes(96)))
CHATTER = {
    "nothing": (b"", "nothing came: is TinyNAS firmware flashed"),
    "zero bytes": (b"\x00", r"only zero bytes came \([\d,]+\): is the board powered"),
    "noise": (b"\x55\xaa", r"[\d,]+ bytes came that are no frames: a wrong baud rate is the likely cause .*115200"),
    "noise in pieces": (b"\x55\xaa\x00", r"[\d,]+ bytes came that are no frames: a wrong baud rate"),
    "other answers": (STRANGER, r"answers to other requests came \([\d,]+\): does another program use the port\?"),
    "damaged requests": (
        encode_frame(Frame(Command.NONE, 9, status=1)),
        r"the device received damaged frames only \(3\): are the cable",
    ),
}


class _LostAfterHello(BabblingLine):
    """A device that tells its clock, and from then on only `chatter` comes."""

    def __init__(self, chatter: bytes, clock: FakeClock, *, row_bytes: int = 0) -> None:
        super().__init__(chatter, clock)
        self._hello = struct.pack("<8I64x", CLOCK_HZ, 1024, 16, 16, 32, 2, row_bytes, 7)
        self._answer = b""

    def write(self, data: bytes) -> int | None:
        request = decode_frame(data.removeprefix(b"\x00"))
        if request.command == Command.HELLO:
            self._answer = encode_frame(Frame(Command.HELLO, request.sequence, payload=self._hello))
        return super().write(data)

    def read_until(self, expected: bytes) -> bytes:
        answer, self._answer = self._answer, b""
        return answer or super().read_until(expected)


@pytest.mark.parametrize("chatter", CHATTER)
def test_a_request_ends_whatever_comes_and_says_what_came(chatter: str) -> None:
    sent, message = CHATTER[chatter]
    clock = FakeClock()
    line = BabblingLine(sent, clock)
    with pytest.raises(LinkError, match=rf"does not answer HELLO \(3 attempts, .* s\): {message}") as caught:
        Device(line, clock=clock).hello()
    assert clock.now <= SHORT_S + 0.001
    assert len(set(line.requests)) == 1
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


CALLS: dict[str, Callable[[Device, float | None], object]] = {
    "RUN": lambda device, ticks: device.run(expected_ticks=ticks),
    "PROFILE": lambda device, ticks: device.profile(expected_ticks=ticks),
}


@pytest.mark.parametrize("chatter", CHATTER)
@pytest.mark.parametrize(("ticks", "seconds"), [(1000, 2.0), (10 * CLOCK_HZ, 50.0), (None, 60.0)])
@pytest.mark.parametrize("command", CALLS)
def test_a_lost_inference_is_reported_in_time_that_follows_from_what_is_expected(
    command: str, ticks: float | None, seconds: float, chatter: str
) -> None:
    clock = FakeClock()
    device = Device(_LostAfterHello(CHATTER[chatter][0], clock), clock=clock)
    with pytest.raises(LinkError, match=f"does not answer {command} .*{CHATTER[chatter][1]}"):
        CALLS[command](device, ticks)
    assert clock.now <= 2 * (seconds + TRANSFER_S) + 0.001


def test_an_inference_that_is_silent_is_asked_for_twice_with_one_number() -> None:
    clock = FakeClock()
    line = _LostAfterHello(b"", clock)
    with pytest.raises(LinkError, match=r"RUN \(2 attempts, 4\.4 s\)"):
        Device(line, clock=clock).run(expected_ticks=1000)
    _, first, second = line.requests
    assert first == second


def test_several_inferences_may_take_several_times_as_long() -> None:
    clock = FakeClock()
    with pytest.raises(LinkError):
        Device(_LostAfterHello(b"", clock), clock=clock).run(3, expected_ticks=CLOCK_HZ)
    assert clock.now == pytest.approx(2 * (15 + TRANSFER_S))


@pytest.mark.parametrize(("row_bytes", "seconds"), [(0, SHORT_S), (4, 2 * (10 + TRANSFER_S))])
def test_pieces_of_an_input_by_rows_may_take_an_inference(row_bytes: int, seconds: float) -> None:
    clock = FakeClock()
    device = Device(_LostAfterHello(b"", clock, row_bytes=row_bytes), clock=clock)
    with pytest.raises(LinkError, match="does not answer WRITE_INPUT"):
        device.write_input(bytes(16), expected_ticks=2 * CLOCK_HZ)
    assert clock.now == pytest.approx(seconds)


def test_slow_lines_have_the_time_that_they_take() -> None:
    clock = FakeClock()
    with pytest.raises(LinkError):
        Device(BabblingLine(b"", clock), baud=9600, clock=clock).hello()
    assert clock.now == pytest.approx(3 * (1.0 + 20_800 / 9600))


def test_a_line_that_sends_back_what_it_is_sent_is_named() -> None:
    class Loopback(BabblingLine):
        def write(self, data: bytes) -> int | None:
            self._chatter += data
            return super().write(data)

        def read_until(self, expected: bytes) -> bytes:
            piece, found, self._chatter = self._chatter.partition(expected)
            return piece + found

    clock = FakeClock()
    with pytest.raises(LinkError, match="sends back what it is sent: are RX and TX connected"):
        Device(Loopback(b"", clock), clock=clock).hello()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Frame(Command.RUN, 2, payload=struct.pack("<IQ", 7, 100)), "RUN of 1 inferences was answered with 7"),
        (Frame(Command.RUN, 2, payload=bytes(4)), "an answer of 4 bytes where 12 are due"),
    ],
)
def test_an_answer_that_makes_no_sense_is_no_result(answer: Frame, message: str) -> None:
    clock = FakeClock()
    with pytest.raises(LinkError, match=message):
        Device(_LostAfterHello(encode_frame(answer), clock), clock=clock).run()


def test_an_output_of_another_size_is_no_result() -> None:
    clock = FakeClock()
    short = encode_frame(Frame(Command.READ_OUTPUT, 2, payload=bytes(15)))
    with pytest.raises(LinkError, match="an answer of 15 bytes where 16 are due"):
        Device(_LostAfterHello(short, clock), clock=clock).read_output()
