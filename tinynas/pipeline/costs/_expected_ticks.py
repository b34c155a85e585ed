"""How long an inference is expected to take, so that a lost one is noticed in time."""

from __future__ import annotations

from tinynas.latency import deciding_quantity, latency_model_path, load_latency_model
from tinynas.lowering import Schedule
from tinynas.targets import Board


def expected_ticks(schedule: Schedule, board: Board, toolchain: str) -> float | None:
    """Ticks of one inference by the model that ships for the board's core; None where it does not know them.

    They are those of the virtual board, which knows neither wait states nor caches.
    """
    path = latency_model_path(board.core.name, toolchain)
    model = load_latency_model(path).counting(deciding_quantity(board)) if path.is_file() else None
    return None if model is None else model.predict(schedule).total
