"""How a network is executed whose input comes row by row, and what is said of that."""

from __future__ import annotations

import logging
from typing import Any

from tinynas.engine import ChosenSchedule, choose_input_by_rows
from tinynas.errors import AnswerIsNo
from tinynas.graph import Graph
from tinynas.lowering import Lowering
from tinynas.memory import plan_arena
from tinynas.pipeline.costs import load_latency
from tinynas.pipeline.deployment import load_memory_model
from tinynas.targets import Board, Reserve

logger = logging.getLogger(__name__)


class RowsTooLarge(AnswerIsNo):
    """The windows of a network whose input comes row by row take more than they may."""


def input_by_rows_for_board(
    graph: Graph, board: Board, toolchain: str, reserve: Reserve | None = None, *, arena_bytes: int | None = None
) -> ChosenSchedule:
    """Choose how to execute a network whose input comes row by row, by the models that ship for a board's core.

    Warns where nothing fits beside our firmware: then it is the way that takes the smallest arena.

    Args:
        graph: the int8 network.
        board: the target.
        toolchain: "zig" or "gcc".
        reserve: memory that the application keeps for itself.
        arena_bytes: what the arena may take; None for what the board has room for.

    Raises:
        StreamError: the first layers cannot run row by row.
        RowsTooLarge: no way takes at most `arena_bytes`.
        MissingMemoryModelError: there is no model to choose by.
    """
    memory, latency = load_memory_model(board, toolchain), load_latency(board, toolchain)
    lowering = Lowering.for_core(board.core)
    chosen = choose_input_by_rows(graph, lowering, memory, latency, reserve, arena_bytes=arena_bytes)
    needed = plan_arena(chosen.schedule).arena_bytes
    if arena_bytes is not None and needed > arena_bytes:
        raise RowsTooLarge(
            f"{graph.name}: its input row by row takes an arena of {needed:,} bytes at least, not {arena_bytes:,}"
        )
    if chosen.fits is False:
        logger.warning("%s does not fit %s beside our firmware: %s", graph.name, board.name, "; ".join(chosen.reasons))
    return chosen


def input_by_rows_json(chosen: ChosenSchedule) -> dict[str, Any]:
    """Rows of the input, and the arena beside that of the network as a whole, for `--json`."""
    schedule = chosen.schedule
    _, rows, width, channels = schedule.graph.tensors[schedule.inputs[0]].shape
    return {
        "rows": rows,
        "row_bytes": width * channels,
        "arena_bytes": plan_arena(schedule).arena_bytes,
        "arena_bytes_as_a_whole": chosen.arena_bytes_by_shape,
    }
