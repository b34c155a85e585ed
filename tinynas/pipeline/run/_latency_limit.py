"""The latency limit of a configuration, in what the board counts."""

from __future__ import annotations

from tinynas.pipeline.costs import LatencyLimit
from tinynas.pipeline.run._config import LimitsConfig
from tinynas.pipeline.run._search_config import ConfigError
from tinynas.targets import Board

NO_MILLISECONDS = "the virtual {board} counts instructions and its board file declares no cycles per instruction"
"""Why milliseconds are refused."""


def latency_limit(limits: LimitsConfig, board: Board, unit: str, *, clock_hz: int | None = None) -> LatencyLimit | None:
    """The configured limit in ticks of `unit`.

    Milliseconds become cycles by the clock, `clock_hz` where the device has reported it, else the board file's; on
    the virtual board, where ticks are instructions, also by the cycles per instruction that the board file declares.

    Raises:
        ConfigError: milliseconds are asked of a board whose cycles per instruction are unknown, or instructions of a
            board that counts cycles.
    """
    if limits.instructions is not None:
        if unit != "instructions":
            raise ConfigError(f"limits.instructions: {board.name} measures {unit}; give limits.latency_ms instead")
        return LatencyLimit(float(limits.instructions), unit)
    if limits.latency_ms is None:
        return None
    ticks = ticks_per_ms(board, unit, clock_hz)
    if ticks is None:
        raise ConfigError(
            f"limits.latency_ms: {NO_MILLISECONDS.format(board=board.name)}; give limits.instructions instead"
        )
    return LatencyLimit(limits.latency_ms * ticks, unit)


def ticks_per_ms(board: Board, unit: str, clock_hz: int | None = None) -> float | None:
    """Ticks of `unit` in a millisecond; None where the board's cycles per instruction are not known."""
    cycles = 1e-3 * (board.clock_hz if clock_hz is None else clock_hz)
    if unit == "cycles":
        return cycles
    return None if board.cycles_per_instruction is None else cycles / board.cycles_per_instruction.value
