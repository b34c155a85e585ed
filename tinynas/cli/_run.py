"""`tinynas run`: from a board and a data set to a measured int8 network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table

from tinynas.cli._options import JsonOption
from tinynas.cli._output import emit, message
from tinynas.cli._progress import TerminalProgress
from tinynas.confidence import Interval, each_in_percent


def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What to search, for which board.")],
    out: Annotated[Path | None, typer.Option(help="Run directory; default: runs/NAME-seedN.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="In place of the configuration's seed.")] = None,
    plan: Annotated[
        Path | None, typer.Option(help="plan.json of a run of the same configuration: take as many steps as that did.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the whole pipeline. The same command continues a run that was interrupted, or killed, anywhere.

    Exit code 1: no network of the search space fits the board and the limits.
    """
    from tinynas.pipeline import load_config, run_pipeline

    settings = load_config(config, seed=seed)
    directory = out if out is not None else Path("runs") / f"{config.stem}-seed{settings.seed}"
    progress = TerminalProgress()
    message(f"{config} on {settings.board}, seed {settings.seed} -> {directory}")
    try:
        result = run_pipeline(settings, directory, plan=plan, progress=progress)
    finally:
        progress.close()
    emit(result, as_json=as_json, render=lambda console: render_result(console, result))


def render_result(console: Console, result: Mapping[str, Any]) -> None:
    """Draw what a run ended with: the winner at a glance, beside what else could have been chosen."""
    winner = result["winner"]
    head = Table.grid(padding=(0, 2))
    head.add_column(style="dim")
    head.add_column()
    head.add_row("int8 test accuracy", f"[bold green]{100 * winner['int8_accuracy']:.2f} %[/] on all "
                 f"{result['test_images']:,} test images (float {100 * winner['float_accuracy']:.2f} %)")  # fmt: skip
    for region in winner["regions"]:
        head.add_row(f"{region['name']} ({region['kind']})", _bar(region["used_bytes"], region["available_bytes"]))
    head.add_row("one inference", _inference(winner))
    head.add_row(
        "verified",
        f"{winner['images_compared']} images bit by bit on the {result['transport']} board, "
        f"{result['verdicts']['networks']} networks linked as predicted",
    )
    # Older results are those of a supernet.
    evaluator, accuracy = result.get("evaluator", "supernet"), result.get("evaluator_is_accuracy", True)
    unit = result.get("unit_name", result["unit"])
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("", "int8 accuracy", f"held-out, {evaluator}", "MACs", "SRAM", "flash", unit):
        table.add_column(title, justify="left" if title == "" else "right")
    for entry in (winner, *result["baselines"]):
        shared = entry["shared_accuracy"]
        table.add_row(
            entry["label"],
            f"{100 * entry['int8_accuracy']:.2f} %" if entry["int8_accuracy"] is not None else "-",
            "-" if shared is None else f"{100 * shared:.2f} %" if accuracy else f"{shared:.4g}",
            f"{entry['macs'] / 1e6:.2f} M",
            f"{entry['sram_bytes']:,}",
            f"{entry['flash_bytes']:,}",
            f"{entry['latency'] / 1e6:.2f} M" if entry["latency"] is not None else "-",
            style="bold" if entry is winner else None,
        )
    shown = [head, table]
    if (comparison := result.get("comparison")) is not None:
        shown.append(_over_seeds(comparison))
    paths = Table.grid(padding=(0, 2))
    paths.add_column(style="dim")
    paths.add_column()
    for name, path in result["artefacts"].items():
        paths.add_row(name, path)
    title = f"{Path(result['dataset']).stem} on {result['board']}, seed {result['seed']}"
    console.print(Panel(Group(*shown, paths), title=title, border_style="green", padding=(1, 2), expand=False))


def _over_seeds(comparison: Mapping[str, Any]) -> Table:
    """Means of several trainings, with their intervals, and how far the winner is ahead."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    confidence = f"{100 * comparison['confidence']:.0f} % interval"
    for title in (f"int8 accuracy over {comparison['seeds']} seeds", f"mean, {confidence}", "each"):
        table.add_column(title, justify="left" if not table.columns else "right")
    for network in comparison["networks"]:
        each = each_in_percent(network["int8_accuracies"], network["diverged"])
        table.add_row(network["label"], f"{Interval.of(network).in_percent()} %", each)
    for label in comparison.get("left_out", ()):  # which older results do not name
        table.add_row(label, "-", "left out: its first training diverged")
    if (lead := comparison["lead"]) is not None:
        table.add_row(f"winner minus {lead['label']}", f"{Interval.of(lead).in_percent('+')} points", "", style="bold")
    return table


def _inference(winner: Mapping[str, Any]) -> str:
    counted = f"{winner['latency']:,} {winner['latency_unit']}"
    if winner["latency_ms"] is None:
        return f"{counted} (milliseconds unknown: {winner['latency_basis']})"
    return f"{counted}, {winner['latency_ms']:.2f} ms ({winner['latency_basis']})"


def _bar(used: int, available: int) -> str:
    filled = min(20, round(20 * used / available))
    return f"{'█' * filled}{'░' * (20 - filled)} {used:,} of {available:,} bytes ({100 * used / available:.0f} %)"
