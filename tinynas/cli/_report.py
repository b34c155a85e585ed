"""`tinynas report`: the report of a run as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinynas.cli._options import JsonOption
from tinynas.cli._output import emit


def report(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run, finished or not.")],
    out: Annotated[Path | None, typer.Option(help="Where it goes; default: report.html in the run directory.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report of a run from its artefacts: one self-contained HTML file."""
    from tinynas.pipeline import write_report

    path = write_report(run_directory, out)
    emit({"report": str(path)}, as_json=as_json, render=lambda console: console.print(str(path)))
