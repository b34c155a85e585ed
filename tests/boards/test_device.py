"""The host's side of the protocol: on a good line, on a bad one, and with nobody at the other end."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import build_body, build_copy, build_increment

from tinynas.boards import (
    Command,
    Device,
    DeviceError,
    Firmware,
    Frame,
    LinkError,
    Status,
    VirtualBoard,
    decode_frame,
    encode_frame,
)
from tinynas.errors import UsageError
from tinynas.targets import Board, load_board
from tinynas.testing import DamagingTransport, ScriptedTransport

SIZE = 2500  # three frames


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board("nucleo-f303k8")


@pytest.fixture(scope="module")
def copy(board: Board, tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return build_copy(board, tmp_path_factory.mktemp("copy"), size=SIZE)


@pytest.fixture(scope="module")
def increment(board: Board, tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return build_increment(board, tmp_path_factory.mktemp("increment"))


@pytest.fixture(scope="module")
def echo(board: Board, copy: Firmware) -> Device:
    return Device(VirtualBoard(board, copy.elf))


def test_hello(board: Board, copy: Firmware) -> None:
    identity = Device(VirtualBoard(board, copy.elf)).hello()
    assert (identity.board, identity.model) == ("nucleo-f303k8", "small")
    assert (identity.input_bytes, identity.output_bytes, identity.arena_bytes) == (SIZE, SIZE, 2 * SIZE)
    assert identity.steps == 1
    assert identity.clock_hz == board.clock_hz
    assert identity.build_id == copy.build_id


@given(data=st.binary(min_size=SIZE, max_size=SIZE) | st.integers(0, 255).map(lambda value: bytes([value]) * SIZE))
@settings(max_examples=25, deadline=None)
def test_any_bytes_pass_unchanged_in_several_frames(echo: Device, data: bytes) -> None:
    assert echo.infer(data) == data


@pytest.mark.parametrize("run_length", [253, 254, 255, 508, 509])
def test_runs_as_long_as_a_cobs_block_pass(echo: Device, run_length: int) -> None:
    pattern = (bytes([7]) * run_length + b"\x00") * (SIZE // run_length + 1)
    assert echo.infer(pattern[:SIZE]) == pattern[:SIZE]


def test_wrong_input_size(echo: Device) -> None:
    with pytest.raises(UsageError, match="takes 2500 input bytes, not 3"):
        echo.write_input(b"abc")


def test_memory_agrees_with_the_linker(board: Board, copy: Firmware) -> None:
    device = Device(VirtualBoard(board, copy.elf))
    device.infer(bytes(SIZE))
    report = device.memory()
    assert report.static_sram_bytes == copy.static_sram_bytes
    assert report.arena_bytes == 2 * SIZE
    assert report.stack_bytes == copy.stack_bytes == board.layout.stack_bytes
    assert 0 < report.stack_used_bytes < report.stack_bytes
    assert report.sram_high_water_bytes == report.static_sram_bytes + report.stack_used_bytes


def test_stack_high_water_grows_by_what_a_kernel_takes(board: Board, tmp_path: Path) -> None:
    used = []
    for words in (16, 272):
        body = f"volatile int32_t room[{words}]; for (int i = 0; i < {words}; i++) {{ room[i] = values[i & 15]; }}"
        device = Device(VirtualBoard(board, build_body(board, tmp_path / str(words), body).elf))
        device.hello()
        device.run()
        used.append(device.memory().stack_used_bytes)
    assert 256 * 4 <= used[1] - used[0] < 256 * 4 + 128  # the smaller room is unrolled and saves other registers


def test_several_inferences_add_up(board: Board, increment: Firmware) -> None:
    device = Device(VirtualBoard(board, increment.elf))
    device.write_input(bytes(16))
    one, five = device.run(1), device.run(5)
    assert (five.inferences, five.unit) == (5, "instructions")
    assert five.ticks == pytest.approx(5 * one.ticks, rel=0.1)
    assert device.read_output() == bytes([6]) * 16


def test_profile_has_one_entry_per_step(board: Board, increment: Firmware) -> None:
    device = Device(VirtualBoard(board, increment.elf))
    device.write_input(bytes(16))
    (ticks,) = device.profile()
    assert 0 < ticks < 1000


@pytest.mark.parametrize(
    ("request_frame", "status"),
    [
        (Frame(Command.WRITE_INPUT, 1, payload=struct.pack("<I", 17)), Status.OUT_OF_RANGE),
        (Frame(Command.WRITE_INPUT, 1, payload=struct.pack("<I", 8) + bytes(9)), Status.OUT_OF_RANGE),
        (Frame(Command.WRITE_INPUT, 1, payload=struct.pack("<I", 0xFFFFFFFF) + bytes(2)), Status.OUT_OF_RANGE),
        (Frame(Command.WRITE_INPUT, 1, payload=b"\x00"), Status.BAD_LENGTH),
        (Frame(Command.READ_OUTPUT, 1, payload=struct.pack("<II", 8, 9)), Status.OUT_OF_RANGE),
        (Frame(Command.READ_OUTPUT, 1, payload=struct.pack("<II", 9, 0xFFFFFFFF)), Status.OUT_OF_RANGE),
        (Frame(Command.READ_OUTPUT, 1), Status.BAD_LENGTH),
        (Frame(Command.RUN, 1), Status.BAD_LENGTH),
        (Frame(0x55, 1), Status.BAD_COMMAND),
        (Frame(Command.HELLO, 1, version=1), Status.BAD_VERSION),
    ],
)
def test_the_firmware_refuses_what_is_out_of_order(
    board: Board, increment: Firmware, request_frame: Frame, status: Status
) -> None:
    machine = VirtualBoard(board, increment.elf)
    machine.write(encode_frame(request_frame))
    answer = decode_frame(machine.read_until(b"\x00"))
    assert (answer.command, answer.sequence, answer.status) == (request_frame.command, 1, status)
    assert answer.payload == b""


def _once(change: Callable[[bytes], bytes], position: int = 0) -> Callable[[bytes], bytes]:
    """Damage only the piece with this number."""
    count = -1

    def apply(data: bytes) -> bytes:
        nonlocal count
        count += 1
        return change(data) if count == position else data

    return apply


def _flip(data: bytes) -> bytes:
    index = len(data) // 2
    return data[:index] + bytes([data[index] ^ 0x10]) + data[index + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "flipped bit": _flip,
    "dropped byte": lambda data: data[:5] + data[6:],
    "dropped delimiter": lambda data: data[:-1],
    "nothing arrives": lambda _: b"",
    "doubled": lambda data: data + data,
    "noise before": lambda data: b"\x55\xaa\x13" + data,
    "noise": lambda _: b"\x55" * 3000,
}


@pytest.mark.parametrize("direction", ["outgoing", "incoming"])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("piece", range(5))
def test_a_line_that_fails_once_gives_the_right_result(
    board: Board, increment: Firmware, direction: str, damage: str, piece: int
) -> None:
    """Whichever request or answer is damaged, and above all RUN, which must not be executed twice."""
    change = _once(DAMAGES[damage], piece)
    line = DamagingTransport(VirtualBoard(board, increment.elf), **{direction: change})
    device = Device(line, timeout=0.1)
    assert device.infer(bytes(range(16))) == bytes(range(1, 17))
    assert device.infer(bytes(range(16))) == bytes(range(1, 17))


def test_nobody_there_is_one_clear_line() -> None:
    transport = ScriptedTransport([])
    with pytest.raises(LinkError, match=r"does not answer HELLO \(3 attempts, .* s\): nothing came: is") as caught:
        Device(transport).hello()
    assert len(transport.requests) == 3
    assert len(set(transport.requests)) == 1
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_noise_only_is_not_taken_for_an_answer() -> None:
    with pytest.raises(LinkError, match="does not answer"):
        Device(ScriptedTransport([b"\x11\x22\x33\x00", b"\x05hello\x00", b"\x01\x00"])).hello()


def test_late_answers_to_earlier_requests_are_skipped(board: Board, increment: Firmware) -> None:
    late = encode_frame(Frame(Command.MEMORY, 200, payload=bytes(24)))
    line = DamagingTransport(VirtualBoard(board, increment.elf), outgoing=lambda data: data)
    real = line.read_until
    answers = [late]
    line.read_until = lambda expected: answers.pop() if answers else real(expected)  # type: ignore[method-assign]  # a fake
    assert Device(line).memory().stack_bytes == board.layout.stack_bytes


def test_another_protocol_version_says_so() -> None:
    transport = ScriptedTransport([encode_frame(Frame(Command.HELLO, 1, version=9))])
    with pytest.raises(LinkError, match="firmware speaks protocol version 9, this host version 2"):
        Device(transport).hello()


def test_a_refusal_names_command_and_reason() -> None:
    transport = ScriptedTransport([encode_frame(Frame(Command.MEMORY, 1, status=Status.BAD_COMMAND))])
    with pytest.raises(DeviceError, match="refuses MEMORY: BAD_COMMAND"):
        Device(transport).memory()


def test_a_fault_report_is_one_clear_line() -> None:
    payload = struct.pack("<7I", 3, 0x08001234, 0x08000999, 0x100, 0x40000000, 0, 0x20010000)
    transport = ScriptedTransport([encode_frame(Frame(Command.FAULT, 77, status=Status.FAULT, payload=payload))])
    with pytest.raises(DeviceError, match=r"stopped with a HardFault at pc 0x08001234 .*BFAR 0x20010000") as caught:
        Device(transport).hello()
    assert "\n" not in str(caught.value)


def test_an_answer_of_the_wrong_size_is_an_error() -> None:
    transport = ScriptedTransport([encode_frame(Frame(Command.MEMORY, 1, payload=bytes(20)))])
    with pytest.raises(LinkError, match="an answer of 20 bytes where 24 are due"):
        Device(transport).memory()
