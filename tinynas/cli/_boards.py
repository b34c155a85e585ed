"""`tinynas boards`: what ships with TinyNAS."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from tinynas.cli._options import JsonOption
from tinynas.cli._output import emit


def boards(as_json: JsonOption = False) -> None:
    """List the boards that ship with TinyNAS. A board is one TOML file; your own works by its path."""
    from tinynas.targets import board_names, load_board

    known = [load_board(name) for name in board_names()]
    result: dict[str, Any] = {
        "boards": [
            {
                "name": board.name,
                "description": board.description,
                "mcu": board.mcu,
                "core": board.core.name,
                "clock_hz": board.clock_hz,
                "virtual_only": board.is_virtual,
                "regions": [
                    {"name": r.name, "kind": r.kind, "address": r.address, "size_bytes": r.size_bytes}
                    for r in board.regions
                ],
            }
            for board in known
        ]
    }

    def render(console: Console) -> None:
        table = Table("board", "core", "clock", "memory", "description", box=None, pad_edge=False)
        for board in known:
            memory = ", ".join(f"{region.name} {region.size_bytes // 1024} KB" for region in board.regions)
            table.add_row(board.name, board.core.name, f"{board.clock_hz / 1e6:g} MHz", memory, board.description)
        console.print(table)

    emit(result, as_json=as_json, render=render)
