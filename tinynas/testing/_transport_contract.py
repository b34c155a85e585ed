"""What every transport must do: inherit `BaseTransportTestCase` and override `transport`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tinynas.boards import Device, Transport


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
