"""`tinynas data`: fetch the data sets of the examples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tinynas.cli._options import JsonOption
from tinynas.cli._output import emit
from tinynas.cli._progress import TerminalProgress

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Fetch the data sets of the examples.")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="fashion-mnist or cifar10.")] = "fashion-mnist",
    directory: Annotated[Path | None, typer.Option(help="Data directory; default: $TINYNAS_DATA, else ./data.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Download a data set, check it, and put it where `tinynas run` finds it. Does nothing if it is there."""
    from tinynas.pipeline import fetch_data

    progress = TerminalProgress()
    try:
        result = fetch_data(name, directory=directory, progress=progress)
    finally:
        progress.close()

    def render(console: Console) -> None:
        console.print(f"{result['dataset']}: {result['folder']}")

    emit(result, as_json=as_json, render=render)
