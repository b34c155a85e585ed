"""`tinynas inspect`: does a .tflite model fit a board, and why not?"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tinynas.cli._options import BoardOption, JsonOption, Kernels, ModelArgument, Toolchain, ToolchainOption
from tinynas.cli._output import bytes_text, emit
from tinynas.cli._schedule import print_changes

_WIDTH_FOR_NOTES = 130
"""Columns of a terminal in which notes have room beside figures."""


class Engine(StrEnum):
    """Runtimes whose memory is modelled."""

    NATIVE = "native"
    TFLM = "tflm"


def inspect(
    model: ModelArgument,
    board: BoardOption,
    engine: Annotated[Engine, typer.Option(help="Runtime whose memory is modelled.")] = Engine.NATIVE,
    kernels: Annotated[Kernels, typer.Option(help="Kernel library, for --engine tflm.")] = Kernels.REFERENCE,
    toolchain: ToolchainOption = Toolchain.ZIG,
    latency: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A latency model written by `tinynas calibrate`.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw the arena of our engine over time.")
    ] = None,
    why: Annotated[
        bool, typer.Option("--why", help="For each layer: the kernels that could run it, what they take, why this one.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say whether a model fits a board, what it needs and what takes how much.

    Exit code 1: it does not fit. Where something that decides is unknown (TFLM's own code) the exit code is 0.
    """
    from tinynas.pipeline import InspectError, inspect_model

    if why and engine is Engine.TFLM:
        raise InspectError("--why explains the kernels of our engine: leave out --engine tflm")
    result = inspect_model(
        model,
        board,
        engine=engine.value,
        kernels=kernels.value,
        toolchain=toolchain.value,
        latency_file=latency,
        plot=plot,
    )

    def render(console: Console) -> None:
        if why:
            if result["decided_by"] is not None:
                console.print("decided by {unit}: {basis}".format_map(result["decided_by"]), markup=False)
                console.print()
            _print_kernels(console, result["kernels"])
            console.print()
        _render(console, result, board)

    emit(result, as_json=as_json, render=render)
    if result["fits"] is False:
        raise typer.Exit(1)


def _render(console: Console, result: Mapping[str, Any], board: str) -> None:
    from tinynas.graph import short_name

    table = Table("#", "operator", "name", "MACs", "live bytes", "scratch", box=None, pad_edge=False)
    for column in (0, 3, 4, 5):
        table.columns[column].justify = "right"
    for op in result["ops"]:
        live, scratch = bytes_text(op["live_bytes"]), bytes_text(op["scratch_bytes"])
        name = escape(short_name(op["name"]))
        table.add_row(str(op["index"]), op["kind"], name, f"{op['macs']:,}", live, scratch)
    console.print(table)
    console.print()
    sram, flash, latency = result["sram"], result["flash"], result["latency"]
    console.print(f"{result['macs']:,} MACs, {result['params']:,} parameters")
    console.print(
        f"SRAM   {_of(sram)}: arena {bytes_text(sram['arena_bytes'])} (no plan is below "
        f"{bytes_text(sram['arena_lower_bound_bytes'])}), persistent {bytes_text(sram['persistent_bytes'])}, "
        f"runtime {bytes_text(sram['runtime_bytes'])}, stack {bytes_text(sram['stack_bytes'])}"
    )
    console.print(
        f"flash  {_of(flash)}: weights {bytes_text(flash['weights_bytes'])}, code {bytes_text(flash['code_bytes'])}"
    )
    if sram["minimum_arena_bytes"] is not None:
        console.print(
            f"tensor_arena[{sram['minimum_arena_bytes']}], 16-byte aligned: head {bytes_text(sram['arena_bytes'])} "
            f"(activations, scratch) + tail {bytes_text(sram['persistent_bytes'])} (structures)"
            f"{_for_a_moment(sram)}",
            markup=False,
        )
    for region in result["regions"]:
        console.print(f"  {region['name']:<6} ({region['kind']}) {_of(region, 'used_bytes')}")
    spare = sum(r["used_bytes"] for r in result["regions"] if r["kind"] == "sram") - (sram["total_bytes"] or 0)
    if result["regions"] and spare > 0:
        console.print(
            f"  (all that the board sets aside for the stack counts in its region: {spare:,} bytes more than it takes)"
        )
    known = [unit for unit in ("cycles", "ms", "instructions") if latency[f"predicted_{unit}"] is not None]
    if known:
        console.print(f"latency  {', '.join(_predicted(latency, unit) for unit in known)}")
    console.print(f"  {latency['basis']}", markup=False)
    print_changes(console, result["schedule"])
    if result["kernels"] is not None:
        console.print(f"kernels  {_kernels_summary(result['kernels'])}")
    peak = result["memory"]["peak"]
    place = f"{short_name(peak['name'])} (#{peak['index']})"
    console.print(f"the arena peaks at {place}: {bytes_text(peak['live_bytes'])} bytes alive", markup=False)
    for option in result["memory"]["options"]:
        saves = "saved" if option["applied"] else "saves"
        saved = f"{saves} {bytes_text(option['saved_bytes'])} bytes" if option["saved_bytes"] else f"{saves} nothing"
        console.print(f"  {option['kind']:<12} {saved}: {option['how']}", markup=False)
    verdict = {
        True: "[bold green]fits[/]",
        False: "[bold red]does not fit[/]",
        None: "[bold yellow]unknown whether it fits[/]",
    }
    console.print(f"{verdict[result['fits']]} {board}")
    for reason in result["reasons"]:
        console.print(f"  {reason}", markup=False)


def _predicted(latency: Mapping[str, Any], unit: str) -> str:
    """What one inference is predicted to take, and within what bounds."""
    predicted, low, high = (
        f"{latency[f'{name}_{unit}']:,.{2 if unit == 'ms' else 0}f}" for name in ("predicted", "low", "high")
    )
    return f"{predicted} {unit} ({low} to {high})"


def _kernels_summary(kernels: Mapping[str, Any]) -> str:
    """What was chosen beyond the local rule, in one line."""
    changed = [layer for layer in kernels["layers"] if layer["variant"] != layer["local"]]
    count = (
        f"{len(changed)} of {len(kernels['layers'])} layers not by the local rule" if changed else "by the local rule"
    )
    if kernels["not_compared"]:
        return f"{count}: {kernels['not_compared']}"
    if not changed:
        return f"{count}, the best here (--why)"
    ticks, flash = kernels["saved_ticks"], kernels["extra_flash_bytes"]
    return (
        f"{count}: "
        f"{abs(ticks):,} {kernels['unit']} {'fewer' if ticks >= 0 else 'more'}, "
        f"{abs(flash):,} bytes of flash {'more' if flash >= 0 else 'less'} (--why)"
    )


def _print_kernels(console: Console, kernels: Mapping[str, Any]) -> None:
    """Each layer with the reason for its kernel, and what could execute it: first the chosen one."""
    from tinynas.graph import short_name

    beside = console.width >= _WIDTH_FOR_NOTES
    names = ("kernel", kernels["unit"] or "ticks", "constants", "own code", "scratch", *(["why not"] if beside else []))
    for layer in kernels["layers"]:
        console.print(f"#{layer['steps'][0]} {short_name(layer['name'])}", style="bold", markup=False)
        console.print(f"  {layer['reason']}", markup=False)
        if len(layer["alternatives"]) < 2:
            continue
        table = Table(*names, box=None, pad_edge=False)
        for index, column in enumerate(table.columns[:5]):
            column.justify = "right" if index else "left"
            column.no_wrap = True
        ordered = sorted(layer["alternatives"], key=lambda a: a["variant"] != layer["variant"])
        for a in ordered:
            figures = map(bytes_text, (a["ticks"], a["constant_bytes"], a["code_bytes"], a["scratch_bytes"]))
            table.add_row(f"  {a['variant']}", *figures, *([a["note"]] if beside else []))
        console.print(table)
        if not beside:
            for a in ordered[1:]:
                console.print(f"  {a['variant']}: {a['note']}", markup=False)


def _for_a_moment(sram: Mapping[str, Any]) -> str:
    """What preparing the model takes beyond running it, as in very small networks."""
    more = sram["minimum_arena_bytes"] - sram["arena_bytes"] - sram["persistent_bytes"]
    return f" + {more:,} to prepare the model" if more >= 16 else ", rounded up" if more else ""


def _of(usage: Mapping[str, Any], key: str = "total_bytes") -> str:
    return f"{bytes_text(usage[key])} of {bytes_text(usage['available_bytes'])} bytes"
