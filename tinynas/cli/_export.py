"""`tinynas export`: take a network out of a run or a model file, in the form that your project needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tinynas.cli._options import JsonOption, Kernels, Toolchain
from tinynas.cli._output import emit
from tinynas.cli._progress import TerminalProgress
from tinynas.cli._schedule import print_changes, print_input_by_rows


def export(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A finished run, or any int8 .tflite model.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A .tflite or .onnx file, or a folder for the C project.")],
    offline_plan: Annotated[
        bool, typer.Option("--offline-plan", help="Model to .tflite: store a better plan of TFLM's arena.")
    ] = False,
    kernels: Annotated[
        Kernels | None, typer.Option(help="With --offline-plan: the kernels that it is for; default: reference.")
    ] = None,
    board: Annotated[
        str | None,
        typer.Option("--board", "-b", help="C project of a model: choose its kernels for this board and its flash."),
    ] = None,
    toolchain: Annotated[
        Toolchain | None, typer.Option(help="With --board: the compiler that will build it; default: zig.")
    ] = None,
    reserve_flash: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="BYTES", help="With --board: flash that your application needs beside the network."
        ),
    ] = None,
    arena: Annotated[
        int | None,
        typer.Option(min=0, metavar="BYTES", help="With --board: what the arena may take: the fastest way within it."),
    ] = None,
    stream_input: Annotated[
        bool,
        typer.Option("--stream-input", help="C project of a model: it takes its input row by row, never the whole."),
    ] = False,
    prefix: Annotated[
        str, typer.Option(metavar="NAME", help="C project: what names begin with, where several networks meet.")
    ] = "model",
    pick: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITIONS",
            help='Run of nsga2: the most accurate member of its front with "latency<=20ms, sram<=12KB" (or '
            "flash, macs, and cycles or instructions, by which the run goes), trained now if it was not; may be given "
            "several times.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the winner of a run, or with --pick another one, as a C project (a folder), int8 .tflite or float .onnx.

    Of a .tflite model: a C project, or with --offline-plan the model with a better plan, which stock TFLM follows.
    """
    from tinynas.pipeline import ExportError, export_model, export_picked, export_winner

    if kernels is not None and not offline_plan:
        raise ExportError("--kernels goes with --offline-plan: our engine brings its own")
    if board is None and (toolchain is not None or reserve_flash is not None or arena is not None):
        raise ExportError("--toolchain, --reserve-flash and --arena go with --board: without one, nothing is weighed")
    if not source.exists():
        raise ExportError(f"{source}: no such file or directory; give a run or an int8 .tflite model")
    if source.is_file() and pick:
        raise ExportError("--pick takes a run: a .tflite file is one network")
    if source.is_file():
        result = export_model(
            source,
            out,
            plan_offline=offline_plan,
            kernels="cmsis-nn" if kernels is Kernels.CMSIS_NN else "reference",
            board_name=board,
            toolchain=(toolchain or Toolchain.ZIG).value,
            reserve_flash=reserve_flash or 0,
            arena_bytes=arena,
            stream_input=stream_input,
            prefix=prefix,
            force=force,
        )
    elif board is not None:
        raise ExportError("--board takes a .tflite file: a run's winner is exported as it was built and measured")
    elif stream_input:
        raise ExportError("--stream-input takes a .tflite file: give the run's winner.tflite")
    elif offline_plan:
        raise ExportError("--offline-plan takes a .tflite file: give the run's winner.tflite")
    elif pick:
        progress = TerminalProgress()
        try:
            result = export_picked(source, out, pick, prefix=prefix, force=force, progress=progress)
        finally:
            progress.close()
    else:
        result = export_winner(source, out, prefix=prefix, force=force)

    def render(console: Console) -> None:
        for path in result["files"]:
            console.print(path, markup=False)
        if "input_by_rows" in result:
            print_input_by_rows(console, result["input_by_rows"])
        else:
            print_changes(console, result.get("schedule"))
        if "picked" in result:
            console.print(_picked(result["picked"]))
        if "saved_bytes" in result:
            what = f"{result['saved_bytes']:,} fewer than before" if result["stored"] else "nothing saved, file copied"
            console.print(
                f"TFLM's arena with the {result['kernels']} kernels: head {result['head_bytes']:,} bytes, {what}"
            )

    emit(result, as_json=as_json, render=render)


def _picked(member: Mapping[str, Any]) -> str:
    time = "" if member["latency_ms"] is None else f" ({member['latency_ms']:.2f} ms: {member['latency_basis']})"
    facts = (
        f"{100 * member['held_out_int8_accuracy']:.2f} % of held-out images in int8",
        f"{member['latency']:,} {member['latency_unit']}{time}",
        f"{member['sram_bytes']:,} bytes of SRAM",
        f"{member['flash_bytes']:,} bytes of flash",
        f"{member['macs'] / 1e6:.2f} M MACs",
        f"{member['images_compared']} images bit by bit",
    )
    return f"member {member['member']} of {member['members']} of the front: {', '.join(facts)}"
