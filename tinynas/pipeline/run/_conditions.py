"""What a network may take at most, as a user writes it: `latency<=20ms`, `sram<=12KB`, `macs<=1M`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinynas.errors import UsageError
from tinynas.latency import Quantity
from tinynas.pipeline.run._latency_limit import unknown_cycles
from tinynas.registry import closest
from tinynas.targets import Board

_FORM = re.compile(r"(?P<name>[a-z_]+) *<= *(?P<value>[0-9]+(_[0-9]+)*(\.[0-9]+)?) *(?P<unit>[a-z]*)", re.IGNORECASE)

_TICKS = ("cycles", "instructions")
_BYTES = {"": 1.0, "b": 1.0, "kb": 2.0**10, "kib": 2.0**10, "mb": 2.0**20, "mib": 2.0**20}
_COUNTS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True)
class _Limitable:
    """What can be limited.

    Attributes:
        figure: its name among the figures of a network.
        shown: its unit for readers; empty where the name says it.
        units: factors of what may stand behind a number, in small letters.
    """

    figure: str
    shown: str
    units: Mapping[str, float]


@dataclass(frozen=True)
class Condition:
    """An upper limit on one figure of a network.

    Attributes:
        text: as it was given.
        figure: `latency` (ticks), `macs`, `sram_bytes` or `flash_bytes`.
        most: the largest value that meets it.
        shown: the unit for readers.
        per_shown: of the figure, in one of these.
    """

    text: str
    figure: str
    most: float
    shown: str
    per_shown: float = 1.0

    def holds(self, figures: Mapping[str, float | None]) -> bool:
        """Whether a network with these figures meets it; what is not known does not."""
        value = figures[self.figure]
        return value is not None and value <= self.most

    def excess(self, figures: Mapping[str, float | None]) -> float:
        """The figure relative to the limit: above 1, the network misses it by so much."""
        value = figures[self.figure]
        return math.inf if value is None else value / self.most

    def worded(self, figures: Mapping[str, float | None]) -> str:
        """The figure for readers."""
        value = figures[self.figure]
        name = "" if self.figure == "latency" else f"{self.figure.removesuffix('_bytes')} "
        if value is None:
            return f"{name}unknown {self.shown}".rstrip()
        number = f"{value / self.per_shown:,.4g}" if self.shown == "ms" else f"{value / self.per_shown:,.0f}"
        return f"{name}{number} {self.shown}".rstrip()


def parse_conditions(
    texts: Sequence[str], board: Board, decides: Quantity, clock_hz: int | None = None
) -> tuple[Condition, ...]:
    """Read conditions; several in one text stand between commas.

    Bytes may have B, KB or MB behind them (1,024 bytes a KB), counts k, M or G, and time needs us, ms or s.

    Args:
        texts: what was given.
        board: of the run.
        decides: what its ticks are.
        clock_hz: what the device has reported; None: the board file's.

    Raises:
        UsageError: one is no condition, names what is not known, or has another unit.
    """
    in_cycles = {} if decides.cycles_each is None else {"cycles": _Limitable("latency", "cycles", _COUNTS)}
    limitable = {
        **in_cycles,
        "latency": _Limitable("latency", "ms", _MILLISECONDS),
        decides.unit: _Limitable("latency", decides.unit, _COUNTS),
        "macs": _Limitable("macs", "", _COUNTS),
        "sram": _Limitable("sram_bytes", "bytes", _BYTES),
        "flash": _Limitable("flash_bytes", "bytes", _BYTES),
    }
    words = [word.strip() for text in texts for word in text.split(",")]
    return tuple(_condition(word, limitable, board, decides, clock_hz) for word in words)


def _condition(
    text: str, limitable: Mapping[str, _Limitable], board: Board, decides: Quantity, clock_hz: int | None
) -> Condition:
    match = _FORM.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no condition: write NAME<=VALUE, as sram<=12KB or {decides.unit}<=2.4M")
    name = match["name"].lower()
    if name in _TICKS and name not in limitable:
        raise UsageError(f"{text!r}: this run goes by {decides.unit} ({decides.basis}); limit {decides.unit} instead")
    if name not in limitable:
        raise UsageError(f"{text!r}: nothing is known of {match['name']!r} here; {closest(name, limitable)}")
    found = limitable[name]
    factor = found.units.get(match["unit"].lower())
    if factor is None:
        units = ", ".join(each for each in found.units if each)
        what = f"{match['unit']!r} is no unit of {name}" if match["unit"] else f"{name} needs a unit"
        raise UsageError(f"{text!r}: {what}; take one of {units}")
    ticks = {
        "cycles": decides.of_cycles(1.0),
        "latency": decides.per_ms(board.clock_hz if clock_hz is None else clock_hz),
    }
    per_shown = ticks.get(name, 1.0)
    if per_shown is None:
        raise UsageError(f"{text!r}: {unknown_cycles(board)}; limit {decides.unit} instead")
    most = float(match["value"]) * factor * per_shown
    if most <= 0:
        raise UsageError(f"{text!r}: a limit is above 0")
    if not math.isfinite(most):
        raise UsageError(f"{text!r}: a limit is a finite number; leave out what is not limited")
    return Condition(text, found.figure, most, found.shown, per_shown)
