"""Take the winner out of a finished run: as a C project, a .tflite or an .onnx file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tinynas.engine import ModelInfo, export
from tinynas.errors import UsageError
from tinynas.formats import read_tflite, write_onnx
from tinynas.lowering import lower
from tinynas.memory import plan_arena
from tinynas.pipeline._atomic import write_atomically


class ExportError(UsageError):
    """There is no winner to export, or the target is in the way."""


def export_winner(run_directory: Path, out: Path, *, force: bool = False) -> dict[str, Any]:
    """Write the winner of a run.

    Args:
        run_directory: a finished run.
        out: `*.tflite` gets the int8 model, `*.onnx` the float network; any other name becomes a folder with the
            generated C, the kernels it needs and a Makefile.
        force: replace what is there.

    Returns:
        `format` and `files`, the paths that were written.

    Raises:
        ExportError: the run is not finished, or `out` exists and `force` is not given.
    """
    model = run_directory / "winner.tflite"
    result = run_directory / "result.json"
    if not model.is_file() or not result.is_file():
        raise ExportError(f"{run_directory} holds no finished run: `tinynas run` finishes it, then export")
    if out.exists() and not force and (out.is_file() or any(out.iterdir())):
        raise ExportError(f"{out} exists: choose another name, or give --force to replace it")
    if out.suffix == ".tflite":
        write_atomically(out, model.read_bytes())
        return {"format": "tflite", "files": [str(out)]}
    if out.suffix == ".onnx":
        out.parent.mkdir(parents=True, exist_ok=True)
        write_onnx(read_tflite(run_directory / "winner" / "float.tflite"), out)
        return {"format": "onnx", "files": [str(out)]}
    schedule = lower(read_tflite(model))
    export(schedule, plan_arena(schedule), out, _info(json.loads(result.read_bytes())))
    files = sorted(str(path) for path in out.rglob("*") if path.is_file())
    return {"format": "c", "files": files}


def _info(result: dict[str, Any]) -> ModelInfo:
    facts = result["model_info"]
    return ModelInfo(**{**facts, "labels": tuple(facts["labels"])})
