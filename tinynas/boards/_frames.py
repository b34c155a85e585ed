"""Frames on the serial line: COBS(header, payload, CRC-32) followed by a zero byte. See docs/protocol.md."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from cobs import cobs

PROTOCOL_VERSION = 2
DELIMITER = b"\x00"
_HEADER = struct.Struct("<BBBB")
_CRC = struct.Struct("<I")


class FrameError(ValueError):
    """Bytes that are not a frame: damaged, cut off, or noise."""


@dataclass(frozen=True)
class Frame:
    """A request (status 0) or an answer."""

    command: int
    sequence: int
    status: int = 0
    payload: bytes = b""
    version: int = PROTOCOL_VERSION


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes that go over the line, the delimiter included."""
    body = _HEADER.pack(frame.version, frame.command, frame.sequence, frame.status) + frame.payload
    return bytes(cobs.encode(body + _CRC.pack(zlib.crc32(body)))) + DELIMITER


def decode_frame(data: bytes) -> Frame:
    """Decode one frame, with or without its delimiter. Raises `FrameError` when it is damaged."""
    try:
        body = bytes(cobs.decode(data.removesuffix(DELIMITER)))
    except cobs.DecodeError as error:
        raise FrameError(f"not a COBS frame: {error}") from error
    if len(body) < _HEADER.size + _CRC.size:
        raise FrameError(f"a frame of {len(body)} bytes is too short")
    content, crc = body[: -_CRC.size], _CRC.unpack(body[-_CRC.size :])[0]
    if zlib.crc32(content) != crc:
        raise FrameError("the CRC of a frame is wrong")
    version, command, sequence, status = _HEADER.unpack_from(content)
    return Frame(command, sequence, status, content[_HEADER.size :], version)
