"""Take a network out: the winner of a run, or any int8 model, as a C project, a .tflite or an .onnx file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinynas.engine import DEFAULT_PREFIX, ModelInfo, choose_input_by_rows, export
from tinynas.errors import UsageError
from tinynas.formats import (
    OFFLINE_PLAN_METADATA,
    FormatError,
    add_offline_plan,
    read_metadata,
    read_offline_plan,
    read_tflite,
    tensor_table,
    write_onnx,
)
from tinynas.graph import Graph
from tinynas.lowering import DSP_LOWERING, Schedule
from tinynas.memory import embedded_code, plan_arena
from tinynas.memory.tflm import FileTensors, Kernels, TflmMemoryModel, TflmUnsupportedError, offline_plan
from tinynas.pipeline._read_network import read_network, tell_of_uint8, uint8_borders, uint8_json
from tinynas.pipeline.commands._input_by_rows import input_by_rows_for_board, input_by_rows_json
from tinynas.pipeline.costs import choose_for_board, kernels_json, schedule_json
from tinynas.pipeline.run import read_result, schedule_as_built
from tinynas.pipeline.run.storage import write_atomically
from tinynas.targets import Reserve, load_board

logger = logging.getLogger(__name__)


class ExportError(UsageError):
    """There is no winner to export, or the target is in the way."""


def export_winner(
    run_directory: Path, out: Path, *, prefix: str = DEFAULT_PREFIX, force: bool = False
) -> dict[str, Any]:
    """Write the winner of a run.

    Args:
        run_directory: a finished run.
        out: `*.tflite` gets the int8 model, `*.onnx` the float network; any other name becomes a folder with the
            generated C, the kernels it needs and a Makefile.
        prefix: of the C project's names.
        force: replace what is there.

    Returns:
        `format` and `files`, the paths that were written.

    Raises:
        ExportError: the run is not finished, or `out` exists and `force` is not given.
        ResultFormatError: another version finished the run.
    """
    document = finished_result(run_directory)
    check_target(out, prefix, force)
    facts = document["model_info"]
    info = ModelInfo(**{**facts, "labels": tuple(facts["labels"])})
    model, float_model = run_directory / "winner.tflite", run_directory / "winner" / "float.tflite"
    return export_network(model, float_model, document["winner"], info, out, prefix)


def finished_result(run_directory: Path) -> dict[str, Any]:
    """The content of `result.json`.

    Raises:
        ExportError: the run is not finished.
        ResultFormatError: another version finished the run.
    """
    document = read_result(run_directory)
    if document is None or not (run_directory / "winner.tflite").is_file():
        raise ExportError(f"{run_directory} holds no finished run: `tinynas run` finishes it, then export")
    return document


def check_target(out: Path, prefix: str, force: bool) -> None:
    """Check that a network can be written to `out`.

    Raises:
        ExportError: it is there and `force` is not given, or it has no names for a `prefix`.
    """
    if prefix != DEFAULT_PREFIX and out.suffix in (".tflite", ".onnx"):
        raise ExportError(f"{out}: --prefix goes with a folder for the C project; a {out.suffix} file has no symbols")
    if out.exists() and not force and (out.is_file() or any(out.iterdir())):
        raise ExportError(f"{out} exists: choose another name, or give --force to replace it")


def export_network(
    model: Path, float_model: Path, built: Mapping[str, Any], info: ModelInfo, out: Path, prefix: str
) -> dict[str, Any]:
    """Write a network of a run in the form that the name of `out` asks for.

    Args:
        model: the int8 network.
        float_model: the float network before quantization.
        built: how it is executed.
        info: what the C project says of it.
        out: `*.tflite`, `*.onnx`, or a folder.
        prefix: of the C project's names.

    Returns:
        `format` and `files`, the paths that were written.
    """
    if out.suffix == ".tflite":
        write_atomically(out, model.read_bytes())
        return {"format": "tflite", "files": [str(out)]}
    if out.suffix == ".onnx":
        out.parent.mkdir(parents=True, exist_ok=True)
        write_onnx(read_tflite(float_model), out)
        return {"format": "onnx", "files": [str(out)]}
    return _c_project(schedule_as_built(built, read_tflite(model)), out, info, prefix)


def export_model(
    model: Path,
    out: Path,
    *,
    plan_offline: bool = False,
    kernels: Kernels = "reference",
    board_name: str | None = None,
    toolchain: str = "zig",
    reserve_flash: int = 0,
    arena_bytes: int | None = None,
    stream_input: bool = False,
    prefix: str = DEFAULT_PREFIX,
    force: bool = False,
) -> dict[str, Any]:
    """Write an int8 model file in another form.

    Args:
        model: an int8 `.tflite` file.
        out: `*.tflite` gets the same model with an offline plan of TFLM's arena; any other name becomes a folder with
            the generated C, the kernels it needs and a Makefile.
        plan_offline: store the plan; goes with a `.tflite` and is the only change that one can get.
        kernels: whose scratch the plan is for.
        board_name: the board that the C project is for, by name or file: its kernels are chosen for that core, and for
            the flash that is left there. None for the kernels of cores with DSP instructions, by the local rule.
        toolchain: with a board, whose code sizes and instructions count: "zig" or "gcc".
        reserve_flash: with a board, bytes of its flash that the application keeps for itself.
        arena_bytes: with a board, what the arena may take: the fastest way to execute the model that fits it.
        stream_input: the C project takes its input row by row: with a board the fastest way that fits it, else the one
            of the smallest arena.
        prefix: of the C project's names.
        force: replace what is there.

    Returns:
        `format`, `files`, and for an offline plan `kernels`, `stored` (False: the file's own plan, or TFLM's, is as
        good, and the file was copied), `head_bytes` and `saved_bytes` of TFLM's arena (32-bit Arm); for a board
        `choice`, the kernels of each layer with the reasons, and `schedule`, what was done so that it fits; with
        `stream_input` also `input_by_rows`, its rows and the arena; for a C project of a file with uint8 inputs or
        outputs `uint8_borders`, what they are named, and the int8 that the network has instead.

    Raises:
        ExportError: `out` exists and `force` is not given, or the request makes no sense.
        AnswerIsNo: no way to execute the model takes at most `arena_bytes`.
        FormatError: the model cannot be read.
    """
    if out.suffix == ".onnx":
        raise ExportError(f"{out}: an .onnx file is the float network of a finished run; {model} is an int8 model")
    if plan_offline != (out.suffix == ".tflite"):
        raise ExportError(
            f"{out}: --offline-plan goes with a .tflite file, and a .tflite file with --offline-plan; without it, name "
            "a folder for the C project"
        )
    if plan_offline and board_name is not None:
        raise ExportError("--board goes with a folder for the C project: TFLM brings its own kernels")
    if plan_offline and stream_input:
        raise ExportError("--stream-input goes with a folder for the C project: TFLM holds the whole input")
    check_target(out, prefix, force)
    if plan_offline:
        return _planned(model, read_tflite(model), out, kernels)
    file, graph = read_network(model)
    tell_of_uint8(model, file)
    info = ModelInfo(model.stem, uint8_tensors=uint8_borders(file))
    if board_name is None and stream_input:
        by_rows = choose_input_by_rows(graph, DSP_LOWERING)
        document = _c_project(by_rows.schedule, out, info, prefix) | uint8_json(file)
        return document | {"input_by_rows": input_by_rows_json(by_rows)}
    if board_name is None:
        return _c_project(DSP_LOWERING(graph), out, info, prefix) | uint8_json(file)
    board = load_board(board_name)
    if reserve_flash >= board.code_region.size_bytes:
        raise ExportError(
            f"--reserve-flash {reserve_flash}: {board.name} has {board.code_region.size_bytes:,} bytes of flash in all"
        )
    reserve = Reserve(flash_bytes=reserve_flash)
    choose = input_by_rows_for_board if stream_input else choose_for_board
    chosen = choose(graph, board, toolchain, reserve, arena_bytes=arena_bytes)
    if chosen.kernels.not_compared:
        logger.warning("%s: kernels by shape alone: %s", board.name, chosen.kernels.not_compared)
    document = _c_project(chosen.schedule, out, info, prefix) | uint8_json(file)
    document |= {"choice": kernels_json(chosen.kernels), "schedule": schedule_json(chosen)}
    return document | ({"input_by_rows": input_by_rows_json(chosen)} if stream_input else {})


def _planned(model: Path, graph: Graph, out: Path, kernels: Kernels) -> dict[str, Any]:
    """The model with a plan, where that is better than what the file has: never worse than before."""
    tensors, tflm = tensor_table(model), TflmMemoryModel(4, kernels)
    before = _head_before(model, graph, tflm, tensors)
    plan = offline_plan(graph, tflm, tensors)
    # A plan in the file that TFLM refuses is replaced, whatever that saves.
    stored = before is None or plan.head_bytes < before
    write_atomically(out, add_offline_plan(model, plan.offsets) if stored else model.read_bytes())
    return {
        "format": "tflite",
        "files": [str(out)],
        "kernels": kernels,
        "stored": stored,
        "head_bytes": plan.head_bytes if before is None else min(before, plan.head_bytes),
        "saved_bytes": 0 if before is None else max(0, before - plan.head_bytes),
    }


def _head_before(model: Path, graph: Graph, tflm: TflmMemoryModel, tensors: FileTensors) -> int | None:
    """The head of TFLM's arena with the file as it is; None where TFLM refuses the plan in it."""
    metadata = read_metadata(model).get(OFFLINE_PLAN_METADATA)
    try:
        stored = None if metadata is None else read_offline_plan(metadata)
        return tflm.sram(graph, tensors, stored).head_bytes
    except (FormatError, TflmUnsupportedError):
        if metadata is None:
            raise
        return None


def _c_project(schedule: Schedule, out: Path, info: ModelInfo, prefix: str) -> dict[str, Any]:
    if out.is_file():
        raise ExportError(f"{out} is a file: name a folder for the C project")
    embedded = (*embedded_code(schedule, "zig"), *embedded_code(schedule, "gcc"))
    export(schedule, plan_arena(schedule), out, replace(info, embedded=embedded), prefix=prefix)
    return {"format": "c", "files": sorted(str(path) for path in out.rglob("*") if path.is_file())}
