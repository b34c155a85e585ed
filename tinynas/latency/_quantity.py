"""What decides on a board: the one quantity by which networks are predicted, chosen, searched for and limited.

Cycles where they are known, by a counter or by the timing of the core, instructions elsewhere. Whoever has a board asks
here; a latency model is asked for that quantity, and has it or counts instructions (`LatencyModel.counting`).
"""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.latency._measurement import Unit
from tinynas.targets import Board

COUNTED = "counted by the virtual board"
"""What instructions rest on."""


@dataclass(frozen=True)
class Quantity:
    """What ticks are.

    Attributes:
        unit: Cycles or instructions.
        basis: Where their number comes from, for readers; of cycles without silicon it says that they are a model.
        cycles_each: Cycles that one tick takes: 1 of cycles, what the board file declares of instructions. None where
            nobody knows, and milliseconds neither.
        is_model: Whether cycles come from a model of the core's timing, and no silicon was asked.
    """

    unit: Unit
    basis: str
    cycles_each: float | None
    is_model: bool = False

    @property
    def name(self) -> str:
        """The unit for readers, in tables and beside axes."""
        return f"{self.unit} (model)" if self.is_model else self.unit

    def as_json(self) -> dict[str, str]:
        """Its name and what it rests on, for `--json`."""
        return {"unit": self.unit, "basis": self.basis}

    def of_cycles(self, cycles: float) -> float | None:
        """Ticks that take so many cycles; None where they are not known."""
        return None if self.cycles_each is None else cycles / self.cycles_each

    def per_ms(self, clock_hz: float) -> float | None:
        """Ticks in a millisecond at this clock; None where they are not known."""
        return self.of_cycles(1e-3 * clock_hz)


def deciding_quantity(board: Board, *, virtual: bool = True) -> Quantity:
    """What decides on a board.

    On a real one the cycles that its counter counts. On the virtual board instructions times a factor where the board
    file declares one, since somebody measured that; else cycles by the timing of the core, which is a model; and
    instructions where there is none.
    """
    if not virtual:
        return Quantity("cycles", counter_of(board.core.name), 1.0)
    timing = board.timing
    if timing is None or board.cycles_per_instruction is not None:
        return instruction_quantity(board)
    return Quantity("cycles", timing.basis, 1.0, is_model=True)


def instruction_quantity(board: Board) -> Quantity:
    """Instructions of the virtual board, for whoever asks for nothing else."""
    declared = board.cycles_per_instruction
    if declared is None:
        return Quantity("instructions", COUNTED, None)
    return Quantity("instructions", f"instructions times {declared.value:g}: {declared.basis}", declared.value)


def counter_of(core: str) -> str:
    """What cycles of silicon rest on."""
    return f"{core} cycle counter"


def no_cycles(board: Board) -> str:
    """Why nobody knows the cycles of the virtual board, where `deciding_quantity` has none."""
    return f"Arm publishes no timings of the {board.core.name}, and the board file declares no cycles per instruction"
