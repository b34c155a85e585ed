"""`tinynas calibrate`: fit the latency model of a board to measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tinynas.cli._options import (
    BoardOption,
    JsonOption,
    PortOption,
    ProbeOption,
    Toolchain,
    ToolchainOption,
    VirtualOption,
)
from tinynas.cli._output import emit
from tinynas.cli._progress import TerminalProgress


def calibrate(
    board: BoardOption,
    virtual: VirtualOption = False,
    port: PortOption = None,
    probe: ProbeOption = None,
    out: Annotated[Path | None, typer.Option(help="Where the latency model (JSON) goes.")] = None,
    toolchain: ToolchainOption = Toolchain.ZIG,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure calibration networks on a board, fit its latency model, and test it on networks it has not seen."""
    from tinynas.pipeline import calibrate_board

    progress = TerminalProgress()
    try:
        result = calibrate_board(
            board,
            virtual=virtual,
            port=port,
            probe=probe,
            out=out,
            toolchain=toolchain.value,
            seed=seed,
            progress=progress,
        )
    finally:
        progress.close()

    def render(console: Console) -> None:
        holdout: dict[str, Any] = result["holdout"]
        decides = "{unit}: {basis}".format_map(result["decided_by"])
        console.print(
            f"{result['measurements']} layers measured in {decides}; fit error {100 * result['fit']['mape']:.1f} %"
        )
        if holdout["networks"]:
            rank = "" if holdout["spearman"] is None else f"rank correlation {holdout['spearman']:.3f}, "
            console.print(
                f"{holdout['networks']} networks not in the fit: mean error {100 * holdout['mape']:.1f} %, "
                f"{100 * holdout['within_10pct']:.0f} % within 10 %, {rank}"
                f"{100 * holdout['coverage_90']:.0f} % inside the 90 % interval, which is "
                f"{100 * holdout['half_width']:.1f} % wide to each side"
            )
        console.print(f"latency model: {result['file']}")

    emit(result, as_json=as_json, render=render)
