"""How long an inference is expected to take, so that a lost one is noticed in time."""

from __future__ import annotations

from tinynas.latency import latency_model_path, load_latency_model
from tinynas.lowering import Schedule
from tinynas.targets import Board


def expected_ticks(schedule: Schedule, board: Board, toolchain: str) -> float | None:
    """Instructions of one inference by the model that ships for the board's core; None where it does not know them."""
    path = latency_model_path(board.core.name, toolchain)
    return load_latency_model(path).predict(schedule).total if path.is_file() else None
