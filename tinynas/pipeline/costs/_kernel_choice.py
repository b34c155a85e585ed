"""The schedule and kernels of a finished network on a board: which models decide, and how the choice is kept."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tinynas.engine import ChosenKernels, ChosenSchedule, choose_schedule
from tinynas.errors import AnswerIsNo, UsageError
from tinynas.graph import Graph
from tinynas.latency import LatencyModel, Quantity, deciding_quantity, latency_model_path, load_latency_model
from tinynas.lowering import Lowering, Schedule, with_variants
from tinynas.memory import (
    MissingMemoryModelError,
    NativeMemoryModel,
    changed_sources,
    kernel_hashes,
    plan_arena,
    say_changed,
)
from tinynas.pipeline.deployment import load_memory_model
from tinynas.targets import Board, Reserve

logger = logging.getLogger(__name__)


class OtherCyclesError(UsageError):
    """A latency model has cycles of another core or part, and nothing else."""


class ArenaTooSmall(AnswerIsNo):
    """A network cannot be executed in an arena of so many bytes."""


def choose_for_board(
    graph: Graph,
    board: Board,
    toolchain: str,
    reserve: Reserve | None = None,
    *,
    streams: bool = True,
    arena_bytes: int | None = None,
) -> ChosenSchedule:
    """Choose how to execute a network by the models that ship for a board's core; by shapes alone without them.

    Warns where nothing fits beside our firmware, and of what: the linker then names one region only.

    Args:
        graph: the int8 network.
        board: the target.
        toolchain: "zig" or "gcc".
        reserve: memory that the application keeps for itself.
        streams: whether parts of it may run row by row.
        arena_bytes: what the arena may take; None for what the board has room for.

    Raises:
        ArenaTooSmall: no way to execute the network takes at most `arena_bytes`.
        MissingMemoryModelError: `arena_bytes` is given, and there is no model to choose by.
    """
    memory: NativeMemoryModel | None
    try:
        memory = load_memory_model(board, toolchain)
    except MissingMemoryModelError:
        if arena_bytes is not None:
            raise
        memory = None
    lowering = Lowering.for_core(board.core)
    latency = load_latency(board, toolchain)
    chosen = choose_schedule(graph, lowering, memory, latency, reserve, streams=streams, arena_bytes=arena_bytes)
    if arena_bytes is not None and plan_arena(chosen.schedule).arena_bytes > arena_bytes:
        nearest = chosen if chosen.nearest is None else chosen.nearest
        raise ArenaTooSmall(
            f"{graph.name}: no way to execute it takes {arena_bytes:,} bytes of arena; the nearest of {chosen.tried} "
            f"takes {plan_arena(nearest.schedule).arena_bytes:,}"
        )
    if chosen.fits is False:
        logger.warning("%s does not fit %s beside our firmware: %s", graph.name, board.name, "; ".join(chosen.reasons))
    return chosen


def load_latency(
    board: Board, toolchain: str, path: Path | None = None, *, quantity: Quantity | None = None
) -> LatencyModel | None:
    """The latency model in `path`, else the one that ships for the core, if there is one. Warns where it is stale.

    Args:
        board: the target.
        toolchain: "zig" or "gcc".
        path: of a model that was fitted to this board, real or virtual: its cycles decide where they are the board's,
            else its instructions.
        quantity: what the ticks of a model that ships should be; None for what decides on the board. Where it has no
            such, it counts instructions.

    Raises:
        OtherCyclesError: the model in `path` has nothing but cycles, and they are not the board's.
    """
    if path is not None:
        return _of_board(_loaded(path, f"tinynas calibrate --board {board.name}"), board, path)
    path = latency_model_path(board.core.name, toolchain)
    if not path.is_file():
        return None
    return _loaded(path, "make models").counting(quantity or deciding_quantity(board))


def _of_board(model: LatencyModel, board: Board, path: Path) -> LatencyModel:
    """A model of the user's in cycles of the board, by its counter or by the timing of its core; else instructions."""
    quantities = (deciding_quantity(board, virtual=False), deciding_quantity(board))
    if model.unit == "instructions" or any(map(model.has_cycles_of, quantities)):
        return model
    others = f"{path.name}: its cycles are those of {model.basis or 'another board'}, not of {board.name}"
    if model.instructions is None:
        raise OtherCyclesError(f"{others}: `tinynas calibrate --board {board.argument}` makes a model of the board")
    logger.warning("%s: its instructions decide", others)
    return model.instructions


def _loaded(path: Path, again: str) -> LatencyModel:
    """The model in a file; warns where it is stale, and that `again` makes it anew."""
    model = load_latency_model(path)
    if changed := changed_sources(model.provenance, kernel_hashes()):
        logger.warning("latency model %s is stale: %s; run %s", path.name, say_changed(changed), again)
    return model


def schedule_json(chosen: ChosenSchedule) -> dict[str, Any]:
    """How a network is executed, and what that costs beside what shapes alone decide, for `--json`."""
    execution, patches = chosen.execution, chosen.execution.patches
    return {
        "changes": list(chosen.changes),
        "ways_tried": chosen.tried,
        "reordered": execution.reordered,
        "in_place": execution.lowering.in_place,
        "patches": None if patches is None else asdict(patches),
        "streams": [asdict(plan) for plan in execution.streams],
        "arena_bytes": plan_arena(chosen.schedule).arena_bytes,
        "arena_bytes_by_shape": chosen.arena_bytes_by_shape,
        "fits_by_shape": chosen.fits_by_shape,
        "unit": chosen.kernels.unit,
        "extra_ticks": chosen.extra_ticks,
        "extra_flash_bytes": chosen.extra_flash_bytes,
    }


def decided_by_json(chosen: ChosenKernels) -> dict[str, str] | None:
    """The quantity that decided, and what it rests on, for `--json`; None where there was no latency model."""
    return None if chosen.unit is None else {"unit": chosen.unit, "basis": chosen.basis}


def kernels_json(chosen: ChosenKernels) -> dict[str, Any]:
    """A choice of kernels as `tinynas inspect --json` prints it, and as `result.json` keeps it."""
    return {
        "unit": chosen.unit,
        "basis": chosen.basis,
        "saved_ticks": chosen.saved_ticks,
        "extra_flash_bytes": chosen.extra_flash_bytes,
        "gap_ticks": chosen.gap_ticks,
        "not_compared": chosen.not_compared or None,
        "layers": [asdict(layer) for layer in chosen.layers],
    }


def with_kernels(schedule: Schedule, document: Mapping[str, Any]) -> Schedule:
    """The schedule with the kernels and reasons of a choice that `kernels_json` wrote.

    Raises:
        VariantError: it was made by another version.
    """
    variants = {step: layer["variant"] for layer in document["layers"] for step in layer["steps"]}
    reasons = {step: layer["reason"] for layer in document["layers"] for step in layer["steps"]}
    return with_variants(schedule, variants, reasons)
