"""`tinynas export`: take the winner out of a run, in the form that your project needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tinynas.cli._options import JsonOption
from tinynas.cli._output import emit


def export(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A finished run.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A .tflite or .onnx file, or a folder for the C project.")],
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the winner as a C project (any other name: a folder), an int8 .tflite, or a float .onnx."""
    from tinynas.pipeline import export_winner

    result = export_winner(run_directory, out, force=force)

    def render(console: Console) -> None:
        for path in result["files"]:
            console.print(path)

    emit(result, as_json=as_json, render=render)
