"""Lines that fail: transports that damage what goes through them, or answer what a test prepared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from tinynas.boards import Transport

Damage = Callable[[bytes], bytes]


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
