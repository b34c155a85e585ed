"""What `tinynas inspect` answers: does a model fit a board, under our engine or under TFLM, and why not?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinynas.engine import ChosenSchedule, choose_schedule
from tinynas.errors import UsageError
from tinynas.formats import OFFLINE_PLAN_METADATA, read_metadata, read_offline_plan, read_tflite, tensor_table
from tinynas.graph import Graph, count_macs, count_params, op_macs
from tinynas.latency import LatencyModel, LatencyPrediction, Quantity, instruction_quantity, no_cycles
from tinynas.lowering import Lowering, Schedule
from tinynas.memory import NativeMemoryModel, RegionUsage, live_ranges, plan_arena
from tinynas.memory.tflm import FileTensors, TflmMemoryModel, TflmSram, offline_plan
from tinynas.pipeline._read_network import read_network, uint8_json
from tinynas.pipeline.costs import decided_by_json, kernels_json, load_latency, schedule_json
from tinynas.pipeline.deployment import load_memory_model
from tinynas.pipeline.report import arena_timeline, memory_advice
from tinynas.pipeline.run.storage import write_atomically
from tinynas.targets import Board, load_board

_NO_LATENCY = dict.fromkeys(
    f"{name}_{unit}" for unit in ("cycles", "ms", "instructions") for name in ("predicted", "low", "high")
)


class InspectError(UsageError):
    """What is asked for cannot be drawn, or not there."""


def inspect_model(
    model: Path,
    board_name: str,
    *,
    engine: str = "native",
    kernels: str = "reference",
    toolchain: str = "zig",
    latency_file: Path | None = None,
    plot: Path | None = None,
) -> dict[str, Any]:
    """Say what a model file takes of a board, without compiling or running anything.

    Args:
        model: an int8 `.tflite` file.
        board_name: a board's name or file.
        engine: "native" or "tflm".
        kernels: "reference" or "cmsis-nn"; for "tflm".
        toolchain: whose code sizes count; for "native".
        latency_file: a latency model that `tinynas calibrate` wrote, in place of the core's; for "native".
        plot: where to draw our engine's arena over time, as SVG, in a folder that exists; for "native".

    Returns:
        The object that `--json` prints. `fits` is None where something that decides is unknown; `uint8_borders` is
        there for "native" where the file has some: what they are named, and the int8 that the network has instead.

    Raises:
        InspectError: `plot` goes with the other engine, or lies in no folder.
        OtherCyclesError: `latency_file` has nothing but cycles, and they are not the board's.
        TinyNASError: the model cannot be read or lowered, the board or its memory model is unknown.
    """
    if plot is not None and engine == "tflm":
        raise InspectError("--plot draws the arena of our engine: leave out --engine tflm")
    if plot is not None and not plot.parent.is_dir():
        raise InspectError(f"cannot draw {plot}: there is no folder {plot.parent}")
    board = load_board(board_name)
    if engine == "tflm":
        return _inspect_tflm(model, read_tflite(model), board, kernels)
    file, graph = read_network(model)
    memory = load_memory_model(board, toolchain)
    latency = load_latency(board, toolchain, latency_file)
    chosen = choose_schedule(graph, Lowering.for_core(board.core), memory, latency)
    if plot is not None:
        schedule = chosen.schedule
        figure = arena_timeline(schedule, plan_arena(schedule), board.arena_region.size_bytes)
        write_atomically(plot, figure.encode())
    return _inspect_native(graph, board, chosen, memory, latency) | uint8_json(file)


def _inspect_native(
    graph: Graph, board: Board, chosen: ChosenSchedule, memory: NativeMemoryModel, latency: LatencyModel | None
) -> dict[str, Any]:
    schedule = chosen.schedule
    sram, flash, verdict = memory.sram(schedule), memory.flash(schedule), memory.fits(schedule)
    return {
        "macs": schedule.macs,
        "params": count_params(schedule.graph),
        "sram": {
            "arena_bytes": sram.arena_bytes,
            "arena_lower_bound_bytes": sram.arena_lower_bound_bytes,
            "minimum_arena_bytes": None,
            "persistent_bytes": sram.persistent_bytes,
            "runtime_bytes": sram.runtime_bytes,
            "stack_bytes": sram.stack_bytes,
            "total_bytes": sram.total_bytes,
            "available_bytes": _available(verdict.regions, "sram"),
        },
        "flash": {
            "weights_bytes": flash.weights_bytes,
            "code_bytes": flash.code_bytes,
            "total_bytes": flash.total_bytes,
            "available_bytes": _available(verdict.regions, "flash"),
        },
        "regions": [_region(region) for region in verdict.regions],
        "latency": _latency(schedule, board, latency),
        "decided_by": decided_by_json(chosen.kernels),
        "fits": verdict.fits,
        "reasons": list(chosen.reasons),
        "ops": _native_ops(schedule),
        "memory": memory_advice(graph, schedule, latency),
        "schedule": schedule_json(chosen),
        "kernels": kernels_json(chosen.kernels),
    }


def _native_ops(schedule: Schedule) -> list[dict[str, Any]]:
    """One entry per step: a fused PAD counts with its convolution."""
    alive = live_ranges(schedule).bytes_per_step()
    return [
        {
            "index": step.index,
            "kind": str(schedule.graph.ops[step.ops[-1]].kind),
            "name": step.name,
            "macs": step.macs,
            "live_bytes": alive[step.index],
            "scratch_bytes": step.scratch_bytes,
        }
        for step in schedule.steps
    ]


def _latency(schedule: Schedule, board: Board, model: LatencyModel | None) -> dict[str, Any]:
    if model is None:
        return {**_NO_LATENCY, "basis": "no latency model: `tinynas calibrate` makes one, --latency FILE uses it"}
    predicted = model.predict(schedule)
    if predicted.total is None or predicted.low is None or predicted.high is None:
        return {**_NO_LATENCY, "basis": f"the latency model never saw {', '.join(predicted.unknown)}"}
    quantity = instruction_quantity(board)
    counting = model.counting(quantity)
    found = {**_NO_LATENCY, **_interval("instructions", None if counting is None else counting.predict(schedule))}
    if model.unit == "cycles":
        quantity = Quantity("cycles", f"cycles: {model.basis}", 1.0)
    if quantity.cycles_each is None:
        unknown = no_cycles(board) if board.timing is None else "the latency model has no cycles of the board"
        return found | {"basis": f"predicted instructions: {unknown}"}
    return {
        **found,
        **_interval("cycles", predicted, quantity.cycles_each),
        **_interval("ms", predicted, 1e3 * quantity.cycles_each / board.clock_hz),
        "basis": f"predicted {quantity.basis}",
    }


def _interval(unit: str, predicted: LatencyPrediction | None, factor: float = 1.0) -> dict[str, float]:
    """A prediction and its interval times a factor; nothing where it is not known."""
    if predicted is None or predicted.total is None or predicted.low is None or predicted.high is None:
        return {}
    values = {"predicted": predicted.total, "low": predicted.low, "high": predicted.high}
    return {f"{name}_{unit}": value * factor for name, value in values.items()}


def _inspect_tflm(model: Path, graph: Graph, board: Board, kernels: str) -> dict[str, Any]:
    tensors = tensor_table(model)
    tflm = TflmMemoryModel(
        8 if board.core.pointer_bytes == 8 else 4, "cmsis-nn" if kernels == "cmsis-nn" else "reference"
    )
    plan = read_metadata(model).get(OFFLINE_PLAN_METADATA)
    stored = None if plan is None else read_offline_plan(plan)
    usage = tflm.sram(graph, tensors, stored)
    flash = tflm.flash(graph, model.stat().st_size)
    arena, available = usage.minimum_arena_bytes, board.arena_region.size_bytes
    reasons = []
    if arena > available:
        reasons.append(
            f"the arena needs {arena:,} bytes and region {board.arena_region.name!r} has {available:,}: "
            f"{arena - available:,} too few"
        )
    model_bytes, code_available = flash.file_bytes or flash.weights_bytes, board.code_region.size_bytes
    if model_bytes > code_available:
        reasons.append(
            f"the model file has {model_bytes:,} bytes and region {board.code_region.name!r} {code_available:,}: "
            f"{model_bytes - code_available:,} too few"
        )
    return {
        "macs": count_macs(graph),
        "params": count_params(graph),
        "sram": {
            "arena_bytes": usage.head_bytes,
            "arena_lower_bound_bytes": usage.head_lower_bound_bytes,
            "minimum_arena_bytes": usage.minimum_arena_bytes,
            "persistent_bytes": usage.tail_bytes,
            "runtime_bytes": None,
            "stack_bytes": None,
            "total_bytes": None,
            "available_bytes": available,
        },
        "flash": {
            "weights_bytes": flash.weights_bytes,
            "code_bytes": flash.code_bytes,
            "total_bytes": None,
            "available_bytes": code_available,
        },
        "regions": [],
        "latency": {**_NO_LATENCY, "basis": "the latency of TFLM's kernels is not modelled"},
        # What is known to be too much decides; what is left out could only add to it.
        "fits": False if reasons else None,
        "reasons": reasons or [f"unknown: {flash.reason}; what was counted leaves room"],
        "ops": [
            {
                "index": index,
                "kind": str(op.kind),
                "name": op.name or graph.tensor(op.outputs[0]).name,
                "macs": op_macs(graph, op),
                "live_bytes": usage.live_bytes[index],
                "scratch_bytes": usage.scratch_bytes[index],
            }
            for index, op in enumerate(graph.ops)
        ],
        "memory": _tflm_advice(graph, tflm, tensors, usage, has_plan=stored is not None),
        "decided_by": None,
        "schedule": None,
        "kernels": None,
    }


def _tflm_advice(
    graph: Graph, tflm: TflmMemoryModel, tensors: FileTensors, usage: TflmSram, *, has_plan: bool
) -> dict[str, Any]:
    """Where the head of TFLM's arena peaks, and what an offline plan saves beside the one in the file."""
    plan = offline_plan(graph, tflm, tensors)
    peak = max(range(len(usage.live_bytes)), key=usage.live_bytes.__getitem__)
    saves = max(0, usage.head_bytes - plan.head_bytes)
    applied = has_plan and not saves
    option = {
        "kind": "offline-plan",
        "applied": applied,
        "arena_bytes": min(usage.head_bytes, plan.head_bytes),
        "saved_bytes": max(0, plan.online_head_bytes - usage.head_bytes) if applied else saves,
        "extra_macs": 0,
        "extra_ticks": None,
        "how": _offline_plan_advice(tflm.kernels, has_plan=has_plan, saves=saves > 0),
    }
    name = graph.ops[peak].name or graph.tensor(graph.ops[peak].outputs[0]).name
    return {"peak": {"index": peak, "name": name, "live_bytes": usage.live_bytes[peak]}, "options": [option]}


def _offline_plan_advice(kernels: str, *, has_plan: bool, saves: bool) -> str:
    if saves:
        chosen = "" if kernels == "reference" else f" --kernels {kernels}"
        better = "a better plan than the one in the file" if has_plan else "a better plan; stock TFLM follows it"
        return f"`tinynas export MODEL.tflite NEW.tflite --offline-plan{chosen}` stores {better}"
    if has_plan:
        return f"applied: no plan for the {kernels} kernels is better than the one in the file"
    return "TFLM's own plan of its arena's head is as good"


def _available(regions: tuple[RegionUsage, ...], kind: str) -> int:
    return sum(region.available_bytes for region in regions if region.kind == kind)


def _region(region: RegionUsage) -> Mapping[str, Any]:
    return {
        "name": region.name,
        "kind": region.kind,
        "used_bytes": region.used_bytes,
        "available_bytes": region.available_bytes,
    }
