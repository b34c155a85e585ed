"""Cycles and instructions that `tinynas inspect` predicts against what `tinynas measure` counts on the virtual board.

    python benchmarks/predicted_latency.py MODEL.tflite ... [--board virt-m4] [--toolchain zig]

Each model runs with the kernels chosen for the board. The interval is the one that `inspect` states, of 90 %. Cycles
are those of the core's timing, a model; where it has none, there are instructions alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tinynas.errors import TinyNASError
from tinynas.pipeline import inspect_model, measure_model
from tinynas.pipeline.costs import load_latency
from tinynas.targets import load_board

LARGEST_ERROR = 0.03
UNITS = ("cycles", "instructions")


def main() -> None:
    """Print the table.

    Exit 1 where a prediction is off by more than 3 %, fewer than 80 % are inside, or one is not known though the
    latency model of the core has its unit.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--board", default="virt-m4")
    parser.add_argument("--toolchain", default="zig")
    options = parser.parse_args()

    table = Table(title=f"one inference, {options.board}, {options.toolchain}")
    for column in ("model", "unit", "predicted", "90 % interval", "counted", "error", "half width", "inside"):
        table.add_column(column, justify="left" if column in ("model", "unit") else "right")
    fitted = _units(options.board, options.toolchain)
    errors, inside, unknown = [], 0, 0
    for model in options.models:
        try:
            latency = inspect_model(model, options.board, toolchain=options.toolchain)["latency"]
            measured = measure_model(model, options.board, virtual=True, toolchain=options.toolchain)
        except TinyNASError as error:
            table.add_row(model.stem, "", str(error)[:60])
            continue
        for unit in UNITS:
            counted = measured[unit]
            predicted, low, high = (latency[f"{name}_{unit}"] for name in ("predicted", "low", "high"))
            if counted is None:
                continue
            if predicted is None:
                unknown += unit in fitted
                table.add_row(model.stem, unit, "not known", "", f"{counted:,}")
                continue
            errors.append(predicted / counted - 1)
            inside += low <= counted <= high
            table.add_row(
                *(model.stem, unit, f"{predicted:,.0f}", f"{low:,.0f} to {high:,.0f}", f"{counted:,}"),
                *(f"{100 * errors[-1]:+.2f} %", f"{50 * (high - low) / predicted:.2f} %"),
                "yes" if low <= counted <= high else "no",
            )
    Console(width=130).print(table)
    worst = max(map(abs, errors), default=1.0)
    print(
        f"{len(errors)} predictions: worst error {100 * worst:.2f} %, {inside} inside their interval, "
        f"{unknown} not known"
    )
    raise SystemExit(1 if unknown or worst > LARGEST_ERROR or inside < 0.8 * len(errors) else 0)


def _units(board: str, toolchain: str) -> set[str]:
    """What the latency model that ships for a board can predict."""
    model = load_latency(load_board(board), toolchain)
    if model is None:
        return set()
    return {model.unit} if model.instructions is None else {model.unit, model.instructions.unit}


if __name__ == "__main__":
    main()
