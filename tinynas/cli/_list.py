"""`tinynas list`: what there is to choose from, plugins included."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tinynas.cli._options import JsonOption
from tinynas.cli._output import emit


def list_parts(
    family: Annotated[
        str | None,
        typer.Argument(
            help="methods, strategies, evaluators, spaces, block-kinds or operators; all of them by default.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List what a configuration or a space file may name, and which operators the engine executes: one line each.

    What other packages add is listed with the package that it comes from; what is broken says why.
    """
    from tinynas.pipeline import parts_of

    parts = parts_of(family)
    result: dict[str, Any] = {
        name: [
            {"name": part.name, "kind": part.kind, "description": part.description, "source": part.source}
            for part in found
        ]
        for name, found in parts.items()
    }

    def render(console: Console) -> None:
        for name, found in parts.items():
            table = Table(name if family is None else "name", "description", "from", box=None, pad_edge=False)
            for part in found:
                table.add_row(part.name, part.description, part.source)
            console.print(table)
            if family is None:
                console.print()

    emit(result, as_json=as_json, render=render)
