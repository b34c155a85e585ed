"""What every transport must do: inherit `BaseTransportTestCase` and override `transport`. And lines that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import pytest

from tinynas.boards import Device, Transport

Damage = Callable[[bytes], bytes]


class BaseTransportTestCase:
    """The contract of `Transport`. At the far end must be TinyNAS firmware."""

    @pytest.fixture
    def transport(self) -> Iterator[Transport]:
        """An open transport."""
        raise NotImplementedError

    def test_carries_the_protocol_both_ways(self, transport: Transport) -> None:
        device = Device(transport)
        identity = device.hello()
        data = bytes(index % 251 for index in range(identity.input_bytes))
        device.write_input(data)
        device.run()
        assert len(device.read_output()) == identity.output_bytes

    def test_reads_up_to_the_terminator_and_no_further(self, transport: Transport) -> None:
        transport.timeout = 5.0
        transport.write(b"\x02\x01\x00" * 2)  # two damaged frames, two answers
        first, second = transport.read_until(b"\x00"), transport.read_until(b"\x00")
        assert first == second
        assert first.endswith(b"\x00")
        assert first.count(b"\x00") == 1

    def test_a_silent_device_ends_the_wait(self, transport: Transport) -> None:
        transport.timeout = 0.05
        assert transport.read_until(b"\x00") == b""

    def test_what_was_received_can_be_discarded(self, transport: Transport) -> None:
        transport.timeout = 5.0
        transport.write(b"\x02\x01\x00" * 2)
        transport.read_until(b"\x00")
        transport.timeout = 0.2
        transport.read_until(b"\xff")  # waits until the second answer is there
        transport.reset_input_buffer()
        assert transport.read_until(b"\x00") == b""

    def test_says_what_the_ticks_are(self, transport: Transport) -> None:
        assert transport.tick_unit in ("cycles", "instructions")

    def test_closes_twice(self, transport: Transport) -> None:
        transport.close()
        transport.close()


class DamagingTransport:
    """A transport over a line that damages what goes through it.

    Args:
        inner: what really carries the bytes.
        outgoing, incoming: given what is sent or received, return what arrives.
    """

    def __init__(
        self, inner: Transport, *, outgoing: Damage = lambda data: data, incoming: Damage = lambda data: data
    ) -> None:
        self._inner = inner
        self._outgoing = outgoing
        self._incoming = incoming
        self.sent = 0

    @property
    def timeout(self) -> float | None:
        return self._inner.timeout

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._inner.timeout = seconds

    @property
    def tick_unit(self) -> Literal["cycles", "instructions"]:
        return self._inner.tick_unit

    def write(self, data: bytes) -> int | None:
        self.sent += 1
        return self._inner.write(self._outgoing(data))

    def read_until(self, expected: bytes) -> bytes:
        return self._incoming(self._inner.read_until(expected))

    def reset_input_buffer(self) -> None:
        self._inner.reset_input_buffer()

    def close(self) -> None:
        self._inner.close()


class ScriptedTransport:
    """A transport that answers every request with the next of the prepared byte strings, then stays silent."""

    timeout: float | None = None
    tick_unit: Literal["cycles", "instructions"] = "cycles"

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = list(answers)
        self._received = bytearray()
        self.requests: list[bytes] = []

    def write(self, data: bytes) -> int | None:
        self.requests.append(data)
        if self._answers:
            self._received += self._answers.pop(0)
        return len(data)

    def read_until(self, expected: bytes) -> bytes:
        end = self._received.find(expected)
        size = end + len(expected) if end >= 0 else len(self._received)
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def reset_input_buffer(self) -> None:
        self._received.clear()

    def close(self) -> None:
        self._received.clear()
