"""`tinynas measure`: run a model on a board, real or virtual, and report what it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tinynas.cli._options import (
    BoardOption,
    JsonOption,
    ModelArgument,
    PortOption,
    ProbeOption,
    Toolchain,
    ToolchainOption,
    VirtualOption,
)
from tinynas.cli._output import bytes_text, emit
from tinynas.cli._progress import TerminalProgress
from tinynas.cli._schedule import print_changes, print_input_by_rows


def measure(
    model: ModelArgument,
    board: BoardOption,
    virtual: VirtualOption = False,
    port: PortOption = None,
    probe: ProbeOption = None,
    no_flash: Annotated[
        bool, typer.Option("--no-flash", help="With --port: the right firmware is on the board, refuse if not.")
    ] = False,
    toolchain: ToolchainOption = Toolchain.ZIG,
    runs: Annotated[int, typer.Option(min=1, help="Random inputs to compare bit by bit.")] = 1,
    input_file: Annotated[Path | None, typer.Option("--input", metavar="X.npy", help="int8 inputs instead.")] = None,
    output_file: Annotated[Path | None, typer.Option("--output", metavar="Y.npy", help="Where outputs go.")] = None,
    arena: Annotated[
        int | None,
        typer.Option(min=0, metavar="BYTES", help="What the arena may take: builds the fastest schedule within it."),
    ] = None,
    stream_input: Annotated[
        bool, typer.Option("--stream-input", help="The input comes row by row and is never there as a whole.")
    ] = False,
    layers: Annotated[
        bool, typer.Option("--layers/--no-layers", help="The profile by layer in the table; JSON always has it.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Build the firmware, run the model on the board and compare every output with the reference, bit by bit.

    Exit code 1: an output differs, or the model does not fit.
    """
    from tinynas.pipeline import measure_model

    progress = TerminalProgress()
    try:
        result = measure_model(
            model,
            board,
            virtual=virtual,
            port=port,
            probe=probe,
            flash_first=not no_flash,
            toolchain=toolchain.value,
            runs=runs,
            input_file=input_file,
            output_file=output_file,
            arena_bytes=arena,
            stream_input=stream_input,
            progress=progress,
        )
    finally:
        progress.close()

    def render(console: Console) -> None:
        render_measurement(console, result, layers=layers)
        if stream_input:
            print_input_by_rows(console, result["input_by_rows"])
        else:
            print_changes(console, result["schedule"])

    emit(result, as_json=as_json, render=render)
    if not result["matches_reference"]:
        raise typer.Exit(1)


def render_measurement(console: Console, result: Mapping[str, Any], *, layers: bool = True) -> None:
    """Draw the profile by layer, if wanted, and the totals of a measurement."""
    unit, layers_of = result["unit"], result["layers"]
    total = sum(layer[unit] for layer in layers_of)
    shown = {"instructions": "instructions", "cycles": result["cycles_name"]}
    if layers:
        console.print(_profile(layers_of, unit, total, shown))
        console.print()
    counted = result[unit] if result[unit] is not None else total
    others = [name for name in ("instructions", "cycles") if name != unit and result[name] is not None]
    beside = "".join(f", {result[name]:,} {shown[name]}" for name in others)
    console.print(
        f"one inference: [bold]{counted:,}[/] {shown[unit]}{beside} ({result['transport']}, {result['toolchain']})"
    )
    if result["latency_ms"] is not None:
        console.print(f"latency: {result['latency_ms']:.2f} ms ({result['cycles_basis']})")
    else:
        console.print(f"milliseconds: unknown ({result['cycles_basis']})")
    console.print(
        f"SRAM high-water mark {bytes_text(result['sram_high_water_bytes'])} bytes, "
        f"flash {bytes_text(result['flash_bytes'])} bytes as linked"
    )
    same = "[green]every output equals the reference, bit by bit[/]"
    console.print(same if result["matches_reference"] else "[red]outputs differ from the reference[/]")


def _profile(layers: Sequence[Mapping[str, Any]], unit: str, total: int, shown: Mapping[str, str]) -> Table:
    """The layers with their kernels, and their sum in the last row: what decides, and beside it what else is known."""
    from tinynas.graph import short_name

    units = [unit, *(name for name in ("instructions", "cycles") if name != unit and name in layers[0])]
    columns = [column for name in units for column in (shown[name], "per MAC")]
    table = Table("#", "layer", "kind", "kernel", "MACs", *columns, "share", box=None, pad_edge=False)
    for column in (0, *range(4, len(table.columns))):
        table.columns[column].justify = "right"
    for layer in layers:
        table.add_row(
            *(str(layer["index"]), escape(short_name(layer["name"])), layer["kind"], layer["variant"]),
            f"{layer['macs']:,}",
            *(text for name in units for text in _figures(layer[name], layer["macs"])),
            f"{100 * layer[unit] / max(1, total):.1f} %",
        )
    macs = sum(layer["macs"] for layer in layers)
    sums = (sum(layer[name] for layer in layers) for name in units)
    table.add_section()
    table.add_row("", "all layers", "", "", f"{macs:,}", *(text for each in sums for text in _figures(each, macs)), "")
    return table


def _figures(ticks: int, macs: int) -> tuple[str, str]:
    """A number of ticks, and for each MAC where there are any."""
    return f"{ticks:,}", f"{ticks / macs:.2f}" if macs else ""
