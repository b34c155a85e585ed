"""A line that fails all the time, in time that a test makes pass."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from random import Random
from typing import Literal

from tinynas.boards import Transport


class FakeClock:
    """Seconds that pass where somebody waits, and nowhere else."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class FaultRates:
    """How often each fault happens, from 0 to 1.

    Attributes:
        drop, flip, double: of each byte: it is lost, has a bit inverted, comes twice.
        repeat, cut, delay: of each piece, a request or an answer: it comes twice, ends early, comes late, and with it
            whatever is behind it.
        latest_s: the latest that a piece is delayed, in seconds.
    """

    drop: float = 0.0
    flip: float = 0.0
    double: float = 0.0
    repeat: float = 0.0
    cut: float = 0.0
    delay: float = 0.0
    latest_s: float = 3.0


class FaultyLine:
    """A transport over a serial line that drops, flips, doubles, repeats, cuts and delays what goes through it.

    It keeps the order, as wires do. A device that computes takes no time here: only the line does.

    Args:
        inner: what really carries the bytes, and answers at once or never.
        rates: of the faults, both ways.
        random: what decides.
        clock: stands while nobody waits; `read_until` makes it pass.
        baud: bits per second.
    """

    def __init__(
        self, inner: Transport, rates: FaultRates, random: Random, clock: FakeClock, baud: int = 115200
    ) -> None:
        self.timeout: float | None = 0.0
        self.faults = 0
        self.pieces = 0
        self._inner = inner
        self._rates = rates
        self._random = random
        self._clock = clock
        self._byte_s = 10 / baud
        self._outgoing: deque[tuple[float, bytes]] = deque()
        self._incoming: deque[tuple[float, bytes]] = deque()
        self._received = bytearray()
        inner.reset_input_buffer()

    @property
    def tick_unit(self) -> Literal["cycles", "instructions"]:
        return self._inner.tick_unit

    def write(self, data: bytes) -> int | None:
        self._send(data, self._outgoing)
        return len(data)

    def read_until(self, expected: bytes) -> bytes:
        end = self._clock.now + (self.timeout or 0.0)
        while True:
            self._deliver()
            found = self._received.find(expected)
            if found >= 0:
                return self._take(found + len(expected))
            due = [queue[0][0] for queue in (self._outgoing, self._incoming) if queue]
            if not due or min(due) > end:
                self._clock.now = end
                return self._take(len(self._received))
            self._clock.now = min(due)

    def reset_input_buffer(self) -> None:
        self._deliver()
        self._received.clear()

    def close(self) -> None:
        self._inner.close()

    def _deliver(self) -> None:
        """Let arrive what is due."""
        while self._outgoing and self._outgoing[0][0] <= self._clock.now:
            self._inner.write(self._outgoing.popleft()[1])
            while answer := self._inner.read_until(b"\x00"):
                self._send(answer, self._incoming)
        while self._incoming and self._incoming[0][0] <= self._clock.now:
            self._received += self._incoming.popleft()[1]

    def _take(self, size: int) -> bytes:
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def _send(self, data: bytes, queue: deque[tuple[float, bytes]]) -> None:
        self.pieces += 1
        data = self._damage(data)
        due = max(self._clock.now, queue[-1][0] if queue else 0.0) + len(data) * self._byte_s
        if self._happens(self._rates.delay):
            due += self._random.uniform(0.0, self._rates.latest_s)
        queue.append((due, data))

    def _damage(self, data: bytes) -> bytes:
        rates = self._rates
        if rates.drop or rates.flip or rates.double:
            data = b"".join(map(self._damage_byte, data))
        if self._happens(rates.cut):
            data = data[: self._random.randrange(len(data) + 1)]
        return data * 2 if self._happens(rates.repeat) else data

    def _damage_byte(self, byte: int) -> bytes:
        if self._happens(self._rates.drop):
            return b""
        if self._happens(self._rates.flip):
            byte ^= 1 << self._random.randrange(8)
        return bytes([byte]) * (2 if self._happens(self._rates.double) else 1)

    def _happens(self, rate: float) -> bool:
        happens = rate > 0.0 and self._random.random() < rate
        self.faults += happens
        return happens


class BabblingLine:
    """A transport whose far end sends the same bytes over and over, whatever it is asked.

    Args:
        chatter: the bytes; none for a far end that is silent.
        clock: passes with every byte that is read.
        baud: bits per second.
    """

    tick_unit: Literal["cycles", "instructions"] = "cycles"

    def __init__(self, chatter: bytes, clock: FakeClock, baud: int = 115200) -> None:
        self.timeout: float | None = 0.0
        self.requests: list[bytes] = []
        self._chatter = chatter
        self._clock = clock
        self._byte_s = 10 / baud
        self._position = 0

    def write(self, data: bytes) -> int | None:
        self.requests.append(data)
        return len(data)

    def read_until(self, expected: bytes) -> bytes:
        end = self._clock.now + (self.timeout or 0.0)
        read = bytearray()
        while self._chatter and self._clock.now < end and not read.endswith(expected):
            read.append(self._chatter[self._position % len(self._chatter)])
            self._position += 1
            self._clock.now += self._byte_s
        if not read.endswith(expected):
            self._clock.now = max(self._clock.now, end)
        return bytes(read)

    def reset_input_buffer(self) -> None:
        """Do nothing: what comes next is the same."""

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
