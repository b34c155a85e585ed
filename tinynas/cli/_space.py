"""`tinynas space`: which width multiplier and resolution give a board the best search space?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tinynas.cli._options import BoardOption, JsonOption, Toolchain, ToolchainOption
from tinynas.cli._output import emit, message
from tinynas.cli._progress import TerminalProgress

_ROWS_SHOWN = 15


def space(
    board: BoardOption,
    name: Annotated[str, typer.Option("--space", help="A search space by name, or a .toml file.")] = "mobile",
    samples: Annotated[int, typer.Option(min=1, help="Random networks per configuration.")] = 1000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    input_channels: Annotated[int, typer.Option(min=1, help="Channels of the input.")] = 3,
    classes: Annotated[int, typer.Option(min=1, help="Number of classes.")] = 1000,
    sram: Annotated[int | None, typer.Option(help="SRAM in bytes, in place of the board's.")] = None,
    flash: Annotated[int | None, typer.Option(help="Flash in bytes, in place of the board's.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Where the plot of the FLOPs distributions goes.")] = None,
    compare_schedules: Annotated[
        bool,
        typer.Option(
            "--compare-schedules",
            help="Also rank with nothing in place, in patches, row by row, and with the input so.",
        ),
    ] = False,
    streams: Annotated[
        bool, typer.Option("--streams/--no-streams", help="Whether networks that do not fit otherwise run row by row.")
    ] = True,
    toolchain: ToolchainOption = Toolchain.ZIG,
    as_json: JsonOption = False,
) -> None:
    """Rank the (width, resolution) configurations of a search space for a board by the FLOPs that fit it."""
    from tinynas.pipeline import rank_space, write_atomically

    progress = TerminalProgress()
    try:
        result, figure = rank_space(
            board,
            space=name,
            samples=samples,
            seed=seed,
            input_channels=input_channels,
            classes=classes,
            sram_bytes=sram,
            flash_bytes=flash,
            toolchain=toolchain.value,
            compare=compare_schedules,
            streams=streams,
            progress=progress,
        )
    finally:
        progress.close()
    target = plot if plot is not None else Path(f"space-{Path(board).stem}.svg")
    write_atomically(target, figure.encode())
    message(f"FLOPs distributions: {target}")
    emit(result, as_json=as_json, render=lambda console: _render(console, result))


def _render(console: Console, result: Mapping[str, Any]) -> None:
    table = Table("", "width", "resolution", "fit", "mean MACs", "p80 MACs", "score", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    chosen = (result["chosen"]["width"], result["chosen"]["resolution"])
    for entry in result["configurations"][:_ROWS_SHOWN]:
        is_chosen = (entry["width"], entry["resolution"]) == chosen
        table.add_row(
            "→" if is_chosen else "",
            f"{entry['width']:g}",
            str(entry["resolution"]),
            f"{100 * entry['share_fits']:.1f} %",
            _millions(entry["mean_macs"]),
            _millions(entry["p80_macs"]),
            _millions(entry["score"]),
            style="bold" if is_chosen else None,
        )
    console.print(table)
    hidden = len(result["configurations"]) - _ROWS_SHOWN
    if hidden > 0:
        console.print(f"and {hidden} more (--json lists all)", style="dim")
    console.print(f"\nchosen: width {chosen[0]:g}, resolution {chosen[1]}")
    console.print(result["criterion"], style="dim")
    if result["too_small"] is not None:
        console.print(result["too_small"], style="yellow")
    if "schedules" in result:
        _render_schedules(console, result["schedules"])


def _render_schedules(console: Console, schedules: Sequence[Mapping[str, Any]]) -> None:
    columns = ("schedule", "width", "resolution", "fit", "mean MACs", "p80 MACs", "mean arena", "score")
    table = Table(*columns, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for entry in schedules:
        chosen = entry["chosen"]
        table.add_row(
            entry["title"],
            "" if chosen is None else f"{chosen['width']:g}",
            "none fits" if chosen is None else str(chosen["resolution"]),
            "" if chosen is None else f"{100 * entry['share_fits']:.1f} %",
            _millions(entry["mean_macs"]),
            _millions(entry["p80_macs"]),
            "" if chosen is None else f"{entry['mean_arena_bytes']:,.0f}",
            _millions(entry["score"]),
        )
    console.print("\nhow the chosen space moves with the schedule:")
    console.print(table)


def _millions(value: float | None) -> str:
    return "" if value is None else f"{value / 1e6:.2f} M"
