"""What decides in a run, and the latency limit of its configuration in that."""

from __future__ import annotations

from tinynas.latency import Quantity, deciding_quantity, instruction_quantity, no_cycles
from tinynas.pipeline.costs import LatencyLimit
from tinynas.pipeline.run._config import LimitsConfig, RunConfig
from tinynas.pipeline.run._search_config import ConfigError
from tinynas.targets import Board


def quantity_of_run(config: RunConfig, board: Board) -> Quantity:
    """What decides in a run: what decides on its board, or instructions where these are what is limited.

    One quantity chooses, is searched for and is limited, so that what is built meets the limit that was searched under.
    """
    virtual = config.measure.transport == "virtual"
    if virtual and config.limits.instructions is not None:
        return instruction_quantity(board)
    return deciding_quantity(board, virtual=virtual)


def latency_limit(
    limits: LimitsConfig, board: Board, quantity: Quantity, *, clock_hz: int | None = None
) -> LatencyLimit | None:
    """The configured limit in ticks.

    Milliseconds become cycles by the clock, `clock_hz` where the device has reported it, else the board file's.

    Args:
        limits: of the configuration.
        board: of the run.
        quantity: what ticks are.
        clock_hz: of the device.

    Raises:
        ConfigError: cycles or milliseconds are limited where nobody knows cycles, or instructions where only cycles are
            counted.
    """
    if limits.instructions is not None:
        if quantity.unit != "instructions":
            raise ConfigError(
                f"limits.instructions: {board.name} measures {quantity.unit}; "
                "give limits.latency_ms or limits.cycles instead"
            )
        return LatencyLimit(float(limits.instructions), quantity.unit)
    if limits.cycles is not None:
        given, ticks = "cycles", quantity.of_cycles(limits.cycles)
    elif limits.latency_ms is not None:
        per_ms = quantity.per_ms(board.clock_hz if clock_hz is None else clock_hz)
        given, ticks = "latency_ms", None if per_ms is None else limits.latency_ms * per_ms
    else:
        return None
    if ticks is None:
        raise ConfigError(f"limits.{given}: {unknown_cycles(board)}; give limits.instructions instead")
    return LatencyLimit(ticks, quantity.unit)


def unknown_cycles(board: Board) -> str:
    """Why cycles and milliseconds are refused."""
    if board.timing is not None:
        return f"this run on the virtual {board.name} goes by instructions, which its configuration limits"
    return f"the virtual {board.name} counts instructions: {no_cycles(board)}"
