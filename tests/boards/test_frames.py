"""Frames survive the line, and damage never goes unnoticed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.boards import Command, Frame, FrameError, Status, decode_frame, encode_frame
from tinynas.boards._frames import PROTOCOL_VERSION
from tinynas.targets import resource_path

FRAMES = st.builds(
    Frame,
    command=st.integers(0, 255),
    sequence=st.integers(0, 255),
    status=st.integers(0, 255),
    payload=st.binary(max_size=1024)
    | st.integers(0, 1024).map(bytes)
    | st.integers(0, 1024).map(lambda n: b"\x01" * n),
    version=st.integers(0, 254),  # 255 is reserved: docs/protocol.md says why
)


@given(frame=FRAMES)
def test_round_trip(frame: Frame) -> None:
    data = encode_frame(frame)
    assert decode_frame(data) == decode_frame(data[:-1]) == frame
    assert data.count(0) == 1
    assert data.endswith(b"\x00")


@pytest.mark.parametrize("frame", [Frame(Command.HELLO, 1), Frame(Command.RUN, 2, payload=b"\x01\x00\x00\x00")])
def test_the_examples_of_the_documentation(frame: Frame) -> None:
    documentation = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    assert f"\n    {encode_frame(frame).hex(' ')}\n" in documentation


def test_commands_and_status_codes_are_those_of_the_firmware() -> None:
    header = (resource_path("firmware") / "runtime" / "protocol.h").read_text(encoding="utf-8")
    found = {name: int(value, 16) for name, value in re.findall(r"TN_(\w+) = (0x\w+),", header)}
    commands = {f"COMMAND_{command.name}": command.value for command in Command}
    statuses = {f"STATUS_{status.name}": status.value for status in Status}
    assert found == commands | statuses
    assert f"#define TN_PROTOCOL_VERSION {PROTOCOL_VERSION}u" in header


@given(frame=FRAMES, position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed(frame: Frame, position: int, bit: int) -> None:
    data = bytearray(encode_frame(frame)[:-1])
    data[position % len(data)] ^= 1 << bit
    with pytest.raises(FrameError):
        decode_frame(bytes(data))


@given(frame=FRAMES, position=st.integers(0, 10_000))
def test_a_lost_byte_is_noticed(frame: Frame, position: int) -> None:
    data = encode_frame(frame)[:-1]
    index = position % len(data)
    with pytest.raises(FrameError):
        decode_frame(data[:index] + data[index + 1 :])


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x01", b"\x03\x01\x02", b"\x09\x01\x02", b"\x08" + bytes(range(1, 8))]
)
def test_too_short_or_cut_off(data: bytes) -> None:
    with pytest.raises(FrameError):
        decode_frame(data)
